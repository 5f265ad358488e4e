"""Splits as Parquet shards: the same bytes whatever the partitions, and streamed without loss."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from finelake.chat import line_of
from finelake.config.huggingface import Shards
from finelake.errors import ConfigError, InputError
from finelake.huggingface.census import counted_already, take
from finelake.huggingface.data_sets import small, streamed
from finelake.huggingface.fitting import Fitting
from finelake.huggingface.order import Order
from finelake.huggingface.rows import open_rows
from finelake.huggingface.shards import is_whole, write_shards
from finelake.huggingface.stream import Share, Stream
from finelake.huggingface.template import ChatTemplate
from support.chats_to_learn import chats

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SCHEMA = (
    "split string, sort_key string, conversation_id string, window int, group_key string, line string, "
    "tokens bigint, trained_tokens bigint"
)


@pytest.fixture(scope="module")
def template(tiny_model: Path) -> ChatTemplate:
    from transformers import AutoTokenizer

    return ChatTemplate(AutoTokenizer.from_pretrained(tiny_model))


@pytest.fixture(scope="module")
def rows(template: ChatTemplate) -> list[tuple[Any, ...]]:
    made = []
    for n, chat in enumerate(chats(60)):
        line = line_of(chat["messages"], json.dumps(chat["tools"]) if "tools" in chat else "")
        encoded = template.encode(chat["messages"], chat.get("tools", ()))
        key = hashlib.sha256(str(n).encode()).hexdigest()
        split = "validation" if n % 6 == 5 else "train"
        made.append((split, key, f"c{n}", 0, f"g{n}", line, len(encoded.input_ids), encoded.trained))
    return made


def frame(spark: SparkSession, rows: list[tuple[Any, ...]], *, partitions: int) -> DataFrame:
    return spark.createDataFrame(rows, SCHEMA).repartition(partitions)


@pytest.fixture(scope="module")
def written(
    spark: SparkSession, rows: list[tuple[Any, ...]], template: ChatTemplate, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("shards")
    config = Shards(folder=str(folder), rows=20, group_bytes=2_000)
    manifest = write_shards(
        frame(spark, rows, partitions=3), config=config, run_id="r1", tokenizer=template.fingerprint
    )
    return folder, manifest


def test_shards_hold_each_split_in_the_order_of_its_file(
    written: tuple[Path, dict[str, Any]], rows: list[tuple[Any, ...]]
) -> None:
    folder, manifest = written
    assert json.loads((folder / "manifest.json").read_text()) == manifest
    assert is_whole(folder, manifest)
    for split, wanted in (("train", 50), ("validation", 10), ("test", 0)):
        found = manifest["splits"][split]
        lines = [
            line for shard in found["shards"] for line in pq.read_table(folder / shard["file"])["line"].to_pylist()
        ]
        assert lines == [row[5] for row in sorted(rows, key=lambda row: row[1]) if row[0] == split]
        assert found["rows"] == len(lines) == wanted
    assert len(manifest["splits"]["train"]["shards"]) == 3
    assert all(len(shard["groups"]) > 1 for shard in manifest["splits"]["train"]["shards"])


def test_the_same_examples_give_the_same_bytes_whatever_their_partitions(
    spark: SparkSession, written: tuple[Path, dict[str, Any]], rows: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    (tmp_path / "train-00000-of-00001.parquet").write_bytes(b"of an earlier run")
    config = Shards(folder=str(tmp_path), rows=20, group_bytes=2_000)
    again = write_shards(
        frame(spark, rows[::-1], partitions=1), config=config, run_id="r1", tokenizer=written[1]["tokenizer"]
    )
    assert again == written[1]
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in written[0].iterdir()}
    (tmp_path / again["splits"]["train"]["shards"][0]["file"]).write_bytes(b"damaged")
    assert not is_whole(tmp_path, again)


def test_shards_fewer_than_processes_are_streamed_without_loss(
    written: tuple[Path, dict[str, Any]], rows: list[tuple[Any, ...]]
) -> None:
    opened = open_rows(written[0], split="validation")
    order = Order(opened.groups, seed=1, shuffle_rows=8)
    seen = [
        json.dumps(line)
        for rank in range(4)
        for line in Stream(opened, order, share=Share(rank=rank, processes=4), make=lambda line: line, epochs=1)
    ]
    assert Counter(seen) == Counter(json.dumps(json.loads(row[5])) for row in rows if row[0] == "validation")


def test_counts_of_the_same_tokenizer_are_taken_over(
    written: tuple[Path, dict[str, Any]], template: ChatTemplate, tmp_path: Path
) -> None:
    folder, _ = written
    fitting = Fitting(template=template, max_length=512, too_long="cut", method="sft")
    counted = take(open_rows(folder, split="train"), fitting, dropped=tmp_path / "dropped.jsonl")
    assert counted_already(folder / "manifest.json", "train", fitting) == counted
    shorter = Fitting(template=template, max_length=counted.longest - 1, too_long="cut", method="sft")
    assert counted_already(folder, "train", shorter) is None


def test_a_stream_is_a_data_set_of_hugging_face(written: tuple[Path, dict[str, Any]]) -> None:
    opened = open_rows(written[0], split="validation")
    order = Order(opened.groups, seed=1, shuffle_rows=8)
    stream = Stream(opened, order, share=Share(), make=len_of_messages, epochs=1)
    assert len(list(streamed(stream))) == 10


def len_of_messages(line: dict[str, Any]) -> dict[str, int]:
    return {"messages": len(line["messages"])}


def test_what_is_small_becomes_a_data_set_at_once(
    spark: SparkSession, rows: list[tuple[Any, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path))
    examples = frame(spark, rows, partitions=2)
    made = small(examples, split="validation")
    assert sorted(made["conversation_id"]) == sorted(row[2] for row in rows if row[0] == "validation")
    with pytest.raises(InputError, match="more than 9 examples"):
        small(examples, split="validation", at_most=9)


def test_without_a_folder_nothing_is_written(spark: SparkSession, rows: list[tuple[Any, ...]]) -> None:
    with pytest.raises(ConfigError, match=r"shards\.folder is not set"):
        write_shards(frame(spark, rows[:1], partitions=1), config=Shards(), run_id="r1")
