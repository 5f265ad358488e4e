"""From a user's columns to turns: times of every kind, ids that are blank, roles in any letter case, dotted names."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from finelake.config.settings import Source
from finelake.conversations.mapping import check_source, map_rows

pytestmark = pytest.mark.spark

MOMENT = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
SECONDS = int(MOMENT.timestamp())


def source(**columns: Any) -> Source:
    roles = {"Customer ": "user", "BOT": "assistant", "bot": "assistant"}
    return Source.model_validate({"table": "t", "columns": {"conversation_id": "id"} | columns, "roles": roles})


def mapped(frame: DataFrame, given: Source) -> list[dict[str, Any]]:
    check_source(frame, given)
    rows = map_rows(frame, given).collect()
    return [row.asDict(recursive=True) for row in rows]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (f"{SECONDS}L", SECONDS * 1_000_000),
        (f"{SECONDS}.25D", SECONDS * 1_000_000 + 250_000),
        (f"CAST({SECONDS}.5 AS DECIMAL(20, 3))", SECONDS * 1_000_000 + 500_000),
        (f"{SECONDS}000L", SECONDS * 1_000_000),
        (f"{SECONDS}000000L", SECONDS * 1_000_000),
        ("'2026-05-04T09:30:00Z'", SECONDS * 1_000_000),
        ("'2026-05-04 11:30:00+02:00'", SECONDS * 1_000_000),
        ("TIMESTAMP'2026-05-04 09:30:00'", SECONDS * 1_000_000),
        ("TIMESTAMP_NTZ'2026-05-04 09:30:00'", SECONDS * 1_000_000),
        ("DATE'2026-05-04'", int(datetime(2026, 5, 4, tzinfo=UTC).timestamp()) * 1_000_000),
        ("'yesterday'", None),
        ("1e300D", None),
        ("CAST('NaN' AS DOUBLE)", None),
        ("CAST(NULL AS BIGINT)", None),
    ],
)
def test_times_become_microseconds_or_none(spark: SparkSession, expression: str, expected: int | None) -> None:
    frame = spark.sql(f"SELECT 'a' AS id, 'bot' AS author, 'x' AS text, {expression} AS at")
    (row,) = mapped(frame, source(sent_at="at"))
    assert row["turn"]["t"] == expected


def test_indexes_roles_and_ids(spark: SparkSession) -> None:
    rows = [
        ("a", "customer", "x", "0", "u1"),
        (" ", " Bot ", None, "1", " "),
        ("", "BOT", "x", "two", ""),
        (None, "robot", "x", None, None),
        ("a", None, "x", "99999999999999999999", "u1"),
    ]
    frame = spark.createDataFrame(rows, "id string, author string, text string, n string, `user.id` string")
    found = mapped(frame, source(turn_index="n", user_id="user.id"))
    assert [row["turn"]["r"] for row in found] == ["user", "assistant", "assistant", None, None]
    assert [row["turn"]["i"] for row in found] == [0, 1, None, None, None]
    assert [row["conversation_id"] for row in found] == ["a", None, None, None, "a"]
    assert [row["user_id"] for row in found] == ["u1", None, None, None, "u1"]
    assert json.loads(found[1]["payload"]) == {"id": " ", "author": " Bot ", "n": "1", "user.id": " "}


def test_metadata_keeps_what_is_known_as_text(spark: SparkSession) -> None:
    frame = spark.sql(
        "SELECT 'a' AS id, 'bot' AS author, 'x' AS text, 1 AS n, 2.5D AS `the score`, CAST(NULL AS STRING) AS topic, "
        "array(1, 2) AS tags, CAST(X'80FF' AS STRING) AS broken"
    )
    (row,) = mapped(frame, source(turn_index="n", metadata=["the score", "topic", "tags", "broken"]))
    assert row["metadata"] == {"the score": "2.5", "tags": "[1, 2]", "broken": "\ufffd\ufffd"}
