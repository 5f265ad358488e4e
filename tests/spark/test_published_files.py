"""What is published: every line, the manifest, and what is left when a run dies between files and manifest."""

from __future__ import annotations

import codecs
import hashlib
import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from finelake.annotate.plan import read_tool_file
from finelake.chat import parse_line
from finelake.config.settings import Output
from finelake.curate import curate
from finelake.errors import OutputError
from finelake.publish import MANIFEST, publish, read_manifest
from support.lake import Demo, published_lines, save_turns, settings_for, table, talk

pytestmark = pytest.mark.spark

SPLITS = ("train", "validation", "test")
UNSAFE = "\u2028\u2029\u0085"


def test_every_line_reads_back_with_messages_first(demo: Demo) -> None:
    lines = published_lines(demo.output)
    assert lines
    for line in lines:
        assert next(iter(parse_line(line))) == "messages"
        assert not set(UNSAFE) & set(line)


def test_calls_keep_their_null_content_and_carry_their_tools(demo: Demo) -> None:
    calling = [line for line in published_lines(demo.output) if '"tool_calls"' in line]
    assert calling
    file = demo.settings.examples.tools.file
    assert file is not None
    defined = set(read_tool_file(Path(file)))  # the sample plants a call of a tool that nobody defines
    for line in calling:
        example = json.loads(line)
        callers = [message for message in example["messages"] if "tool_calls" in message]
        assert all("content" in message for message in callers)
        called = {call["function"]["name"] for message in callers for call in message["tool_calls"]}
        assert {tool["function"]["name"] for tool in example.get("tools", [])} == called & defined
    assert any('"content":null' in line for line in calling)


def test_a_line_separator_in_a_text_is_escaped(demo: Demo) -> None:
    escaped = [line for line in published_lines(demo.output) if "\\u2028" in line]
    assert escaped
    assert all(any("\u2028" in (m["content"] or "") for m in json.loads(line)["messages"]) for line in escaped)


def test_files_end_in_a_newline_and_have_no_mark_by_default(demo: Demo) -> None:
    for split in SPLITS:
        content = (demo.output / f"{split}.jsonl").read_bytes()
        assert content.endswith(b"\n")
        assert b"\r" not in content
        assert codecs.BOM_UTF8 not in content


def test_the_switch_writes_one_mark_a_file_and_the_same_lines(demo: Demo, spark: SparkSession, tmp_path: Path) -> None:
    examples = table(spark, demo.settings, "examples")
    files = publish(examples, config=Output(folder=str(tmp_path / "marked"), byte_order_mark=True))
    for split in SPLITS:
        marked = (tmp_path / "marked" / f"{split}.jsonl").read_bytes()
        assert marked == codecs.BOM_UTF8 + (demo.output / f"{split}.jsonl").read_bytes()
        assert files[split].bytes == len(marked)


def test_the_manifest_is_true(demo: Demo, spark: SparkSession) -> None:
    manifest = read_manifest(demo.output)
    assert manifest is not None
    for split in SPLITS:
        listed, content = manifest["files"][split], (demo.output / f"{split}.jsonl").read_bytes()
        assert listed["bytes"] == len(content)
        assert listed["sha256"] == hashlib.sha256(content).hexdigest()
        assert listed["examples"] == content.count(b"\n")
    assert manifest["source"]["version"] == demo.ingested.version
    assert manifest["source"]["rows"] == demo.files.lines
    assert manifest["run_id"] == demo.curation.run_id
    assert manifest["balance"] == demo.curation.balance.as_dict()
    assert manifest["encoding"] == "o200k_base"
    for name, written in manifest["tables"].items():
        at = spark.read.format("delta").option("versionAsOf", written["version"]).load(written["table"])
        assert at.columns == table(spark, demo.settings, name).columns


def test_messages_in_delta_are_those_of_the_line(demo: Demo, spark: SparkSession) -> None:
    for row in table(spark, demo.settings, "examples").select("line", "messages").collect():
        expected = json.loads(row["line"])["messages"]
        found = [message.asDict(recursive=True) for message in row["messages"]]
        assert [{key: message.get(key) for key in found[0]} for message in expected] == found


def test_a_second_run_does_nothing(demo: Demo, spark: SparkSession) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in demo.output.iterdir()}
    again = curate(spark, demo.settings)
    assert again.up_to_date
    assert (again.balance, again.files, again.rules) == (
        demo.curation.balance,
        demo.curation.files,
        demo.curation.rules,
    )
    assert {path.name: path.stat().st_mtime_ns for path in demo.output.iterdir()} == before


def test_a_run_that_dies_before_the_manifest_is_mended_by_the_next(spark: SparkSession, tmp_path: Path) -> None:
    rows = [row for n in range(12) for row in talk(f"c{n}", f"Where is order {n}?", f"Order {n} is on its way.")]
    save_turns(spark, rows, tmp_path / "raw")
    settings = settings_for(tmp_path)
    output = Path(settings.output.folder)
    (output / f".{MANIFEST}.partial").mkdir(parents=True)
    (output / MANIFEST).write_text('{"run_id": "an earlier run"}', encoding="utf-8")

    with pytest.raises(OutputError, match=r"output cannot be written \(Is a directory\)"):
        curate(spark, settings)
    assert not (output / MANIFEST).exists()
    assert {path.name for path in output.glob("*.jsonl")} == {f"{split}.jsonl" for split in SPLITS}

    (output / f".{MANIFEST}.partial").rmdir()
    mended = curate(spark, settings)
    assert not mended.up_to_date
    assert read_manifest(output) is not None
    assert curate(spark, settings).up_to_date

    (output / "train.jsonl").write_bytes((output / "train.jsonl").read_bytes()[:-1])
    assert not curate(spark, settings).up_to_date
    content = (output / "train.jsonl").read_bytes()
    assert hashlib.sha256(content).hexdigest() == mended.files["train"].sha256
