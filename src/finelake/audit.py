"""The proof that nothing leaks between splits, taken from the written tables alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Decontamination, SplitCut, Splits
from finelake.contamination.spans import OWN_SPLITS
from finelake.errors import LeakageError
from finelake.splitting.ranks import TRAIN, VALIDATION, rank_of, span_of
from finelake.tables.local import local_frame

_KEYS = {
    "conversations_in_two_splits": "conversation_id",
    "users_in_two_splits": "user_id",
    "texts_in_two_splits": "dedup_key",
    "groups_in_two_splits": "group_key",
}
_SCHEMA = "run_id string, check string, found bigint, allowed bigint, passed boolean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The written tables that the proof is taken from; each None where there is none.

    pairs: verified near duplicates (first_id, second_id) · pins: earlier assignments · contamination: spans.
    """

    examples: DataFrame
    pairs: DataFrame | None = None
    pins: DataFrame | None = None
    contamination: DataFrame | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: how many were found, and how many are allowed (None: any number, it is only told)."""

    check: str
    found: int
    allowed: int | None

    @property
    def passed(self) -> bool:
        return self.allowed is None or self.found <= self.allowed

    def as_dict(self) -> dict[str, Any]:
        """Give the finding as the manifest lists it."""
        return {"check": self.check, "found": self.found, "allowed": self.allowed, "passed": self.passed}


def audit_splits(evidence: Evidence, *, splits: Splits, decontamination: Decontamination) -> list[Finding]:
    """Count what is in two splits, what was moved, and what text is shared. Runs one Spark job.

    The links between conversations (same user, same text, verified near duplicates) are checked one by one: where no
    link crosses splits, no chain of them does.
    """
    examples = evidence.examples
    counts = [_shared_keys(examples)]
    allowed: dict[str, int | None] = dict.fromkeys(_KEYS, 0)
    whole = examples.where(F.col("window") == 0).select("conversation_id", "split", "last_at")
    if evidence.pairs is not None:
        counts.append(_pairs_across(whole, evidence.pairs))
        allowed["near_duplicates_in_two_splits"] = 0
    if evidence.pins is not None:
        counts.append(_moved(whole, evidence.pins))
        allowed["examples_moved"] = 0
    if splits.cut is not None:
        counts.append(_outside(whole, splits.cut))
        allowed["examples_outside_cut"] = 0
    if evidence.contamination is not None:
        counts.append(_overlap(whole, evidence.contamination))
        allowed |= _allowed_overlap(decontamination)
    rows = reduce(DataFrame.unionByName, counts).collect()
    found = {row["check"]: int(row["found"]) for row in rows}
    return [Finding(check, found.get(check, 0), bound) for check, bound in allowed.items()]


def audit_frame(spark: SparkSession, findings: Sequence[Finding], *, run_id: str) -> DataFrame:
    """Give the findings as the audit table has them."""
    rows = [(run_id, each.check, each.found, each.allowed, each.passed) for each in findings]
    return local_frame(spark, rows, _SCHEMA)


def require_proof(findings: Sequence[Finding], *, table: str) -> None:
    """Raise LeakageError, naming every check that failed, where one did."""
    failed = [f"{each.check} {each.found} (allowed {each.allowed})" for each in findings if not each.passed]
    if failed:
        raise LeakageError(
            f"The splits are not proven to be apart: {'; '.join(failed)}. Nothing was published and nothing pinned; "
            f"table {table} has every check. Look at how splits and decontamination are configured, and report it "
            f"where the configuration is right."
        )


def _shared_keys(examples: DataFrame) -> DataFrame:
    """Count the keys of each kind that are in two splits: one shuffle for all kinds."""
    kinds = F.array(*(F.struct(F.lit(check).alias("check"), F.col(key).alias("key")) for check, key in _KEYS.items()))
    keys = examples.select("split", F.inline(kinds)).where(F.col("key").isNotNull())
    apart = keys.groupBy("check", "key").agg((F.min("split") != F.max("split")).alias("shared"))
    return apart.groupBy("check").agg(F.count_if("shared").alias("found"))


def _pairs_across(whole: DataFrame, pairs: DataFrame) -> DataFrame:
    first = whole.select(F.col("conversation_id").alias("first_id"), F.col("split").alias("first_split"))
    second = whole.select(F.col("conversation_id").alias("second_id"), F.col("split").alias("second_split"))
    ends = pairs.select("first_id", "second_id").join(first, "first_id").join(second, "second_id")
    return _counted("near_duplicates_in_two_splits", ends, F.col("first_split") != F.col("second_split"))


def _moved(whole: DataFrame, pins: DataFrame) -> DataFrame:
    pinned = pins.select("conversation_id", F.col("split").alias("pinned_split"))
    both = whole.join(pinned, on="conversation_id", how="inner")
    return _counted("examples_moved", both, F.col("split") != F.col("pinned_split"))


def _outside(whole: DataFrame, cut: SplitCut) -> DataFrame:
    rank = rank_of(F.col("split"))
    if cut.validation_from is None:
        rank = F.when(rank == VALIDATION, F.lit(TRAIN)).otherwise(rank)
    span = span_of(F.col("last_at"), cut=cut)
    return _counted("examples_outside_cut", whole, span.isNull() | (span != rank))


def _overlap(whole: DataFrame, contamination: DataFrame) -> DataFrame:
    """Count training examples that share text with evaluation data and are still there, by where and on which side."""
    train = whole.where(F.col("split") == "train").select("conversation_id")
    left = contamination.join(train, on="conversation_id", how="left_semi")
    common = contamination.where(F.col("conversation_id").isNull())
    return (
        left.groupBy(_check(F.col("source"), F.col("side")).alias("check"))
        .agg(F.count_distinct("conversation_id").alias("found"))
        .unionByName(
            common.groupBy(F.concat(F.lit("common_ngrams_"), _place(F.col("source"))).alias("check")).agg(
                F.sum("ngrams").alias("found")
            )
        )
    )


def _allowed_overlap(config: Decontamination) -> dict[str, int | None]:
    bounds: dict[str, int | None] = {}
    places = {"tables": config.policy} if config.tables else {}
    if config.own_splits != "off":
        places |= dict.fromkeys(OWN_SPLITS, config.own_splits)
    for place, policy in places.items():
        for side in ("prompt", "answer"):
            bounds[f"{side}_overlap_with_{place}"] = 0 if policy == "reject" else None
        bounds[f"common_ngrams_{place}"] = None
    return bounds


def _check(source: Column, side: Column) -> Column:
    return F.concat(side, F.lit("_overlap_with_"), _place(source))


def _place(source: Column) -> Column:
    return F.when(source.isin(*OWN_SPLITS), source).otherwise(F.lit("tables"))


def _counted(check: str, rows: DataFrame, leaking: Column) -> DataFrame:
    return rows.agg(F.count_if(leaking).alias("found")).select(F.lit(check).alias("check"), "found")
