"""Splits as numbers, in the order in which they are protected: a test example is worth more than a training one."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from finelake.config.settings import SplitCut, Splits

TRAIN, VALIDATION, TEST = 0, 1, 2


def rank_of(split: Column) -> Column:
    """Turn a split's name into its rank (int)."""
    return (
        F.when(split == "train", F.lit(TRAIN))
        .when(split == "validation", F.lit(VALIDATION))
        .when(split == "test", F.lit(TEST))
    )


def name_of(rank: Column) -> Column:
    """Turn a rank into the split's name."""
    return (
        F.when(rank == TRAIN, F.lit("train"))
        .when(rank == VALIDATION, F.lit("validation"))
        .when(rank == TEST, F.lit("test"))
    )


def rank_by_share(value: Column, *, config: Splits) -> Column:
    """Turn a number in [0, 1) into a rank: the first `test` of the interval is the test split, then validation."""
    return (
        F.when(value < config.test, F.lit(TEST))
        .when(value < config.test + config.validation, F.lit(VALIDATION))
        .when(value.isNotNull(), F.lit(TRAIN))
    )


def span_of(at: Column, *, cut: SplitCut) -> Column:
    """Turn a time into the rank of the span it lies in; train where validation is not cut by time."""
    later = F.when(at >= F.lit(cut.test_from), F.lit(TEST))
    if cut.validation_from is not None:
        later = later.when(at >= F.lit(cut.validation_from), F.lit(VALIDATION))
    return later.when(at.isNotNull(), F.lit(TRAIN))
