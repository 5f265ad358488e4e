"""What `finelake evaluate` asks, measures, spends and decides by."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from finelake.config.section import Fraction, PositiveInt, Section


class Gate(Section):
    """When a tuned model is promoted: the interval of its mean gain over the base model must lie above `min_gain`.

    `min_gain` is in the metric's own unit (chrF: 0 to 100, token F1: 0 to 1). Fewer than `min_examples` answers
    or `min_groups` independent groups (users, conversations) never decide. A significant fall of a metric in
    `guards`, on the test split, keeps a gain from being promoted; `correction` is for their being several.
    A suite's guard that has fallen, or a guard here, gives the verdict `on_regression`. `judge_preference` can be the
    metric where a judge is configured.
    """

    metric: str = "chrf"
    min_gain: float = 0.0
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    min_examples: PositiveInt = 30
    min_groups: Annotated[int, Field(ge=2)] = 10
    guards: tuple[str, ...] = ("tool_call_match",)
    correction: Literal["holm", "none"] = "holm"
    on_regression: Literal["hold", "reject"] = "hold"


class SuiteFields(Section):
    """Names of a suite's fields.

    A row needs `messages` (chat form; a last assistant message is the reference) or `prompt`, the text of one question.
    `json_schema` holds the schema that the answer must meet, `group` what belongs together (a user, a document).
    A field that is named here must be in the data; one left at its default may be missing.
    """

    id: str = "id"
    messages: str = "messages"
    prompt: str = "prompt"
    reference: str = "reference"
    tools: str = "tools"
    json_schema: str = "schema"
    group: str = "group"


class Suite(Section):
    """Prompts to answer beside the test split, from a Delta table or a JSONL file.

    `kind` is `refusals` where every prompt should be refused. Empty `metrics` are all that apply. With `guard` the
    tuned model must not be worse than the base model by more than `margin` of the metric's range (0.05: chrF 5
    points, shares 0.05) on any of `metrics`, by default the gate's metric, for refusals whether refused.
    `system_prompt: training` puts the system prompt of the training data before prompts that bring none.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    table: str | None = None
    version: Annotated[int, Field(ge=0)] | None = None
    jsonl: str | None = None
    mapping: SuiteFields = SuiteFields()
    kind: Literal["answers", "refusals"] = "answers"
    metrics: tuple[str, ...] = ()
    guard: bool = False
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.05
    min_examples: PositiveInt = 20
    min_groups: Annotated[int, Field(ge=2)] = 10
    max_examples: PositiveInt = 200
    system_prompt: Literal["training", "own"] = "training"

    @model_validator(mode="after")
    def _one_source(self) -> Suite:
        if (self.table is None) == (self.jsonl is None):
            raise ValueError("give table or jsonl, one of them")
        if self.name == "test":
            raise ValueError("the name test stands for the test split: take another")
        return self


class TokenPrices(Section):
    """What a million tokens cost, in the budget's currency."""

    prompt: Annotated[float, Field(ge=0)]
    completion: Annotated[float, Field(ge=0)]


class Budget(Section):
    """The most that the answers of one evaluation run may cost; answers of earlier starts count in.

    A question goes out only while its prompt and its longest answer fit in. `max_cost` needs the prices of `base`,
    `tuned` and, where there is one, `judge`. None means without limit.
    """

    max_tokens: PositiveInt | None = None
    max_cost: Annotated[float, Field(gt=0)] | None = None
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "USD"
    prices: dict[Literal["base", "tuned", "judge"], TokenPrices] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _prices_are_known(self) -> Budget:
        if self.max_cost is not None and not {"base", "tuned"} <= self.prices.keys():
            raise ValueError("max_cost needs prices.base and prices.tuned, each with prompt and completion")
        return self


class Judge(Section):
    """A model that compares both answers, each pair in both orders; `deployment` is its deployment or model name.

    `rubric` says what makes an answer better. `suites` are those it compares; `test` is the test split. More pairs
    than `max_inconsistent` whose verdict turned with the order make its preference worth nothing.
    """

    deployment: Annotated[str, StringConstraints(min_length=1)]
    rubric: Annotated[str, StringConstraints(min_length=1)] = (
        "The better answer helps the user with what was asked, is correct where the reference allows to tell, does "
        "what the system prompt says, and adds nothing that is not needed. Length and style alone do not count."
    )
    suites: tuple[str, ...] = ("test",)
    max_examples: PositiveInt = 100
    max_tokens: PositiveInt = 300
    max_inconsistent: Fraction = 0.5


class Overlap(Section):
    """What happens to items that are in the training file: `leave_out`, `report` (they count) or `ignore`.

    An item is in it when a training conversation begins with the same messages, up to case, punctuation and white
    space, or when one training line holds `share` of the item's n-grams of `words` words (last question and
    reference). 13 words: Brown and others 2020; 70 %: Chowdhery and others 2022.
    """

    policy: Literal["leave_out", "report", "ignore"] = "leave_out"
    words: Annotated[int, Field(ge=3, le=50)] = 13
    share: Annotated[float, Field(gt=0, le=1)] = 0.7


class Page(Section):
    """The page `evaluation.html` and the card `model_card.md`; `answers` pairs are shown, 0 keeps all text out.

    Worst and best first, by the gate's metric; texts are cut after `characters`.
    """

    answers: Annotated[int, Field(ge=0, le=500)] = 20
    characters: Annotated[int, Field(ge=100, le=20_000)] = 1500


class Evaluation(Section):
    """Answering the test split with both models and comparing them.

    Each of up to `max_examples` examples is asked for its last reply and, where it calls tools, its last call.
    `record_every` answers are written to Delta at a time, so that many at most are asked again after a kill.
    `patience_seconds` bounds the waiting for one answer while the service says 429. More failed answers than
    `max_failed_share` of a model's end the evaluation. Models that reason want `max_completion_tokens` as
    `length_parameter` and no temperature (null). `metrics` are the user's own, as `module:attribute` or by the name
    of an entry point of the group `finelake.metrics`.
    """

    max_examples: PositiveInt = 200
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    max_tokens: PositiveInt = 512
    length_parameter: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.0
    seed: int = 7
    record_every: PositiveInt = 50
    request_timeout_seconds: Annotated[float, Field(gt=0)] = 120.0
    patience_seconds: Annotated[float, Field(gt=0)] = 600.0
    max_failed_share: Fraction = 0.1
    resamples: Annotated[int, Field(ge=100)] = 2000
    smoke_prompts: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    suites: tuple[Suite, ...] = ()
    judge: Judge | None = None
    budget: Budget = Budget()
    overlap: Overlap = Overlap()
    gate: Gate = Gate()
    page: Page = Page()

    @model_validator(mode="after")
    def _suites_are_told_apart(self) -> Evaluation:
        names = [suite.name for suite in self.suites]
        if len(set(names)) < len(names):
            raise ValueError("two suites have the same name")
        if self.judge is not None:
            if unknown := set(self.judge.suites) - {"test", *names}:
                raise ValueError(f"judge.suites names {sorted(unknown)}, which are no suites")
            if self.budget.max_cost is not None and "judge" not in self.budget.prices:
                raise ValueError("budget.max_cost needs prices.judge when there is a judge")
        return self
