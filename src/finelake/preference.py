"""The preference format (DPO) of one training example: an input and two answers to it, one of which is preferred.

Schema: Azure's guide to direct preference optimization; keys `input` (messages, tools, parallel_tool_calls),
`preferred_output` and `non_preferred_output`, each a list of assistant and tool messages with at least one of the
assistant. OpenAI's older description calls the answers `preferred_completion` and `non_preferred_completion`; the
services take `*_output`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from finelake.chat import (
    ASSISTANT,
    LINE_KEYS,
    TOOL,
    USER,
    Message,
    Problem,
    message_problems,
    read_object,
    sequence_problems,
    tool_problems,
    unknown_keys,
)

INPUT, PREFERRED, OTHER = "input", "preferred_output", "non_preferred_output"
ANSWERS = (PREFERRED, OTHER)
_OLD_NAMES = {"preferred_completion", "non_preferred_completion"}
_KEYS = frozenset({INPUT, PREFERRED, OTHER})


def read_line(line: bytes | str) -> tuple[dict[str, Any] | None, list[Problem]]:
    """Read one line; returns its object (None when it is no JSON object) and its problems, none for a valid one."""
    value, problems = read_object(line)
    return value, problems if value is None else list(_problems(value))


def chat_of(value: Mapping[str, Any], answer: str = PREFERRED) -> dict[str, Any]:
    """Give a valid line as a chat: its input, then one of its answers, of which alone something is learnt."""
    given = [{**one, "weight": 0} if one["role"] == ASSISTANT else one for one in value[INPUT]["messages"]]
    chat: dict[str, Any] = {"messages": [*given, *value[answer]]}
    return chat | {key: value[INPUT][key] for key in ("tools", "parallel_tool_calls") if key in value[INPUT]}


def _problems(value: dict[str, Any]) -> Iterator[Problem]:
    if _OLD_NAMES & value.keys():
        yield Problem("preference_named_completion", "write preferred_output and non_preferred_output")
        return
    yield from unknown_keys(value, _KEYS)
    found = list(_input_problems(value.get(INPUT)))
    for answer in ANSWERS:
        found += _answer_problems(value.get(answer), answer)
    yield from found
    if found:
        return
    for answer in ANSWERS:
        yield from sequence_problems(chat_of(value, answer)["messages"])
    if value[PREFERRED] == value[OTHER]:
        yield Problem("answers_identical", OTHER)


def _input_problems(given: object) -> Iterator[Problem]:
    if not isinstance(given, dict):
        yield Problem("input_missing", INPUT)
        return
    yield from unknown_keys(given, LINE_KEYS, f"{INPUT}.")
    yield from tool_problems(given, f"{INPUT}.")
    messages = given.get("messages")
    if not isinstance(messages, list) or not messages:
        yield Problem("messages_missing", f"{INPUT}.messages")
        return
    for n, message in enumerate(messages):
        yield from message_problems(message, f"{INPUT}.messages[{n}]")
    if not any(isinstance(message, dict) and message.get("role") == USER for message in messages):
        yield Problem("user_missing", f"{INPUT}.messages")


def _answer_problems(messages: object, place: str) -> Iterator[Problem]:
    if not isinstance(messages, list) or not messages:
        yield Problem("answer_missing", place)
        return
    for n, message in enumerate(messages):
        yield from message_problems(message, f"{place}[{n}]")
        if isinstance(message, dict) and message.get("role") not in {ASSISTANT, TOOL}:
            yield Problem("answer_role_unknown", f"{place}[{n}].role")
    if not _last_is_assistant(messages):
        yield Problem("last_not_assistant", place)


def _last_is_assistant(messages: list[Message]) -> bool:
    return isinstance(messages[-1], dict) and messages[-1].get("role") == ASSISTANT
