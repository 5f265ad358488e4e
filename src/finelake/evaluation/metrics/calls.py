"""Tool calls: the right tools, the right arguments, arguments that the tool's own schema allows.

They apply where the reference calls tools. A tool that is offered without parameters takes any arguments.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from finelake.evaluation.metrics.case import Case
from finelake.evaluation.metrics.metric import Metric, against_reference
from finelake.evaluation.metrics.validity import meets_schema
from finelake.evaluation.replies import Reply, ToolCall, canonical_arguments


def tool_name_match(answer: Reply, reference: Reply) -> float | None:
    """Tell whether the same tools are called, as often, in any order: 1 or 0; None for a reference in text."""
    if not reference.calls_tools:
        return None
    return float(Counter(call.name for call in answer.tool_calls) == Counter(c.name for c in reference.tool_calls))


def tool_call_match(answer: Reply, reference: Reply) -> float | None:
    """Tell whether the same tools are called with equal JSON arguments: 1 or 0; None for a reference in text.

    Arguments that are not JSON match nothing.
    """
    if not reference.calls_tools:
        return None
    found = _calls(answer)
    readable = all(arguments is not None for _, arguments in found)
    return float(readable and found == _calls(reference))


def tool_argument_match(answer: Reply, reference: Reply) -> float | None:
    """Give the F-measure of shared arguments, 0 to 1: each value with its tool, its path and its place counts as one.

    A call also counts by its name. None for a reference in text.
    """
    if not reference.calls_tools:
        return None
    said, expected = Counter(_facts(answer)), Counter(_facts(reference))
    shared = (said & expected).total()
    return 2.0 * shared / (said.total() + expected.total()) if shared else 0.0


def tool_arguments_valid(case: Case) -> float | None:
    """Tell whether the answer calls only tools on offer, with arguments that their schemas allow: 1 or 0."""
    if case.reference is None or not case.reference.calls_tools or not case.request.get("tools"):
        return None
    offered = {tool["function"]["name"]: tool["function"].get("parameters") for tool in case.request["tools"]}
    return float(case.answer.calls_tools and all(_is_valid(call, offered) for call in case.answer.tool_calls))


METRICS = (
    Metric("tool_name_match", "tool names match", 3, against_reference(tool_name_match), pass_fail=True),
    Metric("tool_call_match", "tool calls match", 3, against_reference(tool_call_match), pass_fail=True),
    Metric("tool_argument_match", "tool arguments match", 3, against_reference(tool_argument_match)),
    Metric("tool_arguments_valid", "tool arguments are valid", 3, tool_arguments_valid, pass_fail=True),
)


def _calls(reply: Reply) -> Counter[tuple[str, str | None]]:
    return Counter((call.name, canonical_arguments(call.arguments)) for call in reply.tool_calls)


def _facts(reply: Reply) -> Iterator[tuple[str, str, str]]:
    for call in reply.tool_calls:
        yield call.name, "", ""
        canonical = canonical_arguments(call.arguments)
        if canonical is not None:
            for path, value in _leaves(json.loads(canonical)):
                yield call.name, path, value


def _leaves(value: Any, path: str = "$") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, entry in value.items():
            yield from _leaves(entry, f"{path}.{key}")
    elif isinstance(value, list) and value:
        for place, entry in enumerate(value):
            yield from _leaves(entry, f"{path}[{place}]")
    else:
        yield path, json.dumps(value, ensure_ascii=False)


def _is_valid(call: ToolCall, offered: Mapping[str, Any]) -> bool:
    if call.name not in offered:
        return False
    return meets_schema(call.arguments, offered[call.name] or {"type": "object"})
