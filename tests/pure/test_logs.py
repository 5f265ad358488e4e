"""Log lines: fields of task, run and step, JSON or text, and no row data from others' errors."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from finelake.errors import InputError
from finelake.logs import JsonLines, TextLines, bind, bound, log_fields, told
from finelake.tables.together import at_once

ROW = "my card is 4111 1111 1111 1111"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What a logger of this test's own wrote as JSON lines."""
    text, logger = io.StringIO(), logging.getLogger("finelake.test_logs")
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonLines())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield text
    logger.removeHandler(handler)


@pytest.fixture(autouse=True)
def unbound() -> Iterator[None]:
    """No field of another test, and none left behind."""
    with bound(**dict.fromkeys(log_fields(), "")):
        yield


def lines(stream: io.StringIO) -> list[dict[str, str]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_task_run_and_step_while_they_last(stream: io.StringIO) -> None:
    logger = logging.getLogger("finelake.test_logs")
    bind(task="curate", job_run="4711", run="")
    with bound(run="8b5c", step="read"):
        logger.info("rows=%d", 3)
    logger.info("done")
    inside, after = lines(stream)
    assert (inside["task"], inside["job_run"], inside["run"], inside["step"]) == ("curate", "4711", "8b5c", "read")
    assert (inside["message"], inside["level"], inside["logger"]) == ("rows=3", "INFO", "finelake.test_logs")
    assert inside["time"].endswith("+00:00")
    assert "step" not in after
    assert "run" not in after


def test_threads_that_work_side_by_side_keep_the_fields(stream: io.StringIO) -> None:
    logger = logging.getLogger("finelake.test_logs")
    with bound(step="decide"):
        at_once([lambda: logger.info("one"), lambda: logger.info("two")])
    assert [line["step"] for line in lines(stream)] == ["decide", "decide"]


def test_an_error_of_others_is_told_without_its_message(stream: io.StringIO) -> None:
    logger = logging.getLogger("finelake.test_logs")
    try:
        raise ValueError(f"cannot cast {ROW}")
    except ValueError:
        logger.exception("step failed")
    try:
        raise InputError("Table t is empty.")
    except InputError:
        logger.exception("step failed")
    theirs, ours = lines(stream)
    assert ROW not in stream.getvalue()
    assert theirs["error"].startswith("ValueError at test_logs.py, line ")
    assert ours["error"] == "InputError: Table t is empty."


def test_text_lines_have_the_fields_at_their_end() -> None:
    with bound(run="8b5c"):
        line = TextLines().format(logging.LogRecord("finelake.x", logging.INFO, __file__, 1, "read %s", ("t",), None))
    assert line.endswith("INFO finelake.x: read t run=8b5c")


def test_a_missing_module_is_named_and_nothing_else_of_a_message() -> None:
    worker = "Job aborted: row 'my secret'\n  ModuleNotFoundError: No module named 'finelake'\n\tat org.apache"
    assert told(RuntimeError(worker)) == "RuntimeError: No module named 'finelake'"
    assert told(ModuleNotFoundError("No module named 'torch'")) == "ModuleNotFoundError: No module named 'torch'"
    assert told(RuntimeError("a turn says ModuleNotFoundError: No module named 'my secret'")) == "RuntimeError"
