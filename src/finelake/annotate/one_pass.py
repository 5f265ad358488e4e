"""The one Python pass: a pandas UDF (iterator form) around a pure function over a slice of conversations.

Text crosses to Python once, as JSON; what comes back is the finished line, numbers and decisions. Slices bound the
memory of a worker whatever the size of Spark's Arrow batches, which serverless does not let anyone set.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.functions import pandas_udf

from finelake.annotate.plan import PassPlan
from finelake.annotate.row_checks import check_rows, load_schemas
from finelake.chat import ASSISTANT, SYSTEM, USER, decode_json, encode_json
from finelake.conversations.examples import (
    Example,
    ExamplePolicy,
    ToolSet,
    build_example,
    dedup_key,
    last_reply,
    last_user,
)
from finelake.conversations.repair import repair, repair_conversation
from finelake.conversations.turns import Decision, Repaired, decision
from finelake.privacy.redact import Privacy
from finelake.rules.registry import RULES, Rule, register
from finelake.tables.contracts import DECISION
from finelake.tokens.counter import TokenCounter, counter_for
from finelake.tokens.formula import ExampleTokens

TOOLS_UNREADABLE = register(
    Rule(
        code="tools_unreadable",
        step="example",
        action="quarantine",
        summary="The conversation's own tool definitions are not a JSON list in OpenAI's form.",
    )
)

# A slice ends at this many conversations or characters, whichever comes first.
SLICE_ROWS = 2_000
SLICE_CHARACTERS = 16_000_000
_KEPT_DEFINITIONS = 1_024

RESULT_TYPE = (
    "line string, decisions string, turns_in int, kept int, merged int, trimmed int, "
    "duplicate int, message_count int, tokens bigint, trained_tokens bigint, tool_tokens bigint, "
    "message_tokens array<int>, dedup_key string, payload string"
)

_COLUMNS = [part.split(" ")[0] for part in RESULT_TYPE.split(", ")]
_NUMBERS = _COLUMNS[2:-1]
_DESCRIBED = (
    "conversation_id",
    "rows_in",
    "user_id",
    "agent_ids",
    "origins",
    "language",
    "metadata",
    "first_at",
    "last_at",
)


@dataclass(slots=True)
class Annotation:
    """What the pass says of one conversation; without `example` it is quarantined for its decisions' reasons.

    `payload` is what the quarantine keeps of its turns where they hold values that no table may (see privacy.redact).
    """

    repaired: Repaired
    example: Example | None
    tokens: ExampleTokens | None = None
    payload: str | None = None


@dataclass(slots=True)
class Worker:
    """What a worker builds once: counter, schemas, and what it has seen of tool definitions."""

    plan: PassPlan
    counter: TokenCounter
    schemas: Sequence[Any]
    privacy: Privacy
    tool_sets: dict[str, ExamplePolicy]
    definitions: dict[str, list[Any]]

    @classmethod
    def start(cls, plan: PassPlan) -> Worker:
        """Build counter and schemas; raises EnvironmentProblem or ConfigError where that is not possible."""
        counter = counter_for(plan.encoding, plan.overhead, plan.engine)
        return cls(plan, counter, load_schemas(plan.row_schemas), Privacy(plan.privacy), {}, {})

    def annotate(
        self, texts: Sequence[str | None], tools: Sequence[str | None], aside: Sequence[bool] | None = None
    ) -> list[Annotation]:
        """Repair, redact, format, count and check the conversations of one slice; some may be `aside` already."""
        annotations = [self._build(text, own) for text, own in zip(texts, tools, strict=True)]
        examples = [(item, item.example) for item in annotations if item.example is not None]
        counts = self.counter.count(
            [{"messages": example.messages, "tools": self._definitions(example)} for _, example in examples]
        )
        for (item, _), tokens in zip(examples, counts, strict=True):
            item.tokens = tokens
        self._check([item for item, _ in examples])
        for item, text, out in zip(annotations, texts, aside or [False] * len(texts), strict=True):
            if out or item.example is None:
                item.payload = self.privacy.payload(text)
        return annotations

    def _build(self, text: str | None, tools: str | None) -> Annotation:
        if self.plan.layout == "turns":
            repaired = repair(decode_json(text or "[]"), policy=self.plan.repair)
        else:
            repaired = repair_conversation(text, policy=self.plan.repair)
        if not repaired.reasons:
            self.privacy.protect(repaired)
        if repaired.reasons:
            return Annotation(repaired, None)
        try:
            policy = self._policy(tools)
        except (ValueError, TypeError, KeyError, AttributeError):
            repaired.decisions.append(decision(TOOLS_UNREADABLE, []))
            return Annotation(repaired, None)
        return Annotation(repaired, build_example(repaired, policy=policy))

    def _policy(self, tools: str | None) -> ExamplePolicy:
        if not tools:
            return self.plan.example
        if len(self.tool_sets) > _KEPT_DEFINITIONS:
            self.tool_sets.clear()
        if tools not in self.tool_sets:
            own = ToolSet(definitions=own_definitions(tools), mode="all")
            base = self.plan.example
            self.tool_sets[tools] = ExamplePolicy(system=base.system, tools=own, train=base.train)
        return self.tool_sets[tools]

    def _definitions(self, example: Example) -> list[Any]:
        """Give an example's tool definitions, one list object for all examples that carry the same."""
        text = example.tools_json
        if len(self.definitions) > _KEPT_DEFINITIONS:
            self.definitions.clear()
        if text not in self.definitions:
            self.definitions[text] = decode_json(text) if text else []
        return self.definitions[text]

    def _check(self, annotations: list[Annotation]) -> None:
        if not annotations:
            return
        frame = row_frame(annotations, with_text=bool(self.schemas))
        for failure in check_rows(frame, self.plan.limits, self.schemas):
            repaired = annotations[failure.row].repaired
            rule = RULES.get(failure.reason)
            repaired.decisions.append(
                Decision(
                    step=rule.step if rule else "checks",
                    action="quarantine",
                    reason=failure.reason,
                    turns=[],
                    value=failure.value,
                    threshold=failure.threshold,
                )
            )
            annotations[failure.row].example = None


def own_definitions(tools: str) -> dict[str, Any]:
    """Read a conversation's own tool definitions by function name; raises ValueError, TypeError or KeyError."""
    definitions: dict[str, Any] = {}
    for item in decode_json(tools):
        definitions[item.get("function", item)["name"]] = item
    encode_json(list(definitions.values())).encode()  # a lone surrogate must not get as far as Arrow
    return definitions


def row_frame(annotations: Sequence[Annotation], *, with_text: bool) -> pd.DataFrame:
    """Build the frame that row schemas see (columns: see annotate.row_checks), index 0 to n - 1."""
    counted = [(item.example, item.tokens) for item in annotations if item.example and item.tokens]
    columns: dict[str, list[Any]] = {
        "messages": [len(example.messages) for example, _ in counted],
        "tokens": [tokens.total for _, tokens in counted],
        "trained_tokens": [tokens.trained for _, tokens in counted],
        "tool_tokens": [tokens.tools for _, tokens in counted],
    }
    if with_text:
        for role, name in ((SYSTEM, "system_text"), (USER, "user_text"), (ASSISTANT, "assistant_text")):
            columns[name] = [_joined(example, role) for example, _ in counted]
        columns["last_user"] = [last_user(example.messages) for example, _ in counted]
        columns["last_reply"] = [last_reply(example.messages) for example, _ in counted]
    return pd.DataFrame(columns)


def annotate(assembled: DataFrame, *, plan: PassPlan) -> DataFrame:
    """Run the pass over assembled conversations; gives the columns of the annotated table.

    A conversation that assembly has set aside keeps that decision alone.
    """
    aside = F.exists("assembly", lambda item: item["action"] == "quarantine")
    found = assembled.withColumn("found", annotation_udf(plan)(F.col("content"), F.col("tools"), aside))
    made = F.from_json("found.decisions", T.ArrayType(DECISION))
    decisions = F.when(aside, F.col("assembly")).otherwise(F.concat("assembly", made))
    failed = F.filter(decisions, lambda item: item["action"] == "quarantine")
    reasons = F.array_distinct(F.transform(failed, lambda item: item["reason"]))
    rejected = F.size(reasons) > 0
    numbers = [F.col(f"found.{name}").alias(name) for name in _NUMBERS]
    return found.select(
        *_DESCRIBED,
        F.when(~rejected, F.col("found.line")).alias("line"),
        *numbers,
        reasons.alias("reasons"),
        decisions.alias("decisions"),
        F.when(rejected, F.coalesce("found.payload", "content")).alias("payload"),
    )


def annotation_udf(plan: PassPlan) -> Callable[[Column, Column, Column], Column]:
    """Build the pandas UDF; everything it needs is bound here, nothing is looked up in the worker's globals."""

    def run(batches: Iterator[tuple[pd.Series, pd.Series, pd.Series]]) -> Iterator[pd.DataFrame]:
        worker = Worker.start(plan)
        for batch in batches:
            parts = []
            for start, end in slices([len(text or "") for text in batch[0]]):
                texts, tools, aside = (column.iloc[start:end].tolist() for column in batch)
                with _no_cycle_search():
                    parts.append(to_frame(worker.annotate(texts, tools, aside)))
            yield pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_COLUMNS)

    # Spark reads the hints to choose the iterator form, and strings (postponed annotations) are not resolved for it.
    run.__annotations__ = {
        "batches": Iterator[tuple[pd.Series, pd.Series, pd.Series]],
        "return": Iterator[pd.DataFrame],
    }
    make: Any = pandas_udf  # pyspark's overloads lack the form that gives frames from an iterator
    udf: Callable[[Column, Column, Column], Column] = make(run, RESULT_TYPE)
    return udf


@contextmanager
def _no_cycle_search() -> Iterator[None]:
    """Hold the garbage collector off a slice: its many small objects have no cycles, and looking takes a quarter."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def slices(lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Cut a batch into (start, end) runs that stay below the slice bounds; a single long text is a slice of its own."""
    start, characters = 0, 0
    for position, length in enumerate(lengths):
        if position > start and (position - start >= SLICE_ROWS or characters + length > SLICE_CHARACTERS):
            yield start, position
            start, characters = position, 0
        characters += length
    if start < len(lengths):
        yield start, len(lengths)


def to_frame(annotations: Sequence[Annotation]) -> pd.DataFrame:
    """Turn annotations into the columns of `RESULT_TYPE`, one row each."""
    return pd.DataFrame([_row(item) for item in annotations], columns=_COLUMNS, dtype=object)


def _row(item: Annotation) -> tuple[Any, ...]:
    repaired, example, tokens = item.repaired, item.example, item.tokens
    counts = repaired.counts
    fates = (counts.kept, counts.merged, counts.trimmed, counts.duplicate) if example else (0, 0, 0, 0)
    return (
        example.line if example else None,
        encode_json([_decision(made) for made in repaired.decisions]),
        counts.turns_in,
        *fates,
        len(example.messages) if example else None,
        tokens.total if tokens else None,
        tokens.trained if tokens else None,
        tokens.tools if tokens else None,
        list(tokens.per_message) if tokens else None,
        dedup_key(example.messages) if example else None,
        item.payload,
    )


def _decision(made: Decision) -> dict[str, Any]:
    return {
        "step": made.step,
        "action": made.action,
        "reason": made.reason,
        "turns": made.turns,
        "value": made.value,
        "threshold": made.threshold,
    }


def _joined(example: Example, role: str) -> str:
    return "\n".join(message.get("content") or "" for message in example.messages if message["role"] == role)
