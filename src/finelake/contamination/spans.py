"""From matching n-grams to spans: what a training example shares with which row of the evaluation data."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from finelake.config.settings import Decontamination
from finelake.rules.registry import Rule, register

CONTAMINATED = register(
    Rule(
        code="contaminated",
        step="decontaminate",
        action="quarantine",
        summary="A training example shares a run of words with a row of an evaluation table; value says where.",
        policy_key="decontamination",
    )
)
CONTAMINATED_SPLIT = register(
    Rule(
        code="contaminated_split",
        step="decontaminate",
        action="quarantine",
        summary="A training example shares a run of words with the project's validation or test split.",
        policy_key="decontamination",
    )
)

OWN_SPLITS = ("validation", "test")
_PLACE = ("conversation_id", "window", "message", "role", "source", "row_id", "side")


def spans(training: DataFrame, evaluation: DataFrame, *, config: Decontamination) -> DataFrame:
    """Join training places with evaluation n-grams (see scan) and merge those that overlap into spans.

    Gives the rows of the contamination table. N-grams in more than `max_documents` training conversations, or rows of
    an evaluation source and side, are common: they make no span, but one row a source and side (without a
    conversation) counts them. Each other n-gram names the first row, by id, that holds it.
    """
    limit = config.max_documents
    documents = training.groupBy("hash").agg(F.count_distinct("conversation_id").alias("documents"))
    held = evaluation.groupBy("hash", "source", "side").agg(
        F.count(F.lit(1)).alias("rows"), F.min("row_id").alias("row_id")
    )
    hits = training.join(documents, "hash").join(held, "hash")
    rare = (F.col("documents") <= limit) & (F.col("rows") <= limit)
    common = (
        hits.where(~rare)
        .groupBy("source", "side")
        .agg(F.count_distinct("hash").cast("int").alias("ngrams"))
        .select(
            *(_nothing(name).alias(name) for name in ("conversation_id", "window", "message", "role")),
            "source",
            _nothing("row_id").alias("row_id"),
            "side",
            *(_nothing(name).alias(name) for name in ("start", "end")),
            "ngrams",
        )
    )
    found = _merged(hits.where(rare)).unionByName(common)
    return found.withColumn("n", F.lit(config.ngram))


def contaminated(table: DataFrame, *, config: Decontamination) -> DataFrame:
    """Give the removals (see decide.decided) of what the policies reject, from the contamination table."""
    own = F.col("source").isin(*OWN_SPLITS)
    rejected = (own & F.lit(config.own_splits == "reject")) | (~own & F.lit(config.policy == "reject"))
    order = F.struct(
        own.alias("own"), (-(F.col("end") - F.col("start"))).alias("shorter"), *_PLACE[1:], F.col("start"), F.col("end")
    )
    first = table.where(F.col("conversation_id").isNotNull() & rejected).groupBy("conversation_id")
    at = F.col("first")
    where = F.format_string(
        "%s %s of %s: words %d to %d of message %d",
        at["source"],
        at["side"],
        at["row_id"],
        at["start"],
        at["end"],
        at["message"],
    )
    return first.agg(F.min(order).alias("first")).select(
        "conversation_id",
        F.lit(CONTAMINATED.step).alias("step"),
        F.lit(CONTAMINATED.action).alias("action"),
        F.when(at["own"], F.lit(CONTAMINATED_SPLIT.code)).otherwise(F.lit(CONTAMINATED.code)).alias("reason"),
        F.lit(None).cast("string").alias("kept_id"),
        where.alias("value"),
        F.lit(str(config.ngram)).alias("threshold"),
    )


def _merged(hits: DataFrame) -> DataFrame:
    """Merge n-grams of one place and row that overlap; start is the first word, end the one after the last."""
    before = Window.partitionBy(*_PLACE).orderBy("start", "hash").rowsBetween(Window.unboundedPreceding, -1)
    here = Window.partitionBy(*_PLACE).orderBy("start", "hash").rowsBetween(Window.unboundedPreceding, 0)
    reached = F.max(F.col("start") + F.col("words")).over(before)
    begins = (reached.isNull() | (F.col("start") > reached)).cast("int")
    numbered = hits.withColumn("begins", begins).withColumn("number", F.sum("begins").over(here))
    return (
        numbered.groupBy(*_PLACE, "number")
        .agg(
            F.min("start").alias("start"),
            F.max(F.col("start") + F.col("words")).alias("end"),
            F.count_distinct("hash", "start").cast("int").alias("ngrams"),
        )
        .drop("number")
    )


def _nothing(name: str) -> Column:
    return F.lit(None).cast("int" if name in ("window", "message", "start", "end") else "string")
