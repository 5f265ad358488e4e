"""Make a training example of a repaired conversation: system prompt, tool definitions, weights, line and hash."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from finelake.chat import ASSISTANT, SYSTEM, USER, Message, decode_json, encode_json, function_name_is_valid, line_of
from finelake.conversations.turns import Repaired
from finelake.conversations.windows import Span
from finelake.errors import ConfigError
from finelake.rules.registry import Rule, register

SystemPolicy = Literal["keep", "inject", "replace"]
ToolMode = Literal["none", "called", "all"]
TrainPolicy = Literal["all", "last"]
Side = Literal["reply", "user", "both"]

REPLY_NOT_LAST = register(
    Rule(
        code="reply_not_last",
        step="example",
        action="untrain",
        summary="Only the last reply is trained (examples.train: last); earlier ones stay as context with weight 0.",
        policy_key="train",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemPrompt:
    """What to do with the system prompt.

    keep: leave as it is · inject: add `text` where the conversation has none · replace: `text` instead of any.
    """

    policy: SystemPolicy = "keep"
    text: str | None = None

    def __post_init__(self) -> None:
        _check_choice("System prompt policy", self.policy, get_args(SystemPolicy))
        if self.policy != "keep" and not (self.text and self.text.strip()):
            raise ConfigError(f"System prompt policy {self.policy!r} needs a text; none is set. Set the text.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSet:
    """Tool definitions by function name, in the order they are written, and which ones an example carries.

    none: no definitions · called: those of the functions that the conversation calls · all: every one. A definition
    is `{"type": "function", "function": {...}}` or the inner object; its name is the key when it gives none.
    """

    definitions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mode: ToolMode = "none"
    encoded: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_choice("Tool mode", self.mode, get_args(ToolMode))
        object.__setattr__(self, "encoded", {name: _encode_tool(name, tool) for name, tool in self.definitions.items()})

    def select(self, called: set[str]) -> list[str]:
        """Return the names of the definitions that an example with these calls carries."""
        if self.mode == "none":
            return []
        return [name for name in self.encoded if self.mode == "all" or name in called]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamplePolicy:
    """How examples are made; `train` last trains the last reply only, whose weight is not 0."""

    system: SystemPrompt = field(default_factory=SystemPrompt)
    tools: ToolSet = field(default_factory=ToolSet)
    train: TrainPolicy = "all"

    def __post_init__(self) -> None:
        _check_choice("Train policy", self.train, get_args(TrainPolicy))


@dataclass(slots=True)
class Example:
    """One training example: its exact line, its messages as in the line, and what surrounds them.

    `trained[m]` says whether message m is trained on, `positions[m]` which raw turns it is made of (none for an
    injected system prompt), `undefined` which called functions have no definition although definitions are carried.
    `not_last` are the raw turns of replies that the train policy leaves out.
    """

    line: str
    messages: list[Message]
    tools_json: str
    trained: list[bool]
    positions: list[list[int]]
    undefined: list[str]
    not_last: list[int]


def build_example(repaired: Repaired, *, policy: ExamplePolicy | None = None) -> Example:
    """Build the example of a kept conversation; the messages of `repaired` stay untouched."""
    policy = policy or ExamplePolicy()
    messages, weights, positions = _with_system_prompt(repaired, policy.system)
    trained = _trained(messages, weights, policy.train)
    left_out = [n for n, message in enumerate(messages) if message["role"] == ASSISTANT and not trained[n]]
    not_last = sorted({position for n in left_out if weights[n] != 0 for position in positions[n]})
    messages = _weighted(messages, trained)
    tools_json = ""
    undefined: list[str] = []
    if policy.tools.mode != "none":
        called = called_functions(messages)
        encoded = policy.tools.encoded
        selected = policy.tools.select(called)
        tools_json = "[" + ",".join(encoded[name] for name in selected) + "]" if selected else ""
        undefined = sorted(called.difference(encoded))
    return Example(line_of(messages, tools_json), messages, tools_json, trained, positions, undefined, not_last)


def window_of(example: Example, span: Span, *, lead: int) -> Example:
    """Build the example of a window: the `lead` leading messages and the span's, of which the fresh are trained."""
    chosen = [*range(lead), *range(span.start, span.end)]
    trained = [example.trained[n] and n >= span.fresh for n in chosen]
    plain = [{key: value for key, value in example.messages[n].items() if key != "weight"} for n in chosen]
    messages = _weighted(plain, trained)
    positions = [example.positions[n] for n in chosen]
    line = line_of(messages, example.tools_json)
    return Example(line, messages, example.tools_json, trained, positions, example.undefined, example.not_last)


def system_key(messages: Sequence[Message]) -> str | None:
    """Return 16 hex digits of the SHA-256 of the system prompts, None without any: equal prompts have equal keys."""
    prompts = [message["content"] or "" for message in messages if message["role"] == SYSTEM]
    if not prompts:
        return None
    return hashlib.sha256("\x1e".join(prompts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def called_functions(messages: Sequence[Message]) -> set[str]:
    """Return the names of the functions that the messages call."""
    return {call["function"]["name"] for message in messages for call in message.get("tool_calls") or ()}


def last_reply(messages: Sequence[Message]) -> str:
    """Return the text of the last assistant message, "" when there is none or it only calls tools."""
    return next((message["content"] or "" for message in reversed(messages) if message["role"] == ASSISTANT), "")


def last_user(messages: Sequence[Message]) -> str:
    """Return the text of the last user message, "" when there is none."""
    return next((message["content"] for message in reversed(messages) if message["role"] == USER), "")


def normalised_contents(messages: Sequence[Message]) -> list[str]:
    """Return the normalised content of each message, "" for a system prompt, for `dedup_key` and `compared_text`."""
    return ["" if message["role"] == SYSTEM else normalise(message["content"] or "") for message in messages]


def dedup_key(messages: Sequence[Message], contents: Sequence[str] | None = None) -> str:
    """Return the SHA-256 (hex) of the normalised user, assistant and tool messages, for exact duplicates.

    Left out: the system prompt, weights, tool definitions and call ids. Text goes through `normalise`; the arguments
    of a call are compared as JSON, with sorted keys. Roles and message borders count.
    """
    digest = hashlib.sha256()
    parts: list[str] = []
    for message, content in zip(messages, contents or normalised_contents(messages), strict=True):
        role = message["role"]
        if role == SYSTEM:
            continue
        parts.append(f"\x1e{role}\x1f{content}")
        for call in message.get("tool_calls") or ():
            function = call["function"]
            parts.append(f"\x1f{function['name']}\x1f{normalise(_canonical(function['arguments']))}")
    digest.update("".join(parts).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def compared_text(messages: Sequence[Message], contents: Sequence[str] | None = None, *, side: Side) -> str:
    """Return the normalised text that near duplicates are compared by, one message a line.

    reply: what the assistant says and calls, and the last user turn · user: the user turns · both: all of these. The
    system prompt and tool results are left out: they are shared by strangers.
    """
    last = max((n for n, message in enumerate(messages) if message["role"] == USER), default=-1)
    parts = []
    for n, (message, content) in enumerate(zip(messages, contents or normalised_contents(messages), strict=True)):
        role = message["role"]
        if (role == ASSISTANT and side != "user") or (role == USER and (side != "reply" or n == last)):
            parts.append(content)
            parts += [
                f"{call['function']['name']} {normalise(_canonical(call['function']['arguments']))}"
                for call in message.get("tool_calls") or ()
            ]
    return "\n".join(part for part in parts if part)


def normalise(text: str) -> str:
    """Return the text as duplicates are compared: NFKC, casefold, NFKC, invisible characters out, white space one.

    Invisible are control characters, soft hyphen, zero-width and direction marks; white space becomes one space.
    """
    if text.isascii():
        text = text.lower()
    else:
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    if not text.isprintable():
        text = _drop_invisible("", text)
    elif "  " not in text:
        return text.strip(" ")  # the space is the only white space that is printable
    return " ".join(text.split())


_drop_invisible = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
).sub


def _canonical(arguments: str) -> str:
    return json.dumps(decode_json(arguments), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _with_system_prompt(
    repaired: Repaired, prompt: SystemPrompt
) -> tuple[list[Message], list[int | None], list[list[int]]]:
    messages, weights, positions = repaired.messages, repaired.weights, repaired.positions
    has_prompt = bool(messages) and messages[0]["role"] == SYSTEM
    if prompt.policy == "keep" or (prompt.policy == "inject" and has_prompt):
        return messages, weights, positions
    first: Message = {"role": SYSTEM, "content": prompt.text}
    if has_prompt:
        return [first, *messages[1:]], weights, positions
    return [first, *messages], [None, *weights], [[], *positions]


def _trained(messages: Sequence[Message], weights: Sequence[int | None], train: TrainPolicy) -> list[bool]:
    trained = [message["role"] == ASSISTANT and weight != 0 for message, weight in zip(messages, weights, strict=True)]
    if train == "last" and True in trained:
        last = len(trained) - 1 - trained[::-1].index(True)
        return [n == last for n in range(len(trained))]
    return trained


def _weighted(messages: Sequence[Message], trained: Sequence[bool]) -> list[Message]:
    """Write weights on every assistant message where one of them is not trained."""
    if all(trained[n] for n, message in enumerate(messages) if message["role"] == ASSISTANT):
        return list(messages)
    return [
        {**message, "weight": int(trained[n])} if message["role"] == ASSISTANT else message
        for n, message in enumerate(messages)
    ]


def _encode_tool(name: str, tool: Mapping[str, Any]) -> str:
    function = tool.get("function") if "function" in tool else tool
    if not isinstance(function, Mapping):
        raise ConfigError(f"The definition of tool {name!r} has a 'function' that is not an object. Give an object.")
    function = {"name": name, **function}
    if function["name"] != name or not function_name_is_valid(name):
        raise ConfigError(
            f"The definition of tool {name!r} has the function name {function['name']!r}; both must be the same, "
            "1 to 64 of the characters A-Z, a-z, 0-9, _ and -."
        )
    try:
        return encode_json({"type": "function", "function": function})
    except (TypeError, ValueError) as error:
        raise ConfigError(f"The definition of tool {name!r} is not JSON: {error}. Use JSON values only.") from None


def _check_choice(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{what} is {value!r}; allowed are {', '.join(allowed)}.")
