"""Chats for the Hugging Face tests: several turns, tool calls, turns that are not to be learnt, and pairs."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

GOODS = ("lamp", "kettle", "desk", "radio", "tent", "scarf", "clock", "mirror")
PLACES = ("Lisbon", "Kyoto", "Graz", "Malmö", "Oaxaca", "Tromsø")
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "track_order",
            "description": "Tell where an order is.",
            "parameters": {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]},
        },
    }
]


def plain(number: int) -> dict[str, Any]:
    """Give a chat of several turns; every second one has a first reply that is not to be learnt."""
    rng = Random(number)
    good, place = rng.choice(GOODS), rng.choice(PLACES)
    weight = {"weight": 0} if number % 2 else {}
    later = {"weight": 1} if number % 2 else {}
    return {
        "messages": [
            {"role": "system", "content": "You answer for a shop."},
            {"role": "user", "content": f"Where is my {good}?"},
            {"role": "assistant", "content": f"Your {good} left {place} on day {number}.", **weight},
            {"role": "user", "content": "And when will it be here? 何時ですか"},
            {"role": "assistant", "content": f"The {good} arrives in {rng.randint(2, 9)} days. すぐに。", **later},
        ]
    }


def with_tools(number: int) -> dict[str, Any]:
    """Give a chat whose assistant calls a tool and answers from the result."""
    order, place = f"A-{number:04d}", Random(number).choice(PLACES)
    call = {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": "track_order", "arguments": json.dumps({"order": order})},
    }
    return {
        "messages": [
            {"role": "user", "content": f"Track {order}, please."},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": json.dumps({"place": place})},
            {"role": "assistant", "content": f"It is in {place}."},
        ],
        "tools": TOOLS,
    }


def chats(count: int) -> list[dict[str, Any]]:
    """Give chats of both kinds."""
    return [with_tools(number) if number % 3 == 2 else plain(number) for number in range(count)]


def pair(number: int) -> dict[str, Any]:
    """Give a pair of answers, of which the polite one is preferred."""
    good = Random(number).choice(GOODS)
    return {
        "input": {"messages": [{"role": "user", "content": f"May I return the {good} {number}?"}]},
        "preferred_output": [{"role": "assistant", "content": f"Yes, you may return the {good}."}],
        "non_preferred_output": [{"role": "assistant", "content": "No idea, look it up."}],
    }


def write_lines(path: Path, lines: list[dict[str, Any]]) -> Path:
    """Write lines of JSON as they are published."""
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def texts(lines: list[dict[str, Any]]) -> list[str]:
    """Give everything said in chats, to fit a tokenizer to."""
    return [json.dumps(line, ensure_ascii=False) for line in lines]
