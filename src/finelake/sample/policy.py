"""The house rules of Larkwheel, the invented company of the sample: what a tuned model can learn and a base cannot."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType

RULES: Mapping[str, int] = MappingProxyType(
    {
        "battery_cycles": 700,
        "battery_years": 3,
        "bay_metres": 25,
        "bench_hours": 7,
        "bonus_percent": 8,
        "calibration_km": 450,
        "cancel_hours": 22,
        "capacity": 68,
        "child_age": 6,
        "code_minutes": 12,
        "correction_days": 14,
        "discount": 35,
        "due_days": 21,
        "erase_days": 21,
        "export_days": 9,
        "export_hours": 5,
        "feather_minutes": 30,
        "frame_days": 11,
        "frame_no_length": 11,
        "frame_years": 12,
        "goodwill": 30,
        "hold_days": 9,
        "inspection_km": 300,
        "inspection_minutes": 35,
        "inspection_weeks": 10,
        "invoice_months": 36,
        "jam_minutes": 20,
        "late_minutes": 25,
        "late_plumes": 40,
        "letter_chars": 14,
        "letter_days": 4,
        "limit_percent": 15,
        "lock_minutes": 50,
        "lock_tries": 6,
        "mail_minutes": 15,
        "max_return_km": 60,
        "notice_days": 6,
        "paint_years": 7,
        "parking": 8,
        "pause_minutes": 18,
        "photo_days": 3,
        "plume_day": 5,
        "plume_months": 18,
        "pressure": 4,
        "refund_days": 6,
        "return_days": 45,
        "ride_limit": 90,
        "ride_months": 24,
        "second_owner_years": 5,
        "senior_age": 66,
        "sms_minutes": 4,
        "test_minutes": 40,
        "trusted_days": 90,
        "voucher_rides": 6,
        "wear_months": 8,
        "wear_percent": 20,
        "welcome_plumes": 25,
        "wing_minutes": 60,
    }
)
CLOCKS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"cutoff": (18, 0), "hold_time": (16, 45), "ready_time": (17, 15), "sms_time": (7, 10)}
)
DELIVERY_DAYS: Mapping[str, int] = MappingProxyType({"heron": 9, "wren": 4, "kestrel": 6, "siskin": 5, "robin": 3})
WALK_IN_WEEKDAY = 1
SATURDAY = 5
SUNDAY = 6


def add_working_days(start: date, days: int) -> date:
    """Return the day that lies `days` working days (Monday to Friday) after the start."""
    day = start
    while days > 0:
        day += timedelta(days=1)
        days -= day.weekday() < SATURDAY
    return day


def next_working_day(day: date) -> date:
    """Return the day itself, or the Monday after it when it falls on a weekend."""
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    return day


def add_years(start: date, years: int) -> date:
    """Return the same day some years later; 29 February becomes 28 February."""
    day = 28 if (start.month, start.day) == (2, 29) else start.day
    return date(start.year + years, start.month, day)


def overtime_quarters(ride_minutes: int) -> int:
    """Return how many begun quarters of an hour a ride lasts beyond the free limit."""
    return -(-max(0, ride_minutes - RULES["ride_limit"]) // 15)
