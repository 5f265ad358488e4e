"""Candidate pairs and their true similarity on Spark, for any number of conversations; the same as `near_driver`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finelake.batches import sliced
from finelake.relate.bands import Banding
from finelake.relate.candidates import PAIR_SCHEMA, SMALL_BUCKET, Buckets, pair_sorted
from finelake.relate.signatures import Size, keys_of, size_of_run
from finelake.relate.verify import jaccard_of_texts

VERIFIED = (
    "first string, second string, first_group string, second_group string, first_since bigint, second_since bigint, "
    "similarity double"
)
_KEYED = "key bigint, second bigint, label string"
_DESCRIBED = ("first", "second", "first_group", "second_group", "first_since", "second_since")

Batches = Iterable[pa.RecordBatch]


def candidate_pairs(signed: DataFrame, *, banding: Banding) -> DataFrame:
    """Pair signed conversations by their band keys: labels first and second, first < second, each pair once."""
    # All rows of a key stand in one partition, sorted; AQE may join such partitions but not part one.
    rows = _keyed(signed, banding).repartition("key").sortWithinPartitions("key", "label")
    return rows.mapInArrow(pair_sorted, PAIR_SCHEMA).distinct()


def size_of(signed: DataFrame) -> Size:
    """Count signed conversations and those that this run hashed."""
    row = signed.agg(F.count(F.lit(1)).alias("rows"), F.count_if("hashed").alias("hashed")).first()
    assert row is not None
    return size_of_run(row["rows"], hashed=row["hashed"])


def bucket_facts(signed: DataFrame, *, banding: Banding) -> Buckets:
    """Count the buckets of two and more, as `pair_matrix` does."""
    sizes = _keyed(signed, banding).groupBy("key").agg(F.count(F.lit(1)).alias("size")).where("size > 1")
    large = F.col("size") > SMALL_BUCKET
    row = sizes.agg(
        F.count(F.lit(1)).alias("buckets"),
        F.coalesce(F.max("size"), F.lit(0)).alias("largest"),
        F.count_if(large).alias("capped"),
        F.coalesce(F.sum(F.when(large, F.col("size"))), F.lit(0)).alias("capped_rows"),
    ).first()
    assert row is not None
    return Buckets(row["buckets"], row["largest"], row["capped"], row["capped_rows"])


def verified(pairs: DataFrame, *, documents: DataFrame) -> DataFrame:
    """Measure pairs of labels: columns `VERIFIED`."""
    for end in ("first", "second"):
        own = {"label": end, "group": f"{end}_group", "since": f"{end}_since", "compared": f"{end}_text"}
        pairs = pairs.join(documents.select(*own).withColumnsRenamed(own), end)
    return pairs.select(*_DESCRIBED, "first_text", "second_text").mapInArrow(_measure, VERIFIED)


def _keyed(signed: DataFrame, banding: Banding) -> DataFrame:
    return signed.select("label", "bands").mapInArrow(_exploder(banding.bands), _KEYED)


def _exploder(count: int) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        for batch in batches:
            keys = keys_of(batch.column("bands"), count=count)
            labels = batch.column("label").take(pa.array(np.repeat(np.arange(batch.num_rows), count)))
            columns = [pa.array(keys.ravel()), pa.array(np.roll(keys, -1, axis=1).ravel()), labels]
            yield pa.RecordBatch.from_arrays(columns, ["key", "second", "label"])

    return run


def _measure(batches: Batches) -> Batches:
    for batch in sliced(batches, "first_text", "second_text"):
        texts = [batch.column(f"{end}_text").cast(pa.string()) for end in ("first", "second")]
        columns = [*(batch.column(name) for name in _DESCRIBED), pa.array(jaccard_of_texts(*texts))]
        yield pa.RecordBatch.from_arrays(columns, [*_DESCRIBED, "similarity"])
