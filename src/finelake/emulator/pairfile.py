"""Preference lines (DPO): two answers to one input, checked as the service does, and read as chats."""

from __future__ import annotations

from finelake.emulator.problems import LineProblem, refuse_keys
from finelake.emulator.wire import Json

PREFERRED, OTHER = "preferred_output", "non_preferred_output"
_KEYS = frozenset({"input", PREFERRED, OTHER})
_INPUT_KEYS = frozenset({"messages", "tools", "parallel_tool_calls"})


def is_pair(example: object) -> bool:
    """Tell whether a line is meant to be a preference line."""
    return isinstance(example, dict) and not _KEYS.isdisjoint(example)


def check_shape(example: Json) -> None:
    """Raise LineProblem unless there are an input with messages and two answers of assistant and tool messages."""
    refuse_keys(example, _KEYS, "has")
    given = example.get("input")
    if not isinstance(given, dict) or not isinstance(given.get("messages"), list) or not given["messages"]:
        raise LineProblem("has no input with messages.")
    refuse_keys(given, _INPUT_KEYS, "has an input with")
    for name in (PREFERRED, OTHER):
        answer = example.get(name)
        roles = (
            [one.get("role") if isinstance(one, dict) else None for one in answer] if isinstance(answer, list) else []
        )
        if "assistant" not in roles or not set(roles) <= {"assistant", "tool"}:
            raise LineProblem(f"must have a {name} of assistant and tool messages, one of the assistant at least.")


def chat_with(example: Json, name: str = PREFERRED) -> Json:
    """Return the input followed by one answer, of which alone something is trained."""
    given = example["input"]
    before = [{**one, "weight": 0} if _is_assistant(one) else one for one in given["messages"]]
    rest = {key: value for key, value in given.items() if key != "messages"}
    return {"messages": [*before, *example[name]], **rest}


def _is_assistant(message: object) -> bool:
    return isinstance(message, dict) and message.get("role") == "assistant"
