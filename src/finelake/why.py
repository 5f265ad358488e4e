"""The story of one conversation, from the ledger: what came in, what each step did, what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Settings
from finelake.decide import OUTCOME_STEP
from finelake.errors import InputError
from finelake.rules.catalogue import all_rules
from finelake.tables import names
from finelake.tables.names import table_ref
from finelake.tables.reading import read_table


@dataclass(frozen=True, slots=True)
class Chapter:
    """One decision about a conversation, with the rule's meaning."""

    step: str
    action: str
    reason: str
    meaning: str
    turns: tuple[int, ...]
    value: str | None
    threshold: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """All decisions about a conversation and its outcome (keep, quarantine or merge); no text of it."""

    conversation_id: str
    run_id: str
    rows_in: int
    outcome: str
    reason: str
    kept_id: str | None
    split: str | None
    tokens: int | None
    examples: int
    chapters: tuple[Chapter, ...]
    where: str


@dataclass(frozen=True, slots=True)
class LooseRows:
    """Raw rows that belong to no conversation and were set aside for one reason; no text of them."""

    reason: str
    meaning: str
    rows: int
    where: str


def tell_loose(spark: SparkSession, settings: Settings) -> list[LooseRows]:
    """Count the raw rows without a conversation by reason; the rows themselves stand in the quarantine."""
    ledger = read_table(spark, table_ref(settings.tables, names.LEDGER))
    loose = ledger.where((F.col("step") == OUTCOME_STEP) & F.col("conversation_id").isNull())
    counts = loose.groupBy("reason").agg(F.sum("rows").alias("rows")).orderBy("reason").collect()
    rules, where = all_rules(), str(table_ref(settings.tables, names.QUARANTINE))
    return [LooseRows(row["reason"], rules[row["reason"]].summary, row["rows"], where) for row in counts]


def tell(spark: SparkSession, settings: Settings, conversation_id: str) -> Story:
    """Read a conversation's decisions in order. Raises InputError when the ledger does not know it."""
    ledger = table_ref(settings.tables, names.LEDGER)
    rows = (
        read_table(spark, ledger)
        .where(F.col("conversation_id") == conversation_id)
        .orderBy("position")
        .limit(1_000)
        .collect()
    )
    if not rows:
        raise InputError(
            f"Table {ledger} has no conversation {conversation_id!r}. Check the id, or that it was in the source table "
            f"when `finelake curate` last ran."
        )
    outcome = next(row for row in rows if row["step"] == OUTCOME_STEP)
    kept = (
        read_table(spark, table_ref(settings.tables, names.EXAMPLES))
        .where(F.col("conversation_id") == conversation_id)
        .agg(F.first("split").alias("split"), F.sum("tokens").alias("tokens"), F.count(F.lit(1)).alias("examples"))
        .first()
    )
    table = names.EXAMPLES if outcome["action"] == "keep" else names.QUARANTINE
    rules = all_rules()
    chapters = tuple(
        Chapter(
            step=row["step"],
            action=row["action"],
            reason=row["reason"],
            meaning=rules[row["reason"]].summary if row["reason"] in rules else "A check of your own schema failed.",
            turns=tuple(row["turns"] or ()),
            value=row["value"],
            threshold=row["threshold"],
        )
        for row in rows
    )
    return Story(
        conversation_id=conversation_id,
        run_id=outcome["run_id"],
        rows_in=outcome["rows"],
        outcome=outcome["action"],
        reason=outcome["reason"],
        kept_id=outcome["kept_id"],
        split=kept["split"] if kept else None,
        tokens=kept["tokens"] if kept else None,
        examples=kept["examples"] if kept else 0,
        chapters=chapters,
        where=str(table_ref(settings.tables, table if outcome["action"] != "merge" else names.ANNOTATED)),
    )
