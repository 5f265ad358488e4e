"""The sample of the demo: invented customer conversations with planted defects and the truth about them."""

from __future__ import annotations

from finelake.sample.generate import SampleFiles, write_sample
from finelake.sample.tools import tool_definitions

__all__ = ["SampleFiles", "tool_definitions", "write_sample"]
