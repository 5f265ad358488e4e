"""One customer's case: the values that the templates and the tool results of its conversation share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from finelake.sample.grammar import choose
from finelake.sample.phrasebook import Branch, Phrasebook
from finelake.sample.policy import CLOCKS, RULES, WALK_IN_WEEKDAY

_CODE_LETTERS = "ABCDEFGHKLMNPRSTUVWXYZ23456789"


@dataclass(kw_only=True, slots=True)
class Case:
    """A case in the making: `slots` holds display text, `raw` what a tool would return."""

    name: str
    book: Phrasebook
    today: date
    rng: Random
    branch: Branch
    slots: dict[str, str] = field(default_factory=dict)
    raw: dict[str, str | int] = field(default_factory=dict)

    def put(self, **values: str | int) -> None:
        """Set plain values."""
        self.raw.update(values)
        self.slots.update({name: str(value) for name, value in values.items()})

    def short(self, **days: date) -> None:
        """Set dates that are written with their weekday."""
        for name, day in days.items():
            self.raw[name] = day.isoformat()
            self.slots[name] = self.book.short_date(day)

    def long(self, **days: date) -> None:
        """Set dates that are written with their year."""
        for name, day in days.items():
            self.raw[name] = day.isoformat()
            self.slots[name] = self.book.long_date(day)

    def money(self, **amounts: int) -> None:
        """Set amounts given in minor units."""
        for name, minor in amounts.items():
            self.raw[name] = minor
            self.slots[name] = self.book.money(minor)

    def product(self, *allowed: str) -> str:
        """Choose the bicycle (among all when none is named), its colour and price; return its key."""
        names = self.book.data["products"]
        key: str = self.rng.choice(allowed or tuple(names))
        other = self.rng.choice([name for name in names if name != key])
        genitives = self.book.data.get("products_gen", names)
        self.put(product=names[key], product_gen=genitives[key], product2=names[other])
        self.money(price=self.book.data["bike_prices"][key])
        return key

    def words(self, table: dict[str, str]) -> None:
        """Set the words that this case of the scenario brings along; they may contain slots themselves."""
        self.slots.update({name: choose(text, self.rng).format_map(self.slots) for name, text in table.items()})


def new_case(name: str, *, book: Phrasebook, today: date, rng: Random) -> Case:
    """Start a case with the values that every scenario has."""
    branch = rng.choice(book.branches)
    case = Case(name=name, book=book, today=today, rng=rng, branch=branch)
    case.put(branch=branch.name, street=branch.street, **RULES)
    case.slots.update({clock: book.clock(*time) for clock, time in CLOCKS.items()})
    case.money(**book.data["prices"])
    case.product()
    case.put(
        colour=rng.choice(book.data["colours"]),
        walkin_day=book.data["weekdays"][WALK_IN_WEEKDAY],
        case_no=f"C-{rng.randrange(10000, 100000)}",
        bike_no=rng.randrange(1000, 9900),
        voucher="".join(rng.choice(_CODE_LETTERS) for _ in range(4)),
        agent=rng.choice(book.data["agents"]),
        order=_order_number(rng),
        invoice=invoice_number(rng, today),
        ride=_ride_code(rng),
    )
    return case


def other_reference(kind: str, case: Case) -> str:
    """Return a number of the same kind that is not the one the case is about."""
    if kind == "order":
        return _order_number(case.rng)
    if kind == "invoice":
        return invoice_number(case.rng, case.today - timedelta(days=365))
    return _ride_code(case.rng)


def _order_number(rng: Random) -> str:
    return f"LW-{rng.randrange(10000, 100000)}"


def invoice_number(rng: Random, day: date) -> str:
    """Return an invoice number of the given day's year."""
    return f"R{day.year % 100}-{rng.randrange(1000, 900000):06d}"


def _ride_code(rng: Random) -> str:
    return "S-" + "".join(rng.choice(_CODE_LETTERS) for _ in range(5))
