"""Splits: a group is in one split, the same on every run, however the data grows.

The group is the user and everything that hangs together with it by verified near duplicates. Without anything else its
salted hash decides. What was published is pinned; a share can be made exact in each stratum; time can decide instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finelake.config.settings import Splits
from finelake.relate.graph_spark import Save
from finelake.rules.registry import Rule, register
from finelake.splitting.groups import salted, unit_interval, with_groups
from finelake.splitting.links import crossing
from finelake.splitting.ranks import TRAIN, VALIDATION, name_of, rank_by_share, rank_of, span_of
from finelake.splitting.shares import shared_out, stratum_of

SPLITS = ("train", "validation", "test")

ASSIGNED = {
    split: register(
        Rule(
            code=f"assigned_{split}",
            step="split",
            action="keep",
            summary=f"The group's pin, salted hash or time puts the example into the {split} split.",
            policy_key="splits",
        )
    )
    for split in SPLITS
}
SPLIT_CONFLICT = register(
    Rule(
        code="split_conflict",
        step="split",
        action="quarantine",
        summary="The example is linked (same user or text, near duplicate) to a more protected split; value says how.",
        policy_key="splits",
    )
)
OUTSIDE_CUT = register(
    Rule(
        code="outside_cut",
        step="split",
        action="quarantine",
        summary="The conversation ended in another span of time than the one that its group's split is made of.",
        policy_key="splits",
    )
)
CUT_TIME_UNKNOWN = register(
    Rule(
        code="cut_time_unknown",
        step="split",
        action="quarantine",
        summary="Splits are cut by time, and nothing says when the conversation ended.",
        policy_key="splits",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What assigning splits goes by beside the conversations themselves; each frame None where there is none.

    groups: single_group and joined_group (see near.near_groups) · pairs: first_id and second_id, verified near
    duplicates · pins: the assignments of earlier runs · removed: conversation_id of what earlier steps set aside.
    """

    groups: DataFrame | None = None
    pairs: DataFrame | None = None
    pins: DataFrame | None = None
    removed: DataFrame | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """Annotated conversations with group_key, split_hash, split and sort_key; and removals (see decide.decided)."""

    rows: DataFrame
    removals: Sequence[DataFrame]


def assign_splits(
    annotated: DataFrame, *, config: Splits, known: Known, copies: bool = False, save: Save | None = None
) -> Placed:
    """Put annotated conversations into splits.

    Needs columns conversation_id, user_id, dedup_key, last_at, reasons and those that `config.stratify` names; those of
    conversations that were set aside get no split. `split_hash` is the double in [0, 1) that shares are counted by.
    `copies` says that several conversations may have the same text. `save` writes a frame and reads it back: what
    several plans use is worked out once, and Spark knows its size.
    """
    sort_key = salted(config.salt, F.col("conversation_id"))
    if known.pins is None and not config.stratify and config.cut is None and not copies:
        rows = _hashed(with_groups(annotated, known.groups), config).drop("single_group")
        split = name_of(rank_by_share(F.col("split_hash"), config=config))
        return Placed(rows.withColumns({"split": split, "sort_key": sort_key}), [])
    members = _ranked(_members(annotated, config, known), config, known)
    problems = _problems(members, config, known, copies=copies)
    placed = members.select("conversation_id", _undivided_group(), "split_hash", name_of(F.col("rank")).alias("split"))
    if save is not None:
        placed, problems = save(placed), save(problems)
    rows = annotated.join(placed, on="conversation_id", how="left").withColumn("sort_key", sort_key)
    return Placed(rows, [problems])


def window_sort_key() -> Column:
    """Give each window a place of its own in the file, from columns sort_key and window; the first has sort_key's."""
    scattered = F.sha2(F.concat("sort_key", F.lit("\u001f"), F.col("window").cast("string")), 256)
    return F.when(F.col("window") == 0, F.col("sort_key")).otherwise(scattered)


def _hashed(rows: DataFrame, config: Splits) -> DataFrame:
    return rows.withColumn("split_hash", unit_interval(config.salt, F.col("group_key")))


def _members(annotated: DataFrame, config: Splits, known: Known) -> DataFrame:
    """Select the candidates as narrow rows, with what their pins say (rank or null) and whether they are kept."""
    candidates = annotated.where(F.size("reasons") == 0)
    narrow = candidates.select(
        "conversation_id", "user_id", "dedup_key", "last_at", stratum_of(candidates, config=config).alias("stratum")
    )
    members = _hashed(with_groups(narrow, known.groups), config)
    if known.removed is None:
        members = members.withColumn("kept", F.lit(True))
    else:
        gone = known.removed.select("conversation_id").distinct().withColumn("gone", F.lit(True))
        members = members.join(gone, on="conversation_id", how="left").withColumn("kept", F.col("gone").isNull())
    for name, key in (("own", "conversation_id"), ("of_text", "dedup_key"), ("of_group", "single_group")):
        if known.pins is None:
            members = members.withColumn(name, F.lit(None).cast("int"))
        else:
            pinned = known.pins.groupBy(key).agg(F.max(rank_of(F.col("split"))).alias(name))
            members = members.join(pinned, on=key, how="left")
    # Text held in one split and a user held in another: the conversation can be in neither. What has a pin of its own
    # gives way to a more protected split alone.
    torn = F.when(F.col("own").isNull(), F.col("of_text") != F.col("of_group")).otherwise(
        F.col("own") < F.greatest("of_text", "of_group")
    )
    return members.withColumns(
        {
            "torn": F.coalesce(torn, F.lit(False)),
            "pinned": F.when(~F.coalesce(torn, F.lit(False)), F.coalesce("own", "of_text", "of_group")),
        }
    )


def _ranked(members: DataFrame, config: Splits, known: Known) -> DataFrame:
    """Add rank and mixed: the conversation's own pin, else the most protected one of its group, else a new choice."""
    groups = members.groupBy("group_key").agg(
        F.max("pinned").alias("group_rank"),
        (F.max("pinned") != F.min("pinned")).alias("mixed"),
        F.min("last_at").alias("group_at"),
    )
    grouped = members.join(groups, on="group_key", how="left").withColumn("mixed", F.coalesce("mixed", F.lit(False)))
    if config.stratify:
        new = grouped.where(F.col("group_rank").isNull() & F.col("kept"))
        grouped = grouped.join(shared_out(new, pins=known.pins, config=config), on="group_key", how="left")
        grouped = grouped.withColumn("split_hash", F.coalesce("point", "split_hash")).drop("point")
    if config.cut is None:
        chosen = rank_by_share(F.col("split_hash"), config=config)
    else:
        span = span_of(F.col("group_at"), cut=config.cut)
        drawn = F.when(F.col("split_hash") < config.validation, F.lit(VALIDATION)).otherwise(F.lit(TRAIN))
        chosen = span if config.cut.validation_from is not None else F.when(span == TRAIN, drawn).otherwise(span)
    return grouped.withColumn("rank", F.coalesce("pinned", "group_rank", chosen))


def _undivided_group() -> Column:
    """Name each split's part of a component by itself where the component was cut in two."""
    part = F.concat("group_key", F.lit("@"), name_of(F.col("rank")))
    return F.when(F.col("mixed"), part).otherwise(F.col("group_key")).alias("group_key")


def _problems(members: DataFrame, config: Splits, known: Known, *, copies: bool) -> DataFrame:
    """Give the removals: unknown or wrong time first, then links to a more protected split."""
    text = F.lit(None).cast("string")
    at_odds = F.concat_ws(
        ", ",
        *(
            F.concat(F.lit(f"{what} "), name_of(F.col(name)))
            for what, name in (("example", "own"), ("text", "of_text"), ("user", "of_group"))
        ),
    )
    own = F.when(F.col("torn"), _removal(SPLIT_CONFLICT, value=at_odds))
    if config.cut is not None:
        span = span_of(F.col("last_at"), cut=config.cut)
        rank = F.col("rank")
        if config.cut.validation_from is None:
            rank = F.when(rank == VALIDATION, F.lit(TRAIN)).otherwise(rank)
        ended, limit = F.col("last_at").cast("string"), F.lit(config.cut.model_dump_json())
        own = (
            F.when(span.isNull(), _removal(CUT_TIME_UNKNOWN, value=text))
            .when(span != rank, _removal(OUTSIDE_CUT, value=ended, threshold=limit))
            .otherwise(own)
        )
    # What earlier steps set aside comes into no split, so it needs no reason to be kept out of one.
    judged = members.where("kept").withColumn("problem", own)
    alone = judged.where(F.col("problem").isNotNull()).select("conversation_id", "problem.*")
    left = judged.where(F.col("problem").isNull() & (F.col("mixed") | F.lit(copies)))
    links = crossing(left, pairs=known.pairs).select(
        "conversation_id",
        _removal(SPLIT_CONFLICT, value=F.concat("link", F.lit(" "), "other_id"), kept_id=F.col("other_id")).alias("it"),
    )
    return alone.unionByName(links.select("conversation_id", "it.*"))


def _removal(rule: Rule, *, value: Column, threshold: Column | None = None, kept_id: Column | None = None) -> Column:
    nothing = F.lit(None).cast("string")
    return F.struct(
        F.lit(rule.step).alias("step"),
        F.lit(rule.action).alias("action"),
        F.lit(rule.code).alias("reason"),
        (nothing if kept_id is None else kept_id).alias("kept_id"),
        value.alias("value"),
        (nothing if threshold is None else threshold).alias("threshold"),
    )
