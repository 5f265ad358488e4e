"""The whole repair on real conversations: all turns accounted for, every line valid."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from itertools import groupby, islice
from pathlib import Path

import pytest

from finelake.chat import parse_line
from finelake.conversations.examples import build_example
from finelake.conversations.repair import repair
from finelake.conversations.turns import RepairPolicy, ToolFields, TurnRow

ROLES = {"USER": "user", "SYSTEM": "assistant"}
POLICY = RepairPolicy(tool_fields=ToolFields(name="method", arguments="parameters"))


def as_turn(row: dict[str, object]) -> TurnRow:
    calls = row.get("service_calls")
    return {
        "i": int(str(row["turn_index"])),
        "r": ROLES[str(row["author"])],
        "x": str(row["text"]),
        "c": json.dumps(calls, ensure_ascii=False) if calls else None,
    }


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["sgd_turns.jsonl.gz", "crosswoz_turns.jsonl.gz"])
def test_real_conversations_become_valid_lines(name: str, shared_data: Callable[[str], Path]) -> None:
    calls = answered = turns = kept = 0
    with gzip.open(shared_data(name), "rt", encoding="utf-8") as file:
        conversations = groupby(map(json.loads, file), key=lambda row: row["conversation_id"])
        for _, rows in islice(conversations, 1500):
            given = [as_turn(row) for row in rows]
            repaired = repair(given, policy=POLICY)
            counts = repaired.counts
            assert counts.turns_in == len(given)
            assert counts.kept + counts.merged + counts.trimmed + counts.duplicate == len(given)
            messages = parse_line(build_example(repaired).line)["messages"]
            turns += len(given)
            kept += counts.kept
            calls += sum("c" in turn and turn["c"] is not None for turn in given)
            answered += sum(message["role"] == "tool" for message in messages)
    assert kept >= 0.999 * turns
    assert answered >= calls
    assert (calls > 0) == name.startswith("sgd")
