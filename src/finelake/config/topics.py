"""Vectors of conversations, and the topics that clustering finds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from finelake.config.section import PositiveInt, Section


class Embeddings(Section):
    """One vector a conversation: a column of numbers that the user has, or a sentence-embedding model.

    `column` (array of numbers) stands in `table` (the source table where none is named) beside a column `key` with the
    conversation's id; of several rows of a conversation the one with the smallest vector counts. `model` is a name or
    folder for sentence-transformers, or `module:function` that gives an object with its method `encode`; it reads the
    first `characters` of the compared text.
    """

    column: str | None = None
    table: str | None = None
    key: str | None = None
    model: str | None = None
    characters: Annotated[int, Field(ge=100, le=20_000)] = 2000

    @model_validator(mode="after")
    def _one_origin(self) -> Embeddings:
        if self.column is not None and self.model is not None:
            raise ValueError("give column or model, not both")
        if self.column is None and (self.table is not None or self.key is not None):
            raise ValueError("table and key say where column is: give column")
        return self

    @property
    def given(self) -> bool:
        """Whether there are vectors at all."""
        return self.column is not None or self.model is not None


class Topics(Section):
    """What conversations are about: topics found by clustering, for the report, for splits and for mixing.

    The model is fitted once, on `sample` conversations, and used by later runs as long as this section stays; counting
    `generation` up fits another one. A term that fewer than `min_users` users of the sample use is neither counted nor
    shown. Only the first `characters` of a conversation's compared text are read. `embedding` clusters the vectors of
    the section `embeddings` instead of terms.
    """

    enabled: bool = False
    features: Literal["terms", "embedding"] = "terms"
    count: Annotated[int, Field(ge=1, le=1000)] = 32
    sample: Annotated[int, Field(ge=100, le=50_000)] = 10_000
    terms: Annotated[int, Field(ge=10, le=20_000)] = 4096
    dimensions: Annotated[int, Field(ge=1, le=256)] = 64
    min_users: Annotated[int, Field(ge=2)] = 10
    characters: Annotated[int, Field(ge=100, le=20_000)] = 4000
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 7
    generation: PositiveInt = 1
