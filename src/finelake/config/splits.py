"""Splits, and the evaluation data that training must not contain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from finelake.config.section import Fraction, OffIsAWord, PositiveInt, Section


class SplitCut(Section):
    """A cut in time: groups that were first heard of from `test_from` on are the test split, earlier ones not.

    Those from `validation_from` on are the validation split; without it the share `splits.validation` of the earlier
    groups is. A time without a zone is UTC.
    """

    test_from: datetime
    validation_from: datetime | None = None

    @field_validator("test_from", "validation_from")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value

    @model_validator(mode="after")
    def _spans_are_in_order(self) -> SplitCut:
        if self.validation_from is not None and self.validation_from >= self.test_from:
            raise ValueError("splits.cut.validation_from must be before splits.cut.test_from")
        return self


class Splits(Section):
    """Shares of the three splits and the salt of the hash that assigns groups to them.

    With `stratify` the shares are those of each language or topic, exactly. With `cut` time decides instead of the
    hash. A group's split is pinned by the first run that publishes it; any change of these settings starts anew.
    """

    salt: str = "finelake"
    validation: Fraction = 0.1
    test: Fraction = 0.1
    stratify: tuple[Literal["language", "topic"], ...] = ()
    cut: SplitCut | None = None

    @model_validator(mode="after")
    def _something_is_left_to_train(self) -> Splits:
        if self.validation + self.test >= 1.0:
            raise ValueError("splits.validation + splits.test must be below 1.0")
        if self.cut is not None and self.stratify:
            raise ValueError("splits.cut and splits.stratify exclude each other: time decides, not shares")
        return self


class EvaluationTable(Section):
    """Held-out questions that must not be trained on: a Delta table, or a JSONL file.

    `prompt` and `answer` name columns of text; `messages` names a column in chat form instead (a file that finelake
    published has it), whose user messages are prompts and whose assistant messages are answers. `id` names the column
    that rows are told apart by; without it a hash of the row's text does.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    table: str | None = None
    file: str | None = None
    version: Annotated[int, Field(ge=0)] | None = None
    id: str | None = None
    prompt: str | None = None
    answer: str | None = None
    messages: str | None = None

    @model_validator(mode="after")
    def _one_source_and_something_to_compare(self) -> EvaluationTable:
        if (self.table is None) == (self.file is None):
            raise ValueError("give either table: or file:")
        if self.file is not None and self.version is not None:
            raise ValueError("version: belongs to table:, a file has none")
        if self.messages is None and self.prompt is None and self.answer is None:
            raise ValueError("name the column of prompt:, answer: or messages:")
        if self.name in ("validation", "test"):
            raise ValueError("the names validation and test belong to the project's own splits")
        return self


class Decontamination(Section):
    """What becomes of training examples that share text with evaluation data.

    `policy` is for the evaluation `tables`, `own_splits` for the project's validation and test splits. Text is shared
    where `ngram` words in a row are the same: 13, and n-grams in more than `max_documents` conversations or rows of an
    evaluation table are common phrases that do not count: 10 (GPT-3, arXiv 2005.14165, appendix C; NeMo Curator's
    `max_ngram_size` and `max_matches`). A shorter message counts when all of it is the same and it has `min_words`
    (own choice: greetings are shorter).
    """

    tables: tuple[EvaluationTable, ...] = ()
    policy: Literal["reject", "report"] = "reject"
    own_splits: Annotated[Literal["reject", "report", "off"], OffIsAWord] = "report"
    ngram: Annotated[int, Field(ge=3, le=100)] = 13
    min_words: Annotated[int, Field(ge=1, le=100)] = 5
    max_documents: PositiveInt = 10

    @model_validator(mode="after")
    def _names_differ(self) -> Decontamination:
        names = [table.name for table in self.tables]
        if len(set(names)) < len(names):
            raise ValueError("decontamination.tables: two tables have the same name")
        return self
