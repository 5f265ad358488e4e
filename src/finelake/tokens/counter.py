"""Counts examples with one engine and one overhead, once a batch."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Protocol

from finelake.config.models import TEMPLATE, TokenOverhead
from finelake.tokens.engine import Preference, TokenEngine, select_engine
from finelake.tokens.formula import Example, ExampleTokens, plan_counts
from finelake.tokens.tools import ToolCounts


class ExampleCounter(Protocol):
    """Counts the tokens of examples."""

    def count(self, examples: Iterable[Example]) -> list[ExampleTokens]:
        """Return the tokens of each example, in order."""


class TokenCounter:
    """Counts batches of examples; remembers the counts of tool definitions, which repeat in every example."""

    def __init__(self, engine: TokenEngine, overhead: TokenOverhead, *, remembered_tools: int = 1024) -> None:
        """Keep at most `remembered_tools` distinct definition lists."""
        self.engine = engine
        self.overhead = overhead
        self._tool_counts = ToolCounts(remembered_tools)

    def count(self, examples: Iterable[Example]) -> list[ExampleTokens]:
        """Return the tokens of each example, in order, with one call of the engine."""
        plan = plan_counts(examples, overhead=self.overhead, tool_counts=self._tool_counts)
        return plan.fold(self.engine.count_batch(plan.texts))


@cache
def counter_for(encoding: str, overhead: TokenOverhead, preference: Preference = "auto") -> ExampleCounter:
    """Return the counter of this process for an encoding and overhead (`ModelInfo.counting()` gives both).

    The counter of an open model counts with its chat template. Raises what `select_engine` raises.
    """
    if encoding.startswith(TEMPLATE):
        from finelake.huggingface.counting import TemplateCounter, template_engine

        return TemplateCounter(template_engine(encoding))
    return TokenCounter(select_engine(encoding, preference), overhead)
