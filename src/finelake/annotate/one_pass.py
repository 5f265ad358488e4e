"""The one Python pass: a pandas UDF (iterator form) around a pure function over a slice of conversations.

Text crosses to Python once, as JSON; what comes back is the finished line, numbers and decisions. Slices bound the
memory of a worker whatever the size of Spark's Arrow batches, which serverless does not let anyone set.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.functions import pandas_udf

from finelake.annotate.cutting import Cut, cut_long, is_long, replies
from finelake.annotate.plan import PassPlan
from finelake.annotate.row_checks import check_rows, load_schemas
from finelake.batches import slices
from finelake.chat import ASSISTANT, SYSTEM, USER, decode_json, encode_json
from finelake.conversations.examples import (
    REPLY_NOT_LAST,
    Example,
    ExamplePolicy,
    Side,
    ToolSet,
    build_example,
    compared_text,
    dedup_key,
    last_reply,
    last_user,
    normalised_contents,
    system_key,
)
from finelake.conversations.repair import repair, repair_conversation
from finelake.conversations.turns import OWN_KEYS, Decision, Repaired, decision
from finelake.privacy.redact import Privacy
from finelake.replies.judge import Judge
from finelake.replies.origins import human_tokens
from finelake.rules.registry import RULES, Rule, register
from finelake.tables.schemas.structs import DECISION, WINDOW
from finelake.tokens.counter import ExampleCounter, counter_for
from finelake.tokens.formula import ExampleTokens

TOOLS_UNREADABLE = register(
    Rule(
        code="tools_unreadable",
        step="example",
        action="quarantine",
        summary="The conversation's own tool definitions are not a JSON list in OpenAI's form.",
    )
)

_KEPT_DEFINITIONS = 1_024

RESULT_TYPE = (
    "line array<string>, message_count array<int>, tokens array<bigint>, trained_tokens array<bigint>, "
    "human_tokens array<bigint>, "
    "decisions string, payload string, turns_in int, kept int, merged int, trimmed int, duplicate int, "
    "whole_tokens bigint, tool_tokens bigint, replies int, window_tokens bigint, window_replies int, "
    "last_tokens bigint, last_replies int, system_key string, dedup_key string, compared string"
)

_COLUMNS = tuple(part.split(" ")[0] for part in RESULT_TYPE.split(", "))
_OF_WINDOWS, _OF_CONVERSATIONS = _COLUMNS[:5], _COLUMNS[7:]
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
    "rows_hash",
)


@dataclass(slots=True)
class Annotation:
    """What the pass says of one conversation; without `example` it is quarantined for its decisions' reasons.

    `windows` are the examples to publish with their tokens: the whole one, or what a `cut` made of a long one.
    `payload` is what the quarantine keeps of its turns where they hold values that no table may (see privacy.redact).
    """

    repaired: Repaired
    example: Example | None
    tokens: ExampleTokens | None = None
    cut: Cut | None = None
    windows: list[tuple[Example, ExampleTokens]] = field(default_factory=list)
    human_tokens: list[int] = field(default_factory=list)
    payload: str | None = None


@dataclass(slots=True)
class Worker:
    """What a worker builds once: counter, schemas, and what it has seen of tool definitions."""

    plan: PassPlan
    counter: ExampleCounter
    schemas: Sequence[Any]
    privacy: Privacy
    judge: Judge
    tool_sets: dict[str, ExamplePolicy]
    definitions: dict[str, list[Any]]

    @classmethod
    def start(cls, plan: PassPlan) -> Worker:
        """Build counter and schemas; raises EnvironmentProblem or ConfigError where that is not possible."""
        counter = counter_for(plan.encoding, plan.overhead, plan.engine)
        return cls(plan, counter, load_schemas(plan.row_schemas), Privacy(plan.privacy), Judge(plan.replies), {}, {})

    def annotate(
        self,
        texts: Sequence[str | None],
        tools: Sequence[str | None],
        aside: Sequence[bool] | None = None,
        origins: Sequence[str | None] | None = None,
    ) -> list[Annotation]:
        """Repair, redact, judge, format, count and check the conversations of one slice; some may be `aside` already.

        `origins` name who wrote the replies of stored conversations, where their rows say it.
        """
        written_by = origins or [None] * len(texts)
        annotations = [self._build(*item) for item in zip(texts, tools, written_by, strict=True)]
        examples = [(item, item.example) for item in annotations if item.example is not None]
        for (item, example), tokens in zip(examples, self._count([each for _, each in examples]), strict=True):
            item.tokens = tokens
            item.windows = [(example, tokens)]
        self._cut([item for item, _ in examples])
        self._check([item for item in annotations if item.windows])
        for item in annotations:
            item.human_tokens = [
                human_tokens(example, tokens, item.repaired, self.judge.origins) for example, tokens in item.windows
            ]
        for item, text, out in zip(annotations, texts, aside or [False] * len(texts), strict=True):
            if out or item.example is None:
                item.payload = self.privacy.payload(
                    text, plain=OWN_KEYS if self.plan.layout == "turns" else frozenset()
                )
        return annotations

    def _build(self, text: str | None, tools: str | None, origin: str | None) -> Annotation:
        if self.plan.layout == "turns":
            repaired = repair(decode_json(text or "[]"), policy=self.plan.repair)
        else:
            repaired = repair_conversation(text, policy=self.plan.repair)
            repaired.origins = [origin] * len(repaired.fates)
        if not repaired.reasons:
            self.privacy.protect(repaired)
        if repaired.reasons:
            return Annotation(repaired, None)
        try:
            policy = self._policy(tools)
        except (ValueError, TypeError, KeyError, AttributeError):
            repaired.decisions.append(decision(TOOLS_UNREADABLE, []))
            return Annotation(repaired, None)
        given = policy.tools.definitions if tools or self.plan.replies.definitions_given else None
        self.judge.judge(repaired, given)
        if repaired.reasons:
            return Annotation(repaired, None)
        example = build_example(repaired, policy=policy)
        if example.not_last:
            repaired.decisions.append(decision(REPLY_NOT_LAST, example.not_last, value=len(example.not_last)))
        return Annotation(repaired, example)

    def _count(self, examples: Sequence[Example]) -> list[ExampleTokens]:
        return self.counter.count([{"messages": each.messages, "tools": self._definitions(each)} for each in examples])

    def _cut(self, annotations: Sequence[Annotation]) -> None:
        """Replace the one example of each long conversation by what the policy makes of it."""
        for item in annotations:
            example, tokens = item.windows[0]
            if not is_long(example, tokens, self.plan.room):
                continue
            item.cut = cut_long(example, item.repaired, tokens, policy=self.plan.long, room=self.plan.room)
            item.repaired.decisions += item.cut.decisions
            item.windows = list(zip(item.cut.examples, self._count(item.cut.examples), strict=True))
            if not item.windows:
                item.example = None

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
        owners = [item for item in annotations for _ in item.windows]
        frame = row_frame([window for item in annotations for window in item.windows], with_text=bool(self.schemas))
        for failure in check_rows(frame, self.plan.limits, self.schemas):
            repaired = owners[failure.row].repaired
            rule = RULES.get(failure.reason)
            owners[failure.row].example = None
            if failure.reason in repaired.reasons:
                continue
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


def own_definitions(tools: str) -> dict[str, Any]:
    """Read a conversation's own tool definitions by function name; raises ValueError, TypeError or KeyError."""
    definitions: dict[str, Any] = {}
    for item in decode_json(tools):
        definitions[item.get("function", item)["name"]] = item
    encode_json(list(definitions.values())).encode()  # a lone surrogate must not get as far as Arrow
    return definitions


def row_frame(counted: Sequence[tuple[Example, ExampleTokens]], *, with_text: bool) -> pd.DataFrame:
    """Build the frame that row schemas see (columns: see annotate.row_checks), index 0 to n - 1."""
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
    # Of turn rows each has its own origin, in the content; stored conversations have that of their row.
    origin = F.when(F.size("origins") == 1, F.try_element_at("origins", F.lit(1)))
    columns = [F.col("content"), F.col("tools"), aside, origin if plan.replies.stored else F.lit(None).cast("string")]
    found = assembled.withColumn("found", annotation_udf(plan)(*columns))
    made = F.from_json("found.decisions", T.ArrayType(DECISION))
    decisions = F.when(aside, F.col("assembly")).otherwise(F.concat("assembly", made))
    failed = F.filter(decisions, lambda item: item["action"] == "quarantine")
    reasons = F.array_distinct(F.transform(failed, lambda item: item["reason"]))
    rejected = F.size(reasons) > 0
    windows = F.arrays_zip(*(F.col(f"found.{name}").alias(name) for name in _OF_WINDOWS)).cast(T.ArrayType(WINDOW))
    numbers = [F.col(f"found.{name}").alias(name) for name in _OF_CONVERSATIONS]
    return found.select(
        *_DESCRIBED,
        F.when(~rejected, windows).alias("windows"),
        *numbers,
        reasons.alias("reasons"),
        decisions.alias("decisions"),
        F.when(rejected, F.coalesce("found.payload", "content")).alias("payload"),
    )


def annotation_udf(plan: PassPlan) -> Callable[..., Column]:
    """Build the pandas UDF; everything it needs is bound here, nothing is looked up in the worker's globals."""

    def run(batches: Iterator[tuple[pd.Series, ...]]) -> Iterator[pd.DataFrame]:
        worker = Worker.start(plan)
        for batch in batches:
            # Each slice goes out by itself: a batch of 10,000 long conversations and its results are gigabytes.
            for start, end in slices([len(text or "") for text in batch[0]]):
                texts, tools, aside, origins = (column.iloc[start:end].tolist() for column in batch)
                with _no_cycle_search():
                    found = to_frame(worker.annotate(texts, tools, aside, origins), side=plan.side)
                yield found

    # Spark reads the hints to choose the iterator form, and strings (postponed annotations) are not resolved for it.
    run.__annotations__ = {
        "batches": Iterator[tuple[pd.Series, pd.Series, pd.Series, pd.Series]],
        "return": Iterator[pd.DataFrame],
    }
    make: Any = pandas_udf  # pyspark's overloads lack the form that gives frames from an iterator
    udf: Callable[..., Column] = make(run, RESULT_TYPE)
    return udf


@contextmanager
def _no_cycle_search() -> Iterator[None]:
    """Hold the garbage collector off a slice: its many small objects have no cycles, and looking takes a quarter."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def to_frame(annotations: Sequence[Annotation], *, side: Side) -> pd.DataFrame:
    """Turn annotations into the columns of `RESULT_TYPE`, one row each."""
    return pd.DataFrame([_row(item, side) for item in annotations], columns=_COLUMNS, dtype=object)


def _row(item: Annotation, side: Side) -> tuple[Any, ...]:
    repaired, example, tokens, cut = item.repaired, item.example, item.tokens, item.cut
    counts = repaired.counts
    fates = (counts.kept, counts.merged, counts.trimmed, counts.duplicate) if example else (0, 0, 0, 0)
    windows = item.windows if example else []
    contents = normalised_contents(example.messages) if example else []
    return (
        [each.line for each, _ in windows],
        [len(each.messages) for each, _ in windows],
        [counted.total for _, counted in windows],
        [counted.trained for _, counted in windows],
        item.human_tokens if example else [],
        encode_json([_decision(made) for made in repaired.decisions]),
        item.payload,
        counts.turns_in,
        *fates,
        tokens.total if tokens else None,
        tokens.tools if tokens else None,
        cut.replies if cut else replies(example) if example else None,
        *((cut.window.tokens, cut.window.replies, cut.last.tokens, cut.last.replies) if cut else (None,) * 4),
        system_key(example.messages) if example else None,
        dedup_key(example.messages, contents) if example else None,
        compared_text(example.messages, contents, side=side) if example else None,
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
