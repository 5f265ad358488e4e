"""Tests of finelake.evaluation.suites: rows of JSONL files to items. No Spark is needed for files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finelake.config.evaluation import Suite
from finelake.config.settings import SystemPrompt
from finelake.errors import ConfigError, InputError
from finelake.evaluation.item import Item
from finelake.evaluation.replies import Reply, ToolCall
from finelake.evaluation.suites import read_suite, training_system_prompt

ASK = {"role": "user", "content": "Where is it?"}
SYSTEM = {"role": "system", "content": "Be brief."}
TOOLS = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}]
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "1", "type": "function", "function": {"name": "find", "arguments": "{}"}}],
}


def read(tmp_path: Path, *rows: object, prompt: str | None = None, **settings: Any) -> list[Item]:
    path = tmp_path / "suite.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return read_suite(None, Suite(name="faq", jsonl=str(path), **settings), system_prompt=prompt)


def test_a_prompt_becomes_a_question_with_the_training_system_prompt(tmp_path: Path) -> None:
    (item,) = read(
        tmp_path, {"id": 7, "prompt": "Where is it?", "reference": "There.", "group": "u"}, prompt="Be brief."
    )
    assert item.request == {"messages": [SYSTEM, ASK]}
    assert (item.conversation_id, item.group_key, item.suite, item.message) == ("7", "u", "faq", 2)
    assert item.reference == Reply("There.")


def test_a_suite_can_keep_to_its_own_system_prompts(tmp_path: Path) -> None:
    own = {"messages": [{"role": "system", "content": "Own."}, ASK]}
    (with_own,) = read(tmp_path, own, prompt="Be brief.")
    assert with_own.request["messages"][0]["content"] == "Own."
    (without,) = read(tmp_path, {"prompt": "Where is it?"}, prompt="Be brief.", system_prompt="own")
    assert without.request["messages"] == [ASK]


def test_the_last_assistant_message_is_the_reference(tmp_path: Path) -> None:
    row = {
        "messages": json.dumps([ASK, CALL | {"weight": 1}]),
        "tools": json.dumps(TOOLS),
        "schema": '{"type":"object"}',
    }
    (item,) = read(tmp_path, row, kind="refusals")
    assert item.request == {"messages": [ASK], "tools": TOOLS}
    assert item.reference == Reply("", (ToolCall("find", "{}"),))
    assert item.schema == {"type": "object"}
    assert item.expects_refusal


def test_other_field_names_are_mapped(tmp_path: Path) -> None:
    mapping = {"id": "nr", "prompt": "q", "reference": "a"}
    (item,) = read(tmp_path, {"nr": "x", "q": "Where is it?", "a": {"city": "Bonn"}}, mapping=mapping)
    assert (item.conversation_id, item.reference) == ("x", Reply('{"city": "Bonn"}'))


def test_without_ids_rows_are_numbered_and_only_the_first_are_read(tmp_path: Path) -> None:
    items = read(tmp_path, *({"prompt": f"Question {n}"} for n in range(5)), max_examples=3)
    assert [item.conversation_id for item in items] == ["0", "1", "2"]
    assert items[0].reference is None


@pytest.mark.parametrize(
    ("rows", "settings", "problem"),
    [
        ([], {}, "is empty"),
        (["{"], {}, "row 1 .* is not a JSON object"),
        ([{"prompt": "a"}, {"text": "secret"}], {}, "row 2 .* has no prompt in messages or prompt"),
        ([{"messages": [{"role": "assistant", "content": "x"}]}], {}, "no message of a user"),
        ([{"id": 1, "prompt": "a"}, {"id": 1, "prompt": "b"}], {}, "1 ids come more than once"),
        ([{"prompt": "a"}], {"mapping": {"reference": "gold"}}, "no row has gold"),
        ([{"prompt": "a", "tools": "[1]"}], {}, "no list of tool definitions"),
        ([{"prompt": "a", "schema": "[1]"}], {}, "no JSON object"),
    ],
)
def test_rows_that_cannot_be_asked_are_named_without_their_text(
    tmp_path: Path, rows: list[object], settings: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        read(tmp_path, *rows, **settings)
    assert "secret" not in str(caught.value)


def test_a_schema_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="row 1, schema is not a JSON schema"):
        read(tmp_path, {"prompt": "a", "schema": {"type": "town"}})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="FileNotFoundError"):
        read_suite(None, Suite(name="faq", jsonl=str(tmp_path / "none")), system_prompt=None)


@pytest.mark.parametrize("given", [{}, {"table": "a.b", "jsonl": "c"}, {"jsonl": "c", "name": "test"}])
def test_a_suite_has_one_source_and_a_name_of_its_own(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"one of them|take another"):
        Suite(**{"name": "faq", **given})


def test_the_training_system_prompt_is_that_of_most_lines(tmp_path: Path) -> None:
    train = tmp_path / "train.jsonl"
    lines = [[SYSTEM, ASK], [SYSTEM, ASK], [{"role": "system", "content": "Rare."}, ASK], [ASK]]
    train.write_text("".join(json.dumps({"messages": line}) + "\n" for line in lines))
    assert training_system_prompt(SystemPrompt(), [train]) == "Be brief."
    assert training_system_prompt(SystemPrompt(policy="replace", text="Set."), [train]) == "Set."
    assert training_system_prompt(SystemPrompt(), []) is None
    train.write_text(json.dumps({"messages": [ASK]}) + "\n")
    assert training_system_prompt(SystemPrompt(), [train]) is None
