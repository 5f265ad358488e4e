"""Check a chat request as the service does, before anything answers it."""

from __future__ import annotations

from dataclasses import dataclass

from finelake.emulator.errors import ApiError, invalid
from finelake.emulator.wire import Json

MAX_MESSAGES = 2048
MAX_TOOLS = 128
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A checked request; `functions` are those that may be called."""

    messages: list[Json]
    tools: list[Json]
    functions: frozenset[str]
    max_tokens: int | None


def parse_chat(body: Json) -> ChatRequest:
    """Return the request; ApiError 400 when something in it is wrong or not offered here."""
    if body.get("stream"):
        raise invalid("The rehearsal service does not stream; send the request with stream false.", param="stream")
    if body.get("n") not in (None, 1):
        raise invalid("The rehearsal service gives one choice; leave n out or send 1.", param="n")
    temperature = body.get("temperature")
    if temperature is not None and not (isinstance(temperature, int | float) and 0 <= temperature <= 2):
        raise invalid("temperature must be from 0 to 2.", param="temperature")
    messages = body.get("messages")
    if not isinstance(messages, list) or not 1 <= len(messages) <= MAX_MESSAGES:
        raise invalid(f"messages must be a list of 1 to {MAX_MESSAGES} messages.", param="messages")
    _check_messages(messages)
    tools = body.get("tools") or []
    if not isinstance(tools, list) or len(tools) > MAX_TOOLS:
        raise invalid(f"tools must be a list of at most {MAX_TOOLS} tools.", param="tools")
    offered = (
        frozenset(_function_name(tool) for tool in tools) if body.get("tool_choice") != "none" else frozenset[str]()
    )
    return ChatRequest(messages, tools, offered, _max_tokens(body))


def check_context(tokens: int, limit: int) -> None:
    """Raise 400 when the prompt is longer than the model can read."""
    if tokens > limit:
        raise ApiError(
            400,
            "context_length_exceeded",
            f"This model's maximum context length is {limit} tokens. However, your messages resulted in {tokens} "
            "tokens. Please reduce the length of the messages.",
            param="messages",
        )


def _max_tokens(body: Json) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        value = body.get(name)
        if value is not None:
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise invalid(f"{name} must be a whole number of 1 or more.", param=name)
            return value
    return None


def _function_name(tool: object) -> str:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise invalid("Every tool must have a function with a name.", param="tools")
    return str(function["name"])


def _check_messages(messages: list[Json]) -> None:
    """Check roles, content, and that every tool call is answered by its result and nothing else is."""
    open_calls: set[str] = set()
    for place, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in _ROLES:
            raise invalid(f"Invalid value for messages[{place}].role.", param=f"messages[{place}].role")
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                raise invalid(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
                    "'tool_calls'.",
                    param=f"messages[{place}].role",
                )
            open_calls.discard(message["tool_call_id"])
        elif open_calls:
            break
        _check_content(message, place)
        open_calls |= {str(call.get("id")) for call in message.get("tool_calls") or []}
    if open_calls:
        raise invalid(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            "'tool_call_id'.",
            param="messages",
        )


def _check_content(message: Json, place: int) -> None:
    content = message.get("content")
    calls = message.get("tool_calls")
    if calls is not None and not (isinstance(calls, list) and all(_is_call(call) for call in calls)):
        raise invalid("tool_calls must be a list of function calls.", param=f"messages[{place}].tool_calls")
    if content is None and not (message["role"] == "assistant" and (calls or message.get("function_call"))):
        raise invalid("Invalid value for 'content': expected a string, got null.", param=f"messages[{place}].content")
    if content is not None and not isinstance(content, str | list):
        raise invalid("Invalid type for 'content': expected a string.", param=f"messages[{place}].content")


def _is_call(call: object) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return (
        isinstance(function, dict)
        and isinstance(function.get("name"), str)
        and isinstance(function.get("arguments"), str)
    )
