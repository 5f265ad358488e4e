"""What stands for the raw rows of a conversation: a hash that changes when any mapped value of any row does.

Per row it is Spark's xxHash64 of all mapped values. The hashes of a conversation's rows are joined by a sum of their
upper 44 bits (which no half a million of them overflows) and by exclusive or, neither of which knows an order.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

_CUT_BITS = 20
_NOT_HASHED = {"conversation_id", "payload"}


def rows_hash(rows: DataFrame) -> Column:
    """Aggregate the mapped rows of one conversation to a bigint."""
    values = [F.to_json("metadata") if name == "metadata" else F.col(name) for name in _hashed(rows)]
    row = F.xxhash64(*values)
    return F.xxhash64(F.try_sum(F.shiftright(row, _CUT_BITS)), F.bit_xor(row), F.count(F.lit(1)))


def fingerprints(rows: DataFrame) -> DataFrame:
    """Hash the rows of each conversation: columns conversation_id string, rows_in bigint, rows_hash bigint."""
    return rows.groupBy("conversation_id").agg(F.count(F.lit(1)).alias("rows_in"), rows_hash(rows).alias("rows_hash"))


def _hashed(rows: DataFrame) -> list[str]:
    return [name for name in rows.columns if name not in _NOT_HASHED]
