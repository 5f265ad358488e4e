"""Slices of the real tables beside the project: SGD's service calls, and CrossWOZ."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from finelake.chat import parse_line
from finelake.curate import curate
from finelake.ingest import ingest
from finelake.privacy.kinds import KINDS
from finelake.tables.names import source_ref
from support.lake import published_lines, settings_for, table

pytestmark = [pytest.mark.spark, pytest.mark.shared_data]

ROLES = {"USER": "user", "SYSTEM": "assistant"}
# The telephone numbers of restaurants are compared as well, so nothing is redacted.
AS_IT_IS = dict.fromkeys(KINDS, "ignore")


def whole_conversations(path: Path, *, lines: int) -> dict[str, list[dict[str, Any]]]:
    """Read the first lines of a file and leave out the conversation that the cut may have gone through."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for line in islice(stream, lines):
            row = json.loads(line)
            found[row["conversation_id"]].append(row)
    found.popitem()
    return found


def write_slice(conversations: dict[str, list[dict[str, Any]]], path: Path) -> None:
    with gzip.open(path, "wt", encoding="utf-8", newline="\n") as stream:
        for rows in conversations.values():
            stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def test_service_calls_become_tool_calls_and_results(
    spark: SparkSession, tmp_path: Path, shared_data: Callable[[str], Path]
) -> None:
    conversations = whole_conversations(shared_data("sgd_turns.jsonl.gz"), lines=2_500)
    write_slice(conversations, tmp_path / "sgd.jsonl.gz")
    rows = sum(len(turns) for turns in conversations.values())
    columns = {"turn_index": "turn_index", "tool_calls": "service_calls", "metadata": ["services"]}
    fields = {"name": "method", "arguments": "parameters", "results": "results"}
    settings = settings_for(
        tmp_path, source={"columns": columns, "roles": ROLES, "tool_call_fields": fields}, privacy=AS_IT_IS
    )
    assert ingest(spark, str(tmp_path / "sgd.jsonl.gz"), source_ref(settings.source.table)).rows == rows
    curation = curate(spark, settings)
    balance = curation.balance
    assert balance.rows_kept + balance.rows_quarantined + balance.rows_merged == rows
    assert balance.conversations == len(conversations)
    assert balance.conversations_kept > 0.9 * len(conversations)
    kept = {row["conversation_id"]: row["line"] for row in table(spark, settings, "examples").collect()}
    for conversation_id, line in kept.items():
        compare(parse_line(line), conversations[conversation_id])


def compare(example: dict[str, Any], turns: list[dict[str, Any]]) -> None:
    expected = [call for turn in turns for call in turn.get("service_calls") or ()]
    calls = [call["function"] for message in example["messages"] for call in message.get("tool_calls") or ()]
    results = [json.loads(message["content"]) for message in example["messages"] if message["role"] == "tool"]
    assert [call["name"] for call in calls] == [call["method"] for call in expected]
    assert [json.loads(call["arguments"]) for call in calls] == [call["parameters"] for call in expected]
    assert results == [call["results"] for call in expected]
    defined = {tool["function"]["name"]: tool["function"]["parameters"] for tool in example.get("tools", ())}
    assert defined.keys() == {call["name"] for call in calls}
    for call in calls:
        assert json.loads(call["arguments"]).keys() <= defined[call["name"]]["properties"].keys()


def test_crosswoz_is_published_in_its_own_script(
    spark: SparkSession, tmp_path: Path, shared_data: Callable[[str], Path]
) -> None:
    conversations = whole_conversations(shared_data("crosswoz_turns.jsonl.gz"), lines=1_500)
    write_slice(conversations, tmp_path / "crosswoz.jsonl.gz")
    columns = {"turn_index": "turn_index", "user_id": "user_id", "agent_id": "agent_id", "origin": "origin"}
    settings = settings_for(tmp_path, source={"columns": columns, "roles": ROLES}, privacy=AS_IT_IS)
    ingest(spark, str(tmp_path / "crosswoz.jsonl.gz"), source_ref(settings.source.table))
    balance = curate(spark, settings).balance
    assert balance.conversations == len(conversations)
    assert balance.rows_in == sum(len(turns) for turns in conversations.values())
    kept = table(spark, settings, "examples").collect()
    assert len(kept) == balance.conversations_kept > 0
    for row in kept:
        texts = {turn["text"] for turn in conversations[row["conversation_id"]]}
        contents = [message["content"] for message in json.loads(row["line"])["messages"]]
        assert all(part in texts for content in contents for part in content.split("\n"))
    assert any("\u4e00" <= letter <= "\u9fff" for line in published_lines(tmp_path / "output") for letter in line)
