"""The tools of the service desk: their OpenAI definitions, the calls an agent makes and what they return."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from finelake.sample.case import Case

_STRING = {"type": "string"}
_DATE = {"type": "string", "description": "Day as YYYY-MM-DD."}
_ORDER = {"type": "string", "description": "Order number, LW- and five digits."}


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A tool with its parameters and, for each, the case value that it is called with (`=x` is the literal x).

    `result` names the case values it returns; `tells_case` makes its status the name of the case.
    """

    name: str
    description: str
    parameters: Mapping[str, Mapping[str, object]]
    arguments: Mapping[str, str]
    result: tuple[str, ...]
    tells_case: bool = False


_TOOLS = (
    Tool(
        name="lookup_order",
        description="Look up an order: bicycle, colour, dates and price in minor units.",
        parameters={"order_number": _ORDER},
        arguments={"order_number": "order"},
        result=(
            "product",
            "colour",
            "ordered_on",
            "bought_on",
            "delivered_on",
            "delivery_day",
            "final_day",
            "window",
            "price",
        ),
        tells_case=True,
    ),
    Tool(
        name="reschedule_delivery",
        description="Move the delivery of an order to another day.",
        parameters={"order_number": _ORDER, "new_day": _DATE},
        arguments={"order_number": "order", "new_day": "new_day"},
        result=("new_day", "new_window"),
    ),
    Tool(
        name="find_slots",
        description="List the free workshop slots of a branch on a day.",
        parameters={
            "branch": _STRING,
            "day": _DATE,
            "service": {"type": "string", "enum": ["quick", "full"]},
        },
        arguments={"branch": "branch", "day": "visit_day", "service": "case"},
        result=("branch", "visit_day", "visit_time"),
    ),
    Tool(
        name="book_appointment",
        description="Book a workshop slot for a bicycle.",
        parameters={
            "branch": _STRING,
            "day": _DATE,
            "time": _STRING,
            "service": {"type": "string", "enum": ["quick", "full"]},
            "product": _STRING,
        },
        arguments={
            "branch": "branch",
            "day": "visit_day",
            "time": "visit_time",
            "service": "case",
            "product": "product",
        },
        result=("case_no", "visit_day", "visit_time", "ready_day"),
    ),
    Tool(
        name="check_warranty",
        description="Tell until when a part of an ordered bicycle is under warranty.",
        parameters={
            "order_number": _ORDER,
            "part": {"type": "string", "enum": ["frame", "battery", "wear"]},
        },
        arguments={"order_number": "order", "part": "=battery"},
        result=("warranty_until", "cycles"),
        tells_case=True,
    ),
    Tool(
        name="find_ride",
        description="Look up a shared-bike ride: minutes, start and fee in minor units.",
        parameters={"ride_code": {"type": "string", "description": "Ride code, S- and five characters."}},
        arguments={"ride_code": "ride"},
        result=("ride_day", "ride_minutes", "bay", "bike_no", "fee"),
        tells_case=True,
    ),
    Tool(
        name="get_invoice",
        description="Look up an invoice: date, bicycle and total in minor units.",
        parameters={"invoice_number": {"type": "string", "description": "Invoice number, R, year and six digits."}},
        arguments={"invoice_number": "invoice"},
        result=("invoice_day", "product", "price"),
    ),
    Tool(
        name="check_opening_hours",
        description="Tell the opening hours of a branch on a day.",
        parameters={"branch": _STRING, "day": _DATE},
        arguments={"branch": "branch", "day": "asked_day"},
        result=("street", "open_day", "open_hours"),
        tells_case=True,
    ),
    Tool(
        name="check_stock",
        description="Count the bicycles of a model on the floor of a branch.",
        parameters={"branch": _STRING, "product": _STRING},
        arguments={"branch": "branch", "product": "product"},
        result=("branch", "stock"),
    ),
)
TOOLS: Mapping[str, Tool] = MappingProxyType({tool.name: tool for tool in _TOOLS})


def tool_definitions() -> list[dict[str, object]]:
    """Return the OpenAI tool definitions (JSON schema) of all tools, as a fresh list."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": {
                    "type": "object",
                    "properties": {name: dict(schema) for name, schema in tool.parameters.items()},
                    "required": list(tool.parameters),
                    "additionalProperties": False,
                },
            },
        }
        for tool in _TOOLS
    ]


def tool_call(name: str, *, call_id: str, case: Case) -> dict[str, object]:
    """Return a tool call in OpenAI form, its arguments being a JSON string."""
    arguments = {
        parameter: value[1:] if value.startswith("=") else _value(value, case)
        for parameter, value in TOOLS[name].arguments.items()
    }
    function = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
    return {"id": call_id, "type": "function", "function": function}


def tool_result(name: str, *, case: Case) -> str:
    """Return what the tool answers, as JSON text; values that the case does not have are left out."""
    found = {key: case.raw[key] for key in TOOLS[name].result if key in case.raw}
    status = case.name if TOOLS[name].tells_case else "ok"
    return json.dumps({"status": status} | found, ensure_ascii=False)


def _value(name: str, case: Case) -> str | int:
    return case.name if name == "case" else case.raw[name]
