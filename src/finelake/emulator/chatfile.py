"""Check and read a training file: JSON Lines, one chat example a line, or one preference example a line.

The line schema is that of the public OpenAPI description (supervised chat fine-tuning); an initial byte-order mark is
stripped, blank lines are skipped, anything else that is wrong makes the whole file an error, as the service does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from finelake.emulator import pictures
from finelake.emulator.pairfile import OTHER, PREFERRED, chat_with, check_shape, is_pair
from finelake.emulator.problems import LineProblem, refuse_keys
from finelake.emulator.wire import Json

LineKind = Literal["supervised", "dpo"]

BOM = b"\xef\xbb\xbf"
_LINE_KEYS = frozenset({"messages", "tools", "parallel_tool_calls", "functions"})
_SHARED_KEYS = frozenset({"role", "content", "name"})
_EXTRA_KEYS = {
    "system": frozenset[str](),
    "developer": frozenset[str](),
    "user": frozenset[str](),
    "assistant": frozenset({"weight", "tool_calls", "function_call", "refusal"}),
    "tool": frozenset({"tool_call_id"}),
    "function": frozenset[str](),
}
_FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SPECIAL_TOKEN = re.compile(
    r"<\|(?:endoftext|endofprompt|fim_prefix|fim_middle|fim_suffix|im_start|im_end|im_sep|start|end|message|channel"
    r"|constrain|return|call|refusal|reserved_\d+)\|>"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of checking a file: how many examples it has, and what is wrong with it or None."""

    examples: int
    problem: str | None


def check_file(path: Path) -> Verdict:
    """Check every line and stop at the first that is wrong."""
    examples = 0
    kinds: set[LineKind] = set()
    for number, raw in _lines(path):
        examples += 1
        try:
            kinds.add(check_line(_parse(raw)))
            if len(kinds) > 1:
                raise LineProblem("has another form than the examples before it.")
        except UnicodeDecodeError:
            return Verdict(examples, f"Invalid file format. Line {number} is not valid UTF-8.")
        except LineProblem as problem:
            return Verdict(examples, f"Invalid file format. Example {number} {problem}")
    if examples == 0:
        return Verdict(0, "Validation of jsonl file failed: No valid json line found in file.")
    return Verdict(examples, None)


def read_examples(path: Path) -> list[Json]:
    """Read the examples of a file that was checked."""
    return [_parse(raw) for _, raw in _lines(path)]


def count_examples(path: Path) -> int:
    """Count the examples of a file that was checked."""
    return sum(1 for _ in _lines(path))


def read_chats(path: Path) -> list[Json]:
    """Read the examples of a file that was checked as chats: of a preference example the preferred one."""
    return [chat_with(example) if is_pair(example) else example for example in read_examples(path)]


def kind_of(path: Path) -> LineKind:
    """Tell by its first example for which method a checked file is."""
    first = next((_parse(raw) for _, raw in _lines(path)), None)
    return "dpo" if is_pair(first) else "supervised"


def holds_pictures(path: Path) -> bool:
    """Tell whether any example of a checked file has a picture."""
    return any(b'"image_url"' in raw and pictures.pictures_in(_parse(raw)) > 0 for _, raw in _lines(path))


def check_line(example: object) -> LineKind:
    """Raise LineProblem when a line is neither a chat nor a preference example that can be trained."""
    if not isinstance(example, dict) or not is_pair(example):
        check_example(example)
        return "supervised"
    check_shape(example)
    for name in (PREFERRED, OTHER):
        check_example(chat_with(example, name))
    return "dpo"


def check_example(example: object) -> None:
    """Raise LineProblem when a line is not a chat example that can be trained."""
    if not isinstance(example, dict):
        raise LineProblem("is not a dictionary; every line must be a JSON dictionary.")
    refuse_keys(example, _LINE_KEYS, "has")
    messages = example.get("messages")
    if not isinstance(messages, list) or not messages:
        raise LineProblem("has no messages; 'messages' must be a non-empty list.")
    for place, message in enumerate(messages):
        _check_message(message, place)
    roles = [message["role"] for message in messages]
    for role in ("user", "assistant"):
        if role not in roles:
            raise LineProblem(f"must have at least one message from the {role}.")
    if roles[-1] != "assistant":
        raise LineProblem("must have its last message from the assistant.")
    _check_tools(example.get("tools"))
    if pictures.pictures_in(example) > pictures.MAX_IN_EXAMPLE:
        raise LineProblem(f"has more than {pictures.MAX_IN_EXAMPLE} images.")


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as source:
        for number, raw in enumerate(source, start=1):
            line = raw.removeprefix(BOM).strip() if number == 1 else raw.strip()
            if line:
                yield number, line


def _parse(raw: bytes) -> Json:
    try:
        parsed: Json = json.loads(raw.decode("utf-8"))
    except (json.JSONDecodeError, RecursionError):
        raise LineProblem("is not valid JSON.") from None
    return parsed


def _check_message(message: object, place: int) -> None:
    where = f"message {place}"
    if not isinstance(message, dict):
        raise LineProblem(f"{where} is not a dictionary.")
    role = message.get("role")
    if not isinstance(role, str) or role not in _EXTRA_KEYS:
        raise LineProblem(f"{where} has an unrecognized role; allowed are {', '.join(_EXTRA_KEYS)}.")
    refuse_keys(message, _SHARED_KEYS | _EXTRA_KEYS[role], f"{where} has")
    called = bool(message.get("tool_calls") or message.get("function_call"))
    _check_content(message.get("content"), where, role=role, may_be_null=role == "assistant" and called)
    if "weight" in message and (isinstance(message["weight"], bool) or message["weight"] not in (0, 1)):
        raise LineProblem(f"{where} has a weight that is not 0 or 1.")
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise LineProblem(f"{where} from a tool has no tool_call_id.")
    if message.get("tool_calls") is not None:
        _check_calls(message["tool_calls"], where)
    _check_texts(message, where)


def _check_content(content: object, where: str, *, role: str, may_be_null: bool) -> None:
    if content is None:
        if not may_be_null:
            raise LineProblem(f"{where} has no content.")
    elif isinstance(content, list):
        known = ("text", "refusal", "image_url") if role == "user" else ("text", "refusal")
        if not content or not all(isinstance(part, dict) and part.get("type") in known for part in content):
            raise LineProblem(f"{where} has content parts that are not {' or '.join(known)}.")
        problem = next(filter(None, map(pictures.problem_of, filter(pictures.is_picture, content))), None)
        if problem is not None:
            raise LineProblem(f"{where} has {problem}.")
    elif not isinstance(content, str):
        raise LineProblem(f"{where} has content that is neither a string nor a list of parts.")


def _check_calls(calls: object, where: str) -> None:
    if not isinstance(calls, list) or not calls:
        raise LineProblem(f"{where} has tool_calls that are not a non-empty list.")
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or call.get("type") != "function" or not isinstance(call.get("id"), str):
            raise LineProblem(f"{where} has a tool call without id, type 'function' or function.")
        if not _FUNCTION_NAME.fullmatch(str(function.get("name") or "")):
            raise LineProblem(f"{where} has a tool call whose function name is not 1 to 64 of A-Z a-z 0-9 _ -.")
        if not isinstance(function.get("arguments"), str):
            raise LineProblem(f"{where} has a tool call whose arguments are not a JSON string.")


def _check_tools(tools: object) -> None:
    if tools is None:
        return
    if not isinstance(tools, list):
        raise LineProblem("has tools that are not a list.")
    for tool in tools:
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not _FUNCTION_NAME.fullmatch(str(function.get("name") or "")):
            raise LineProblem("has a tool without a function that has a valid name.")


def _check_texts(message: Json, where: str) -> None:
    found = _find_text(message, lambda text: _SPECIAL_TOKEN.search(text) is not None)
    if found is not None:
        match = _SPECIAL_TOKEN.search(found)
        raise LineProblem(f"message contains an invalid token: {match.group() if match else ''}")
    if _find_text(message, _has_surrogate) is not None:
        raise LineProblem(f"{where} has text that is not valid Unicode.")


def _find_text(value: object, wanted: Callable[[str], bool]) -> str | None:
    if isinstance(value, str):
        return value if wanted(value) else None
    if pictures.is_picture(value):
        return None
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((hit for hit in (_find_text(one, wanted) for one in inner) if hit is not None), None)


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text) if not text.isascii() else False
