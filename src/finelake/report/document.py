"""The report as a document: frozen values that `report.json` holds and the page is rendered from.

Field names are the keys of the JSON. `SCHEMA` is raised when a key changes its meaning or goes; new keys may come
under the same number. Sections that a curation did not do are null. Everything is bounded: lists by the number of
rules, splits or bins, or by `TOP_VALUES`; ids by `EXAMPLE_IDS` a rule. No text of a conversation is in it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pydantic import TypeAdapter, ValidationError

from finelake.errors import BalanceError, InputError
from finelake.report.sections import (
    AuditCheck,
    Duplicates,
    SharedText,
    SystemPrompts,
    Topics,
    Windows,
    Written,
)

SCHEMA: Literal[1] = 1
TOP_VALUES = 20
"""How many values of a column are listed; the others are counted together."""
EXAMPLE_IDS = 4
"""How many conversations are named for a rule."""

Effect: TypeAlias = Literal["quarantine", "merge", "trim", "untrain", "keep", "note", "duplicate"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fall:
    """One step of a waterfall: how many it took away, by which reason code (`others`: several) and effect."""

    reason: str
    effect: Effect
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Waterfall:
    """From a total to what is left of it. Raises BalanceError when the steps do not add up."""

    unit: str
    start: int
    falls: tuple[Fall, ...]
    end: int

    def __post_init__(self) -> None:
        left = self.start - sum(fall.count for fall in self.falls)
        if left != self.end:
            raise BalanceError(
                f"The report's waterfall of {self.unit} does not add up: {self.start} less its steps is {left}, the "
                f"tables hold {self.end}. The tables were changed after the curation: run `finelake curate` again."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleCount:
    """A reason code with what it did: conversations (or loose rows) it was given to, and raw rows it touched.

    `rows` are the turns that the rule names, for outcomes the raw rows of the conversations. `ids` are examples, chosen
    by a hash of the id.
    """

    reason: str
    step: str
    effect: Effect
    meaning: str
    units: int
    rows: int
    ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitFile:
    """A published file: examples (lines), their tokens and the trained ones, size in bytes, SHA-256 (hex)."""

    split: str
    file: str
    examples: int
    tokens: int
    trained_tokens: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Bin:
    """Examples with a whole number from `low` to `high`, both included."""

    low: int
    high: int
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """How a number is spread over the examples; `limit` is the most an example may have, null where none is known."""

    bins: tuple[Bin, ...]
    median: int
    p95: int
    largest: int
    limit: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """A value of a column (null: not known) with its examples and tokens."""

    value: str | None
    examples: int
    tokens: int
    trained_tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Mix:
    """How the examples are spread over a column: the `TOP_VALUES` commonest values; `others` holds the rest.

    `values` counts the different values. `column` is language, origin, or one that the user mapped as metadata.
    """

    column: str
    values: int
    shares: tuple[Share, ...]
    others: Share | None

    @property
    def examples(self) -> int:
        """All examples, whatever their value."""
        return sum(share.examples for share in self.shares) + (self.others.examples if self.others else 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class PrivacyCount:
    """Personal data or secrets of a kind: values found, conversations they were in, and what was done with them."""

    kind: str
    policy: str
    values: int
    conversations: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What training on the published files comes to, if they are trained on as they are.

    `billed_tokens` are those of the train split, each example counted up to the model's limit, times `epochs`, which
    are estimated by the rule of OpenAI's cookbook where the configuration leaves them to the service. `prices` lists
    every way of training the model; `amount` is null where no source gives a figure.
    """

    train_tokens: int
    epochs: int
    epochs_estimated: bool
    billed_tokens: int
    largest_job: int
    training_type: str
    prices: tuple[TrainingPrice, ...]
    hosting: tuple[HostingPrice, ...]
    retirement: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingPrice:
    """The price of a training type: a million tokens, the whole job, the source and its day (ISO)."""

    training_type: str
    million_tokens: float | None
    amount: float | None
    currency: str
    basis: str
    as_of: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HostingPrice:
    """What a deployment costs an hour, used or not."""

    sku: str
    an_hour: float
    currency: str
    basis: str
    as_of: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """The model that the examples are made for; `context` is the most tokens an example may have."""

    id: str
    encoding: str
    context: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """The raw table that was read, at its version."""

    table: str
    version: int
    rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The whole report; `manifest` is the curation's manifest as it was written.

    Raises BalanceError when histograms or mixes do not hold every published example.
    """

    schema: Literal[1]
    finelake: str
    project: str
    run_id: str
    model: Model
    source: Source
    rows: Waterfall
    conversations: Waterfall
    turns: Waterfall
    rules: tuple[RuleCount, ...]
    splits: tuple[SplitFile, ...]
    tokens: Histogram
    messages: Histogram
    mixes: tuple[Mix, ...]
    written: Written | None
    system_prompts: SystemPrompts | None
    windows: Windows | None
    topics: Topics | None
    duplicates: Duplicates | None
    privacy: tuple[PrivacyCount, ...]
    audit: tuple[AuditCheck, ...] | None
    contamination: tuple[SharedText, ...] | None
    cost: Cost
    manifest: dict[str, Any]

    def __post_init__(self) -> None:
        published = sum(split.examples for split in self.splits)
        counted = {
            "tokens": sum(each.count for each in self.tokens.bins),
            "messages": sum(each.count for each in self.messages.bins),
            **{mix.column: mix.examples for mix in self.mixes},
        }
        wrong = ", ".join(f"{name} ({count})" for name, count in counted.items() if count != published)
        if wrong:
            raise BalanceError(
                f"The report does not add up: {published} examples are published, but other numbers of them are "
                f"counted by {wrong}. The examples were changed after the curation: run `finelake curate` again."
            )


def to_json(report: Report) -> str:
    """Write the document as JSON, keys in a fixed order."""
    plain = _adapter().dump_python(report, mode="json")
    return json.dumps(plain, ensure_ascii=False, indent=1) + "\n"


def from_json(text: str) -> Report:
    """Read a document; raises InputError when it is not one, and BalanceError when it does not add up."""
    try:
        return _adapter().validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise InputError(
            f"This is not a report of schema {SCHEMA}: {place}: {first['msg']}. Write it again with `finelake report`."
        ) from None


def json_schema() -> dict[str, Any]:
    """Describe the JSON as JSON Schema; docs/report.schema.json is this."""
    return _adapter().json_schema()


def _adapter() -> TypeAdapter[Report]:
    return TypeAdapter(Report)
