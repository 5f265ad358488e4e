"""What customers write about: topic, possible cases, and the reference number and tools the agent needs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """A kind of request; `steps` are the tool calls of the agent, calls of one step being made in parallel."""

    key: str
    topic: str
    cases: tuple[str, ...]
    reference: str = ""
    steps: tuple[tuple[str, ...], ...] = ()


BAD_NEWS = frozenset(
    {
        "where_order.late",
        "move_delivery.too_late",
        "first_inspection.paid",
        "battery.expired",
        "frame.lapsed",
        "ride_fee.overtime",
        "invoice_fix.late",
        "return_bike.too_late",
        "return_bike.too_far",
    }
)
SCENARIOS = (
    Scenario(
        key="where_order",
        topic="delivery",
        cases=("planned", "planned", "late"),
        reference="order",
        steps=(("lookup_order",),),
    ),
    Scenario(
        key="move_delivery",
        topic="delivery",
        cases=("in_time", "in_time", "too_late"),
        reference="order",
        steps=(("lookup_order",), ("reschedule_delivery",)),
    ),
    Scenario(
        key="book_service",
        topic="workshop",
        cases=("quick", "full"),
        steps=(("find_slots",), ("book_appointment",)),
    ),
    Scenario(key="first_inspection", topic="workshop", cases=("free", "paid")),
    Scenario(
        key="battery",
        topic="warranty",
        cases=("covered", "expired"),
        reference="order",
        steps=(("lookup_order", "check_warranty"),),
    ),
    Scenario(key="frame", topic="warranty", cases=("first", "second", "lapsed")),
    Scenario(
        key="ride_fee",
        topic="sharing",
        cases=("overtime", "outside"),
        reference="ride",
        steps=(("find_ride",),),
    ),
    Scenario(key="passes", topic="sharing", cases=("feather", "wing")),
    Scenario(key="login_code", topic="account", cases=("expired",)),
    Scenario(key="close_account", topic="account", cases=("any",)),
    Scenario(
        key="invoice_copy",
        topic="invoice",
        cases=("any",),
        reference="invoice",
        steps=(("get_invoice",),),
    ),
    Scenario(
        key="invoice_fix",
        topic="invoice",
        cases=("in_time", "late"),
        reference="invoice",
        steps=(("get_invoice",),),
    ),
    Scenario(
        key="return_bike",
        topic="returns",
        cases=("ok", "too_late", "too_far"),
        reference="order",
        steps=(("lookup_order",),),
    ),
    Scenario(
        key="opening",
        topic="opening_hours",
        cases=("open", "open", "closed"),
        steps=(("check_opening_hours", "check_stock"),),
    ),
)
