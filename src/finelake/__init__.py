"""finelake: curate conversations on Spark, fine-tune a chat model on them, and compare it with its base."""

from __future__ import annotations

__version__ = "0.1.0"
