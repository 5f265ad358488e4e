"""docs/first-table.md, done as it says."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from pyspark.sql import SparkSession

from finelake.cli.main import commands
from support.pages import ROOT, blocks

pytestmark = pytest.mark.spark

PAGE = ROOT / "docs" / "first-table.md"


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_the_first_table_is_done_as_the_page_says(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert spark.version
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    output, done = "", []
    for block in blocks(PAGE):
        if block.title:
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            output = ""
            for line in block.commands("finelake"):
                arguments = shlex.split(line)[1:]
                ran = CliRunner().invoke(commands, arguments, catch_exceptions=False)
                assert ran.exit_code == 0, f"{line}\n{ran.output}"
                output += squeezed(ran.output)
                done.append(arguments[0])
        elif block.language == "text":
            for shown in block.text.splitlines():
                assert squeezed(shown) in output, f"line {block.line}: {shown}\n{output}"
    assert done == ["ingest", "curate", "why", "why", "report", "runs"]
    published = tmp_path / "published"
    names = {"train.jsonl", "validation.jsonl", "test.jsonl", "manifest.json", "report.html"}
    assert names <= {path.name for path in published.iterdir()}
    lines = "".join((published / f"{split}.jsonl").read_text("utf-8") for split in ("train", "validation", "test"))
    assert "[PHONE_1]" in lines
    assert "415-555-0142" not in lines
    assert json.loads((published / "manifest.json").read_text("utf-8"))["balance"]["rows_in"] == 33
