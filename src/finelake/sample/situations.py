"""Fill a case with the facts of its scenario: dates, kilometres, fees and what the rules make of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from random import Random
from types import MappingProxyType

from finelake.sample.case import Case, invoice_number, new_case
from finelake.sample.phrasebook import Phrasebook
from finelake.sample.policy import (
    DELIVERY_DAYS,
    RULES,
    SATURDAY,
    SUNDAY,
    add_working_days,
    add_years,
    next_working_day,
    overtime_quarters,
)
from finelake.sample.scenarios import Scenario


def build_case(scenario: Scenario, *, book: Phrasebook, today: date, rng: Random) -> Case:
    """Choose one of the scenario's cases and work out all its values."""
    case = new_case(rng.choice(scenario.cases), book=book, today=today, rng=rng)
    _SITUATIONS[scenario.key](case)
    case.words(dict(book.scenario(scenario.key).words.get(case.name, {})))
    return case


def _days_ago(case: Case, low: int, high: int) -> date:
    return case.today - timedelta(days=case.rng.randint(low, high))


def _windows(case: Case) -> None:
    choices = case.book.data["windows"]
    case.put(window=case.rng.choice(choices), new_window=case.rng.choice(choices))


def _where_order(case: Case) -> None:
    _windows(case)
    lead = DELIVERY_DAYS[case.product()]
    ordered = _days_ago(case, 1, lead - 1)
    planned = add_working_days(ordered, lead)
    new = add_working_days(planned, case.rng.randint(2, 5))
    case.put(lead=lead)
    final = new if case.name == "late" else planned
    case.short(ordered_on=ordered, delivery_day=planned, new_day=new, final_day=final)


def _move_delivery(case: Case) -> None:
    _windows(case)
    ahead = 0 if case.name == "too_late" else case.rng.randint(2, 6)
    planned = add_working_days(next_working_day(case.today), ahead)
    new = add_working_days(planned, case.rng.randint(1, 6))
    case.short(delivery_day=planned, new_day=new, final_day=new)


def _book_service(case: Case) -> None:
    visit = add_working_days(case.today, case.rng.randint(2, 9))
    while visit.weekday() == case.branch.closed:
        visit = add_working_days(visit, 1)
    minute = case.rng.choice([0, 20, 40])
    case.put(visit_time=case.book.clock(9, minute) if minute else case.book.clock(10, 10), visit_minute=minute)
    ready = add_working_days(visit, 2 if case.name == "full" else 0)
    case.short(visit_day=visit, ready_day=ready)


def _first_inspection(case: Case) -> None:
    bought = _days_ago(case, 14, RULES["inspection_weeks"] * 7 - 5)
    limit = RULES["inspection_km"]
    free = case.name == "free"
    case.put(km=case.rng.randint(40, limit - 10) if free else case.rng.randint(limit + 8, limit * 3))
    case.long(bought_on=bought)
    case.short(inspection_until=bought + timedelta(weeks=RULES["inspection_weeks"]))


def _battery(case: Case) -> None:
    case.product("kestrel")
    days = RULES["battery_years"] * 365
    bought = _days_ago(case, 150, days - 30) if case.name == "covered" else _days_ago(case, days + 20, days + 700)
    case.long(bought_on=bought, warranty_until=add_years(bought, RULES["battery_years"]))
    case.put(cycles=case.rng.randint(120, RULES["battery_cycles"] - 15), km_range=case.rng.randint(9, 31))
    price = int(case.raw["battery"])
    case.money(battery_goodwill=price * (100 - RULES["goodwill"]) // 100)


def _frame(case: Case) -> None:
    years = RULES["frame_years" if case.name == "first" else "second_owner_years"]
    days = years * 365
    bought = _days_ago(case, days + 10, days + 900) if case.name == "lapsed" else _days_ago(case, 200, days - 40)
    case.long(bought_on=bought, warranty_until=add_years(bought, years))


def _ride_fee(case: Case) -> None:
    case.short(ride_day=_days_ago(case, 1, 12))
    over = case.name == "overtime"
    limit = RULES["ride_limit"]
    minutes = case.rng.randint(limit + 3, limit + 110) if over else case.rng.randint(9, 55)
    quarters = overtime_quarters(minutes)
    fee = quarters * int(case.raw["overtime"]) if over else int(case.raw["outside"])
    case.put(ride_minutes=minutes, over_minutes=minutes - limit, quarters=quarters)
    case.money(fee=fee)
    _bays(case)


def _bays(case: Case) -> None:
    first, second = case.rng.sample(list(case.book.data["places"]), 2)
    form = str(case.book.data["bay"])
    case.put(
        bay=form.format(number=case.rng.randint(3, 60), place=first),
        bay2=form.format(number=case.rng.randint(61, 99), place=second),
    )


def _passes(case: Case) -> None:
    feather = case.name == "feather"
    minutes = case.rng.randint(8, 29) if feather else case.rng.randint(34, 58)
    case.put(rides=case.rng.randint(4, 14), trip_minutes=minutes)
    case.money(pass_price=int(case.raw["feather" if feather else "wing"]))
    _bays(case)


def _login_code(case: Case) -> None:
    case.put(typed_minutes=case.rng.randint(RULES["code_minutes"] + 1, 75), tries=case.rng.randint(6, 19))


def _close_account(case: Case) -> None:
    case.money(credit=case.rng.randrange(210, 4800, 5))
    case.short(erase_on=case.today + timedelta(days=RULES["erase_days"]))


def _invoice_copy(case: Case) -> None:
    day = _days_ago(case, 3, 600)
    case.long(invoice_day=day, invoice_until=add_years(day, RULES["invoice_months"] // 12))
    case.long(due_on=day + timedelta(days=RULES["due_days"]))
    case.put(invoice=invoice_number(case.rng, day))


def _invoice_fix(case: Case) -> None:
    limit = RULES["correction_days"]
    day = _days_ago(case, 1, limit - 1) if case.name == "in_time" else _days_ago(case, limit + 2, limit + 80)
    case.long(invoice_day=day)
    case.short(correction_until=day + timedelta(days=limit))
    case.put(firm=case.rng.choice(case.book.data["firms"]), invoice=invoice_number(case.rng, day))


def _return_bike(case: Case) -> None:
    days, limit = RULES["return_days"], RULES["max_return_km"]
    delivered = _days_ago(case, days + 2, days + 40) if case.name == "too_late" else _days_ago(case, 4, days - 2)
    km = case.rng.randint(limit + 6, limit * 4) if case.name == "too_far" else case.rng.randint(3, limit - 2)
    case.put(km=km)
    case.short(delivered_on=next_working_day(delivered), return_by=next_working_day(delivered) + timedelta(days=days))
    case.money(price_less=int(case.raw["price"]) * (100 - RULES["wear_percent"]) // 100)


def _opening(case: Case) -> None:
    asked = case.today + timedelta(days=case.rng.randint(1, 12))
    wanted_closed = case.name == "closed"
    while asked.weekday() == SUNDAY or (asked.weekday() == case.branch.closed) != wanted_closed:
        asked += timedelta(days=1)
    next_day = asked + timedelta(days=1)
    opened = next_day if wanted_closed else asked
    case.short(asked_day=asked, next_day=next_day, open_day=opened)
    hours = {day: case.branch.saturday if day.weekday() == SATURDAY else case.branch.hours for day in (asked, next_day)}
    case.put(hours=hours[asked], next_hours=hours[next_day], open_hours=hours[opened], stock=case.rng.randint(2, 7))


_SITUATIONS: Mapping[str, Callable[[Case], None]] = MappingProxyType(
    {
        "where_order": _where_order,
        "move_delivery": _move_delivery,
        "book_service": _book_service,
        "first_inspection": _first_inspection,
        "battery": _battery,
        "frame": _frame,
        "ride_fee": _ride_fee,
        "passes": _passes,
        "login_code": _login_code,
        "close_account": _close_account,
        "invoice_copy": _invoice_copy,
        "invoice_fix": _invoice_fix,
        "return_bike": _return_bike,
        "opening": _opening,
    }
)
