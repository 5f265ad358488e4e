"""Rows that the driver sends along are bounded, and go through one function."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest

from finelake.databricks.limits import LOCAL_FRAME_BYTES
from finelake.errors import OutputError
from finelake.tables.local import local_frame, size_of

SOURCE = Path(__file__).resolve().parents[3] / "src"


@pytest.mark.parametrize(
    ("rows", "size"),
    [([], 0), ([("ab", 1, None)], 18), ([["ä", b"xyz"]], 5), ([("k", {"a": "bc"}, [1.0, 2.0])], 20)],
)
def test_rows_are_measured_to_any_depth(rows: Any, size: int) -> None:
    assert size_of(rows) == size


def test_more_than_the_platform_takes_is_refused_before_it_is_sent() -> None:
    # None stands where a session must not be asked.
    spark, text = cast("Any", None), "x" * (LOCAL_FRAME_BYTES // 100)
    with pytest.raises(OutputError, match=r"bytes of rows would be sent from the driver; Databricks takes 128,000,000"):
        local_frame(spark, [(text,)] * 101, "text string")
    with pytest.raises(OutputError, match="would be sent from the driver"):
        local_frame(spark, pa.table({"text": [text] * 101}))


def test_every_frame_of_local_rows_is_made_by_that_function() -> None:
    callers = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "createDataFrame"
    }
    assert callers == {"finelake/tables/local.py"}
