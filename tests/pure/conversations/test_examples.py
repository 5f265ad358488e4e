"""Examples: system prompt, tool definitions, weights, the exact line and the key for exact duplicates."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from finelake.chat import to_line
from finelake.conversations.examples import (
    Example,
    ExamplePolicy,
    SystemPrompt,
    ToolSet,
    build_example,
    dedup_key,
    last_reply,
    last_user,
    normalise,
)
from finelake.conversations.repair import repair
from finelake.conversations.turns import TurnRow
from finelake.errors import ConfigError

CALL = '[{"id":"c1","name":"find","arguments":{"b":1,"a":"x"},"results":[]}]'
TURNS: list[TurnRow] = [
    {"i": 0, "r": "user", "x": "Wo ist mein Paket\u2028?"},
    {"i": 1, "r": "assistant", "x": "In Köln.", "c": CALL},
    {"i": 2, "r": "user", "x": "Danke"},
    {"i": 3, "r": "assistant", "x": "Gern."},
]
FIND: dict[str, Any] = {"description": "Find a parcel.", "parameters": {"type": "object", "properties": {}}}
TOOLS = {"find": FIND, "book": {"type": "function", "function": {"name": "book"}}}


def example(turns: list[TurnRow] | None = None, **policy: Any) -> Example:
    return build_example(repair(TURNS if turns is None else turns), policy=ExamplePolicy(**policy))


def test_the_line_is_exact() -> None:
    assert example().line == (
        '{"messages":[{"role":"user","content":"Wo ist mein Paket\\u2028?"},'
        '{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":'
        '{"name":"find","arguments":"{\\"b\\":1,\\"a\\":\\"x\\"}"}}]},'
        '{"role":"tool","tool_call_id":"c1","content":"[]"},'
        '{"role":"assistant","content":"In Köln."},{"role":"user","content":"Danke"},'
        '{"role":"assistant","content":"Gern."}]}'
    )


@pytest.mark.parametrize(("mode", "names"), [("none", None), ("called", ["find"]), ("all", ["find", "book"])])
def test_tool_definitions_follow_the_mode(mode: Any, names: list[str] | None) -> None:
    line = json.loads(example(tools=ToolSet(definitions=TOOLS, mode=mode)).line)
    assert next(iter(line)) == "messages"
    assert ([tool["function"]["name"] for tool in line["tools"]] if "tools" in line else None) == names


def test_a_called_function_without_definition_is_reported() -> None:
    made = example(tools=ToolSet(definitions={"book": {}}, mode="called"))
    assert (made.undefined, made.tools_json, "tools" in json.loads(made.line)) == (["find"], "", False)


def test_a_line_from_parts_equals_a_line_from_objects() -> None:
    made = example(tools=ToolSet(definitions=TOOLS, mode="all"))
    assert to_line(made.messages, json.loads(made.tools_json)) == made.line


@pytest.mark.parametrize(
    "tools",
    [
        {"find it": {}},
        {"find": {"name": "other"}},
        {"find": {"function": "x"}},
        {"find": {"parameters": {1, 2}}},
        {"find": {"parameters": float("nan")}},
    ],
)
def test_a_wrong_definition_is_a_configuration_error(tools: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="find"):
        ToolSet(definitions=tools, mode="all")


SYSTEM: list[TurnRow] = [{"i": -1, "r": "system", "x": "Old."}]


@pytest.mark.parametrize(
    ("policy", "had", "prompt"),
    [
        ("keep", False, None),
        ("keep", True, "Old."),
        ("inject", False, "New."),
        ("inject", True, "Old."),
        ("replace", False, "New."),
        ("replace", True, "New."),
    ],
)
def test_the_system_prompt_follows_the_policy(policy: Any, had: bool, prompt: str | None) -> None:
    made = example([*SYSTEM, *TURNS] if had else TURNS, system=SystemPrompt(policy=policy, text="New."))
    first = made.messages[0]
    assert (first["content"] if first["role"] == "system" else None) == prompt
    assert sum(message["role"] == "system" for message in made.messages) == (prompt is not None)
    assert len(made.positions) == len(made.messages)
    assert (made.positions[0] == []) == (prompt == "New." and not had)


def test_a_system_prompt_to_inject_needs_text() -> None:
    with pytest.raises(ConfigError, match="inject"):
        SystemPrompt(policy="inject", text=" ")
    with pytest.raises(ConfigError, match="drop"):
        SystemPrompt(policy="drop", text="x")


def weights(made: Example) -> list[int | None]:
    return [message.get("weight") for message in made.messages if message["role"] == "assistant"]


@pytest.mark.parametrize(
    ("train", "given", "expected"),
    [
        ("all", (None, None), [None, None, None]),
        ("all", (1, 1), [None, None, None]),
        ("all", (0, None), [0, 0, 1]),
        ("all", (None, 0), [1, 1, 0]),
        ("last", (None, None), [0, 0, 1]),
        ("last", (1, 0), [0, 1, 0]),
    ],
)
def test_weights_say_what_is_trained(
    train: Any, given: tuple[int | None, int | None], expected: list[int | None]
) -> None:
    turns: list[TurnRow] = [dict(turn) for turn in TURNS]
    turns[1]["w"], turns[3]["w"] = given
    repaired = repair(turns)
    made = build_example(repaired, policy=ExamplePolicy(train=train))
    assert weights(made) == expected
    assert not any("weight" in message for message in repaired.messages)
    assert [bool(weight) or weight is None for weight in expected] == [
        trained for trained, message in zip(made.trained, made.messages, strict=True) if message["role"] == "assistant"
    ]


def key(*messages: tuple[str, str | None], arguments: str | None = None, call_id: str = "c1") -> str:
    built: list[dict[str, Any]] = [{"role": role, "content": content} for role, content in messages]
    if arguments is not None:
        built[-1]["tool_calls"] = [
            {"id": call_id, "type": "function", "function": {"name": "find", "arguments": arguments}}
        ]
    return dedup_key(built)


def test_the_key_ignores_what_is_not_trained_and_how_it_is_typed() -> None:
    plain = key(("user", "Where is Köln?"), ("assistant", "On the Rhine."))
    assert plain == key(
        ("system", "Be kind."), ("user", "WHERE  is\u200b Ko\u0308ln?\n"), ("assistant", "on the \uff32hine.")
    )
    assert len(plain) == 64
    assert key(("assistant", None), arguments='{"a":1,"b":2}') == key(
        ("assistant", None), arguments='{ "b": 2, "a": 1 }', call_id="c9"
    )


def test_the_key_tells_apart_what_differs() -> None:
    keys = {
        key(("user", "a b")),
        key(("user", "ab")),
        key(("assistant", "a b")),
        key(("user", "a"), ("user", "b")),
        key(("assistant", "a b"), arguments="{}"),
        key(("assistant", "a b"), arguments='{"x":1}'),
        key(("tool", "a b")),
    }
    assert len(keys) == 7


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  A\tb\n", "a b"),
        ("ﬁne", "fine"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("a\u00ad\u200db\x00", "ab"),
        ("", ""),
    ],
)
def test_normalise(text: str, expected: str) -> None:
    assert normalise(text) == expected


def test_last_user_and_last_reply() -> None:
    messages = example().messages
    assert (last_user(messages), last_reply(messages)) == ("Danke", "Gern.")
    assert (last_user([]), last_reply([])) == ("", "")
    assert last_reply(messages[:2]) == ""


def test_policies_travel_to_workers() -> None:
    policy = ExamplePolicy(tools=ToolSet(definitions=TOOLS, mode="all"), system=SystemPrompt(policy="inject", text="x"))
    copy = pickle.loads(pickle.dumps(policy))
    assert copy == policy
    assert build_example(repair(TURNS), policy=copy).line == build_example(repair(TURNS), policy=policy).line
