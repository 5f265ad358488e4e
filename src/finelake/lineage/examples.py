"""How the examples of two curations differ, counted on Spark over the tables that their manifests name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.errors import InputError
from finelake.tables import names
from finelake.tables.contracts import checked
from finelake.tables.names import TableRef
from finelake.tables.reading import condition_of, read_table

_KEY = ["conversation_id", "window"]


@dataclass(frozen=True, slots=True)
class ExamplesChanged:
    """Examples of one kind: `kind` is same, changed (another line), added or removed; splits before and after.

    One that is in both with another split was moved, whatever its line.
    """

    kind: str
    before: str | None
    after: str | None
    examples: int

    @property
    def moved(self) -> bool:
        return self.before is not None and self.after is not None and self.before != self.after


def compare_examples(
    spark: SparkSession, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[ExamplesChanged] | str:
    """Count examples by what became of them; a sentence instead where a version can no longer be read."""
    try:
        rows = examples_changed(_examples(spark, before), _examples(spark, after)).collect()
    except (InputError, PySparkException) as error:
        why = str(error) if isinstance(error, InputError) else f"a version is gone ({condition_of(error)})"
        return f"The examples cannot be compared: {why}"
    return [ExamplesChanged(row["kind"], row["before"], row["after"], row["examples"]) for row in rows]


def examples_changed(before: DataFrame, after: DataFrame) -> DataFrame:
    """Count examples by kind and splits: columns kind, before, after (strings, nullable), examples (long).

    Needs columns conversation_id, window, split, line, of which the first two are a key.
    """
    old, new = (
        frame.select(*_KEY, F.col("split").alias(name), F.xxhash64("line").alias(f"{name}_line"))
        for frame, name in ((before, "before"), (after, "after"))
    )
    kind = (
        F.when(F.col("before").isNull(), F.lit("added"))
        .when(F.col("after").isNull(), F.lit("removed"))
        .when(F.col("before_line") != F.col("after_line"), F.lit("changed"))
        .otherwise(F.lit("same"))
    )
    joined = old.join(new, on=_KEY, how="full_outer").withColumn("kind", kind)
    counted = joined.groupBy("kind", "before", "after").agg(F.count(F.lit(1)).alias("examples"))
    return counted.orderBy("kind", "before", "after")


def _examples(spark: SparkSession, manifest: Mapping[str, Any]) -> DataFrame:
    written = manifest["tables"][names.EXAMPLES]
    return checked(read_table(spark, TableRef(written["table"]), version=written["version"]), names.EXAMPLES)
