"""Decisions: from annotated conversations to the three tables that between them hold every input row.

`decided` adds the relation decisions and splits; `examples_of`, `quarantine_of` and `ledger_of` are views of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from finelake.config.settings import Duplicates, Splits
from finelake.relate.exact import DUPLICATE_EXACT, exact_duplicates
from finelake.rules.catalogue import all_rules
from finelake.splits import assign_splits
from finelake.tables.contracts import DQX_RESULT, MESSAGE, Annotated, Examples

KEPT, QUARANTINED, MERGED = "keep", "quarantine", "merge"
OUTCOME_STEP = "outcome"

_LINE = T.StructType([T.StructField("messages", T.ArrayType(MESSAGE)), T.StructField("tools", T.StringType())])


def decided(annotated: DataFrame, *, duplicates: Duplicates, splits: Splits) -> DataFrame:
    """Add outcome (keep, quarantine, merge), reason, kept_id and the split columns to annotated conversations."""
    candidate = F.size("reasons") == 0
    if duplicates.exact:
        merged = exact_duplicates(annotated.where(candidate))
        related = annotated.join(merged, on="conversation_id", how="left")
    else:
        related = annotated.withColumn("kept_id", F.lit(None).cast("string"))
    outcome = (
        F.when(~candidate, F.lit(QUARANTINED)).when(F.col("kept_id").isNotNull(), F.lit(MERGED)).otherwise(F.lit(KEPT))
    )
    split = assign_splits(related.withColumn("outcome", outcome), config=splits)
    reason = (
        F.when(F.col("outcome") == QUARANTINED, F.element_at("reasons", 1))
        .when(F.col("outcome") == MERGED, F.lit(DUPLICATE_EXACT.code))
        .otherwise(F.concat(F.lit("assigned_"), "split"))
    )
    return split.withColumn("reason", reason)


def examples_of(rows: DataFrame, *, run_id: str) -> DataFrame:
    """Select the kept conversations as the examples table."""
    kept = rows.where(F.col("outcome") == KEPT)
    line = kept.withColumn("parsed", F.from_json("line", _LINE)).withColumn("run_id", F.lit(run_id))
    return line.select("*", "parsed.*").select(*_columns(Examples))


def quarantine_of(
    rows: DataFrame, loose: DataFrame, *, run_id: str, fingerprints: Mapping[str, str], rule_set: str
) -> DataFrame:
    """Select what was set aside: quarantined conversations, and loose raw rows (columns reason, payload)."""
    conversations = rows.where(F.col("outcome") == QUARANTINED).select(
        F.lit("conversation").alias("unit"),
        "conversation_id",
        "rows_in",
        "reasons",
        F.filter("decisions", lambda item: item["action"] == QUARANTINED).alias("failed"),
        "payload",
    )
    one = F.struct(
        _looked_up({code: rule.step for code, rule in all_rules().items()}, F.col("reason")).alias("step"),
        F.lit(QUARANTINED).alias("action"),
        F.col("reason"),
        F.array().cast("array<int>").alias("turns"),
        F.lit(None).cast("string").alias("value"),
        F.lit(None).cast("string").alias("threshold"),
    )
    singles = loose.select(
        F.lit("row").alias("unit"),
        "conversation_id",
        F.lit(1).cast("bigint").alias("rows_in"),
        F.array("reason").alias("reasons"),
        F.array(one).alias("failed"),
        "payload",
    )
    errors = F.transform("failed", lambda item: _dqx(item, run_id, fingerprints, rule_set))
    return conversations.unionByName(singles).select(
        F.lit(run_id).alias("run_id"),
        "unit",
        "conversation_id",
        "rows_in",
        "reasons",
        errors.cast(T.ArrayType(DQX_RESULT)).alias("_errors"),
        "payload",
    )


def ledger_of(rows: DataFrame, loose: DataFrame, *, run_id: str, fingerprints: Mapping[str, str]) -> DataFrame:
    """List every decision, and one row with step `outcome` for each conversation and loose raw row."""
    made = rows.select("conversation_id", F.posexplode("decisions").alias("position", "made")).select(
        "conversation_id",
        "position",
        "made.*",
        F.size("made.turns").cast("bigint").alias("rows"),
        F.lit(None).cast("string").alias("kept_id"),
    )
    outcomes = rows.select(
        "conversation_id",
        F.size("decisions").alias("position"),
        F.lit(OUTCOME_STEP).alias("step"),
        F.col("outcome").alias("action"),
        "reason",
        F.array().cast("array<int>").alias("turns"),
        F.when(F.col("outcome") == KEPT, F.format_string("%.6f", "split_hash")).alias("value"),
        F.lit(None).cast("string").alias("threshold"),
        F.col("rows_in").alias("rows"),
        "kept_id",
    )
    singles = loose.select(
        "conversation_id",
        F.lit(0).alias("position"),
        F.lit(OUTCOME_STEP).alias("step"),
        F.lit(QUARANTINED).alias("action"),
        "reason",
        F.array().cast("array<int>").alias("turns"),
        F.lit(None).cast("string").alias("value"),
        F.lit(None).cast("string").alias("threshold"),
        F.lit(1).cast("bigint").alias("rows"),
        F.lit(None).cast("string").alias("kept_id"),
    )
    everything = made.unionByName(outcomes).unionByName(singles)
    return everything.select(
        F.lit(run_id).alias("run_id"),
        "conversation_id",
        "position",
        "step",
        "action",
        "reason",
        "turns",
        "rows",
        "value",
        "threshold",
        "kept_id",
        _looked_up(fingerprints, F.col("reason")).alias("rule_fingerprint"),
    )


def _dqx(item: Column, run_id: str, fingerprints: Mapping[str, str], rule_set: str) -> Column:
    summaries = {code: rule.summary for code, rule in all_rules().items()}
    return F.struct(
        item["reason"].alias("name"),
        F.coalesce(_looked_up(summaries, item["reason"]), F.lit("A check of the user's own schema failed.")).alias(
            "message"
        ),
        F.array(F.lit("turns")).alias("columns"),
        F.lit(None).cast("string").alias("filter"),
        item["step"].alias("function"),
        F.current_timestamp().alias("run_time"),
        F.lit(run_id).alias("run_id"),
        F.map_filter(
            F.create_map(
                F.lit("value"),
                item["value"],
                F.lit("threshold"),
                item["threshold"],
                F.lit("turns"),
                F.array_join(item["turns"].cast("array<string>"), ","),
            ),
            lambda _key, value: value.isNotNull(),
        ).alias("user_metadata"),
        _looked_up(fingerprints, item["reason"]).alias("rule_fingerprint"),
        F.lit(rule_set).alias("rule_set_fingerprint"),
        F.lit(False).alias("skipped"),
    )


def _looked_up(texts: Mapping[str, str], key: Column) -> Column:
    pairs = [F.lit(item) for pair in sorted(texts.items()) for item in pair]
    return F.try_element_at(F.create_map(*pairs), key)


def _columns(model: type[Annotated] | type[Examples]) -> list[str]:
    return list(model.to_schema().columns)
