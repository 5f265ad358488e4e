"""The published bytes against a recomputation without Spark: in classic and Connect mode the same, to the byte."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from finelake.annotate.plan import PassPlan, plan_pass, read_tool_file
from finelake.config.models import load_catalogue
from finelake.conversations.examples import build_example, dedup_key
from finelake.conversations.repair import repair
from finelake.conversations.turns import TurnRow
from finelake.replies.canned import least_count
from finelake.replies.conditions import plain_text, signature
from finelake.replies.judge import Judge
from finelake.tokens.counter import counter_for
from support.lake import Demo

pytestmark = pytest.mark.spark


def readable_rows(demo: Demo) -> dict[str, list[dict[str, Any]]]:
    conversations: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in demo.files.raw_turns.read_text(encoding="utf-8").split("\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if row.get("conversation_id"):
            conversations[row["conversation_id"]].append(row)
    return conversations


def as_turn(row: dict[str, Any], roles: dict[str, Any]) -> TurnRow:
    sent = row.get("sent_at")
    return {
        "i": row["turn_index"],
        "t": int(datetime.fromisoformat(sent).timestamp()) * 1_000_000 if sent else None,
        "r": roles.get(row["author"]),
        "x": row.get("text"),
        "c": json.dumps(row["tool_calls"], ensure_ascii=False) if row.get("tool_calls") else None,
        "d": row.get("tool_call_id"),
        "o": row.get("origin"),
    }


def split_of(group: str, demo: Demo) -> str:
    config = demo.settings.splits
    digest = hashlib.sha256(f"{config.salt}\x1f{group}".encode()).hexdigest()
    value = int(digest[:13], 16) / 16**13
    if value < config.test:
        return "test"
    return "validation" if value < config.test + config.validation else "train"


def canned_signatures(demo: Demo) -> frozenset[str]:
    config = demo.settings.replies.canned
    counts = Counter(
        signature(plain_text(row["text"]))
        for rows in readable_rows(demo).values()
        for row in rows
        if demo.settings.source.roles.get(row["author"]) == "assistant"
        and len(row.get("text") or "") >= config.min_characters
    )
    least = least_count(config, rows=demo.curation.balance.rows_in)
    return frozenset(known for known, count in counts.items() if count >= least)


@pytest.fixture(scope="module")
def plan(demo: Demo) -> PassPlan:
    tools = demo.settings.examples.tools.file
    assert tools is not None
    return plan_pass(demo.settings, load_catalogue(), read_tool_file(Path(tools)), canned=canned_signatures(demo))


@pytest.fixture(scope="module")
def recomputed(demo: Demo, plan: PassPlan) -> dict[str, list[tuple[str, str]]]:
    """Give (conversation id, line) of each split in the order of the file, from the raw lines alone."""
    too_long = {row["conversation_id"] for row in demo.truth if row["defect"] == "turn_too_long"}
    duplicates = {row["conversation_id"] for row in demo.truth if row["defect"] == "duplicate_exact"}
    splits: dict[str, list[tuple[str, str]]] = {"train": [], "validation": [], "test": []}
    judge = Judge(plan.replies)
    for conversation_id, rows in readable_rows(demo).items():
        turns = [as_turn(row, dict(demo.settings.source.roles)) for row in rows]
        repaired = repair(turns, policy=plan.repair)
        if not repaired.reasons:
            judge.judge(repaired, plan.example.tools.definitions)
        if repaired.reasons or conversation_id in too_long | duplicates:
            continue
        example = build_example(repaired, policy=plan.example)
        users = sorted(row["user_id"] for row in rows if row.get("user_id"))
        group = f"user:{users[0]}" if users else f"text:{dedup_key(example.messages)}"
        splits[split_of(group, demo)].append((conversation_id, example.line))
    salt = demo.settings.splits.salt

    def place(item: tuple[str, str]) -> tuple[str, str]:
        return hashlib.sha256(f"{salt}\x1f{item[0]}".encode()).hexdigest(), item[0]

    return {split: sorted(items, key=place) for split, items in splits.items()}


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_each_file_is_what_pure_python_makes_of_the_same_rows(
    demo: Demo, recomputed: dict[str, list[tuple[str, str]]], split: str
) -> None:
    expected = "".join(f"{line}\n" for _, line in recomputed[split]).encode()
    found = (demo.output / f"{split}.jsonl").read_bytes()
    assert hashlib.sha256(found).hexdigest() == hashlib.sha256(expected).hexdigest()
    assert found == expected


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_token_counts_are_those_of_the_counter(
    demo: Demo, plan: PassPlan, recomputed: dict[str, list[tuple[str, str]]], split: str
) -> None:
    counter = counter_for(plan.encoding, plan.overhead, "auto")
    counts = counter.count([json.loads(line) for _, line in recomputed[split]])
    listed = demo.curation.files[split]
    assert listed.tokens == sum(count.total for count in counts)
    assert listed.trained_tokens == sum(count.trained for count in counts)
