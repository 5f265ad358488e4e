"""Decisions: from annotated conversations to the three tables that between them hold every input row.

`decided` adds what the relations between conversations remove; `examples_of`, `quarantine_of` and `ledger_of` are
views of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from finelake.relate.graph_spark import Save
from finelake.rules.catalogue import all_rules
from finelake.splits import window_sort_key
from finelake.tables.schemas.curation import Annotated, Examples
from finelake.tables.schemas.structs import DQX_RESULT, MESSAGE

KEPT, QUARANTINED, MERGED = "keep", "quarantine", "merge"
OUTCOME_STEP = "outcome"

_REMOVAL_COLUMNS = ("step", "action", "reason", "kept_id", "value", "threshold")
_REMOVALS = f"array<struct<{', '.join(f'{name}: string' for name in _REMOVAL_COLUMNS)}>>"
_LINE = T.StructType([T.StructField("messages", T.ArrayType(MESSAGE)), T.StructField("tools", T.StringType())])


def candidates_of(annotated: DataFrame) -> DataFrame:
    """Select the conversations that the Python pass has not set aside."""
    return annotated.where(F.size("reasons") == 0)


def removed_ids(removals: Sequence[DataFrame]) -> DataFrame | None:
    """List the conversations (column conversation_id) that removals name; None without any frame of them."""
    ids = [frame.select("conversation_id") for frame in removals]
    return reduce(DataFrame.unionByName, ids) if ids else None


def without(rows: DataFrame, removals: Sequence[DataFrame]) -> DataFrame:
    """Leave out the conversations that removals name."""
    ids = removed_ids(removals)
    return rows if ids is None else rows.join(ids, on="conversation_id", how="left_anti")


def decided(placed: DataFrame, *, removals: Sequence[DataFrame], save: Save) -> DataFrame:
    """Add outcome (keep, quarantine, merge), reason, kept_id and removals to annotated conversations with splits.

    Each frame of `removals` holds what one step sets aside: conversation_id, step, action (quarantine or merge),
    reason, kept_id, value and threshold, all strings, at most one row a conversation. The first one that names a
    conversation decides its outcome; the ledger lists them all. `save` writes a frame and reads it back: three tables
    are made of these rows, the relations behind the removals run once, and Spark knows how few they are.
    """
    rows = placed.join(save(_by_conversation(removals)), on="conversation_id", how="left") if removals else None
    related = rows if rows is not None else placed.withColumn("removals", F.lit(None).cast(_REMOVALS))
    first = F.element_at("removals", 1)
    rejected, removed = F.size("reasons") > 0, F.col("removals").isNotNull()
    outcome = F.when(rejected, F.lit(QUARANTINED)).when(removed, first["action"]).otherwise(F.lit(KEPT))
    reason = (
        F.when(rejected, F.element_at("reasons", 1))
        .when(removed, first["reason"])
        .otherwise(F.concat(F.lit("assigned_"), "split"))
    )
    kept_id = F.when(~rejected & removed, first["kept_id"])
    return related.withColumns({"outcome": outcome, "reason": reason, "kept_id": kept_id})


def examples_of(rows: DataFrame, *, run_id: str) -> DataFrame:
    """Select the kept conversations as the examples table, one row a window."""
    kept = rows.where(F.col("outcome") == KEPT)
    each = kept.select(
        *(name for name in kept.columns if name != "windows"),
        F.size("windows").alias("windows"),
        F.posexplode("windows").alias("window", "of"),
    )
    line = each.select("*", "of.*").withColumns(
        {"parsed": F.from_json("line", _LINE), "run_id": F.lit(run_id), "sort_key": window_sort_key()}
    )
    return line.select("*", "parsed.*").select(*_columns(Examples))


def quarantine_of(
    rows: DataFrame, loose: DataFrame, *, run_id: str, fingerprints: Mapping[str, str], rule_set: str
) -> DataFrame:
    """Select what was set aside: quarantined conversations, and loose raw rows (columns reason, payload)."""
    removed = F.filter("removals", lambda item: item["action"] == QUARANTINED)
    made = F.transform(
        F.filter("decisions", lambda item: item["action"] == QUARANTINED),
        lambda item: _entry(item, turns=item["turns"], rows=0),
    )
    failed = F.when(F.size("reasons") > 0, made)
    conversations = rows.where(F.col("outcome") == QUARANTINED).select(
        F.lit("conversation").alias("unit"),
        "conversation_id",
        "rows_in",
        F.when(F.size("reasons") > 0, F.col("reasons"))
        .otherwise(F.transform(removed, lambda item: item["reason"]))
        .alias("reasons"),
        F.coalesce(failed, F.transform(removed, lambda item: _entry(item, rows=0))).alias("failed"),
        F.coalesce("payload", F.concat(F.lit("["), F.array_join("windows.line", ","), F.lit("]"))).alias("payload"),
    )
    steps = {code: rule.step for code, rule in all_rules().items()}
    one = _outcome(F.lit(QUARANTINED), rows=F.lit(1)).withField("step", _looked_up(steps, F.col("reason")))
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
    removals = F.transform(F.coalesce("removals", F.array().cast(_REMOVALS)), lambda item: _entry(item, rows=0))
    made = F.transform("decisions", lambda item: _entry(item, turns=item["turns"], rows=F.size(item["turns"])))
    hashed = F.when(F.col("outcome") == KEPT, F.format_string("%.6f", "split_hash"))
    whole = _outcome(F.col("outcome"), rows=F.col("rows_in"), value=hashed, kept_id=F.col("kept_id"))
    entries = rows.select("conversation_id", F.posexplode(F.concat(made, removals, F.array(whole))))
    singles = loose.select(
        "conversation_id", F.lit(0).alias("pos"), _outcome(F.lit(QUARANTINED), rows=F.lit(1)).alias("col")
    )
    return entries.unionByName(singles).select(
        F.lit(run_id).alias("run_id"),
        "conversation_id",
        F.col("pos").alias("position"),
        "col.*",
        _looked_up(fingerprints, F.col("col.reason")).alias("rule_fingerprint"),
    )


def _entry(item: Column, *, rows: Column | int, turns: Column | None = None) -> Column:
    """Build a ledger row's struct of a decision (which has turns) or a removal (which has a kept id)."""
    given = turns if turns is not None else F.array()
    return F.struct(
        *(item[name].alias(name) for name in ("step", "action", "reason")),
        given.cast("array<int>").alias("turns"),
        (F.lit(rows) if isinstance(rows, int) else rows).cast("bigint").alias("rows"),
        *(item[name].alias(name) for name in ("value", "threshold")),
        (item["kept_id"] if turns is None else F.lit(None).cast("string")).alias("kept_id"),
    )


def _outcome(action: Column, *, rows: Column, value: Column | None = None, kept_id: Column | None = None) -> Column:
    nothing = F.lit(None).cast("string")
    fields = {
        "step": F.lit(OUTCOME_STEP),
        "action": action,
        "reason": F.col("reason"),
        "value": nothing if value is None else value,
        "threshold": nothing,
        "kept_id": nothing if kept_id is None else kept_id,
    }
    return _entry(F.struct(*(column.alias(name) for name, column in fields.items())), rows=rows)


def _by_conversation(removals: Sequence[DataFrame]) -> DataFrame:
    numbered = [
        frame.select("conversation_id", F.lit(n).alias("n"), *_REMOVAL_COLUMNS) for n, frame in enumerate(removals)
    ]
    together = reduce(DataFrame.unionByName, numbered)
    in_order = F.array_sort(F.collect_list(F.struct("n", *_REMOVAL_COLUMNS)))
    return together.groupBy("conversation_id").agg(
        F.transform(in_order, lambda item: F.struct(*(item[name].alias(name) for name in _REMOVAL_COLUMNS))).alias(
            "removals"
        )
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
