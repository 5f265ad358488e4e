"""One language's phrases, names, prices and formats, read from the TOML files beside the package."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Any

LANGUAGES = ("en", "de", "ja")


@dataclass(frozen=True, kw_only=True, slots=True)
class Branch:
    """A shop; `closed` is its weekly closing day, Monday being 0."""

    name: str
    street: str
    hours: str
    saturday: str
    closed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowUp:
    """A further question with its answer, as templates; `cases` names the cases it fits, none meaning all."""

    ask: tuple[str, ...]
    answer: tuple[str, ...]
    cases: tuple[str, ...]

    def fits(self, case: str) -> bool:
        """Tell whether the question makes sense in a case."""
        return not self.cases or case in self.cases


@dataclass(frozen=True, kw_only=True, slots=True)
class ScenarioText:
    """The templates of one scenario; `answer` and `words` are keyed by the name of the case."""

    ask: tuple[str, ...]
    answer: Mapping[str, tuple[str, ...]]
    words: Mapping[str, Mapping[str, str]]
    recap: tuple[str, ...]
    more: tuple[FollowUp, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Phrasebook:
    """Everything language-dependent; `data` is the parsed TOML file, `phrases` its `[common]` table."""

    language: str
    data: Mapping[str, Any]
    branches: tuple[Branch, ...]
    common_more: tuple[FollowUp, ...]

    def phrases(self, name: str) -> tuple[str, ...]:
        """Return the alternatives of a common phrase."""
        return tuple(self.data["common"][name])

    def text(self, name: str) -> str:
        """Return a common phrase that has one form only, such as the system prompt."""
        return str(self.data["common"][name])

    def reference(self, kind: str, name: str) -> tuple[str, ...]:
        """Return the phrases with which an order, invoice or ride number is asked for and given."""
        return tuple(self.data["reference"][kind][name])

    def scenario(self, key: str) -> ScenarioText:
        """Return the templates of a scenario."""
        table = self.data[key]
        return ScenarioText(
            ask=tuple(table["ask"]),
            answer={case: tuple(texts) for case, texts in table["answer"].items()},
            words=table.get("words", {}),
            recap=tuple(table["recap"]),
            more=_follow_ups(table["more"]),
        )

    def short_date(self, day: date) -> str:
        """Write a date with its weekday and without the year."""
        return self._date("date", day)

    def long_date(self, day: date) -> str:
        """Write a date with its year."""
        return self._date("long_date", day)

    def clock(self, hour: int, minute: int) -> str:
        """Write a time of day."""
        return str(self.data["clock"]).format(hour=hour, minute=f"{minute:02d}")

    def money(self, minor: int) -> str:
        """Write an amount given in minor units (pence, cents; yen has none)."""
        form = self.data["money"]
        unit = 10 ** int(form["decimals"])
        amount = f"{minor // unit:,}".replace(",", form["group"])
        if form["decimals"]:
            amount += f"{form['mark']}{minor % unit:0{form['decimals']}d}"
        return str(form["format"]).format(amount=amount)

    def _date(self, form: str, day: date) -> str:
        return str(self.data[form]).format(
            weekday=self.data["weekdays"][day.weekday()],
            month=self.data["months"][day.month - 1],
            day=day.day,
            year=day.year,
        )


def load_phrasebook(language: str) -> Phrasebook:
    """Read the phrase file of a language that is in LANGUAGES."""
    source = resources.files("finelake.sample").joinpath("phrases", f"{language}.toml")
    data = tomllib.loads(source.read_text(encoding="utf-8"))
    return Phrasebook(
        language=language,
        data=data,
        branches=tuple(Branch(**branch) for branch in data["branches"]),
        common_more=_follow_ups(data["common"]["more"]),
    )


def _follow_ups(tables: list[dict[str, list[str]]]) -> tuple[FollowUp, ...]:
    return tuple(
        FollowUp(ask=tuple(table["ask"]), answer=tuple(table["answer"]), cases=tuple(table.get("cases", ())))
        for table in tables
    )
