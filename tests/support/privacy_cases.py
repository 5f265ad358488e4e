"""A labelled set for the privacy detectors: sentences in three languages with values of known kind and place.

Seeded, so that everyone measures on the same cases. Values are made up here, with checksums where their kind has one;
hard negatives are numbers and words that look alike. Sentences of the held-out half are not used for development.
"""

from __future__ import annotations

import random
import re
import string
import tomllib
import uuid
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

from support.privacy_values import IDENTITIES, UNUSUAL_VALUES, VALUES, digits, letters

PHRASES = Path(__file__).with_name("privacy_phrases.toml")
LANGUAGES = ("en", "de", "ja")
SEED = 20261122
EACH_SENTENCE = 5
# Share of values in forms that are seldom written, of which detectors are known to miss some.
UNUSUAL = 0.15
NEGATIVE = "negative"

Half = Literal["development", "held_out"]


@dataclass(frozen=True)
class Case:
    """A text, the half it belongs to, and the kind and place of its value (None for a hard negative)."""

    language: str
    half: Half
    kind: str
    text: str
    span: tuple[int, int] | None


def labelled_cases(seed: int = SEED) -> list[Case]:
    """Make all cases: every sentence with several values of its own."""
    rng = random.Random(seed)
    phrases = tomllib.loads(PHRASES.read_text(encoding="utf-8"))
    return [
        _case(rng, language, kind, position, sentence)
        for language in LANGUAGES
        for kind, sentences in phrases[language].items()
        for position, sentence in enumerate(sentences)
        for _ in range(EACH_SENTENCE)
    ]


def _case(rng: random.Random, language: str, kind: str, position: int, sentence: str) -> Case:
    fill = _Filler(rng, language, kind)
    text = re.sub(r"\{(\w+)\}", fill, sentence)
    half: Half = "held_out" if position % 2 else "development"
    return Case(language, half, kind, text, fill.span)


class _Filler:
    """Fill the slots of a sentence and remember where its value came to stand."""

    def __init__(self, rng: random.Random, language: str, kind: str) -> None:
        self._rng, self._language, self._kind = rng, language, kind
        self._grown = 0
        self.span: tuple[int, int] | None = None

    def __call__(self, match: re.Match[str]) -> str:
        slot = match.group(1)
        if slot == "v":
            make = UNUSUAL_VALUES if self._kind in UNUSUAL_VALUES and self._rng.random() < UNUSUAL else VALUES
            text = make[self._kind](self._rng, self._language)
        elif slot in IDENTITIES:
            text = IDENTITIES[slot](self._rng)
        else:
            text = _neutral(self._rng, self._language, slot)
        start = match.start() + self._grown
        self._grown += len(text) - len(match.group())
        if slot == "v" or slot in IDENTITIES:
            self.span = (start, start + len(text))
        return text


NAMES = {
    "en": ("Grace Hartley", "Callum Osei", "Joan Pryce"),
    "de": ("Jürgen Weiß", "Sabine Kühn", "Ole Petersen"),
    "ja": ("佐藤花子", "田中健", "鈴木一郎"),
}


def _neutral(rng: random.Random, language: str, slot: str) -> str:
    day = date(2024, 1, 1) + timedelta(days=rng.randrange(1000))
    cents = rng.randrange(100, 200_000)
    if match := re.fullmatch(r"ref(\d+)", slot):
        return digits(rng, int(match.group(1)))
    return {
        "ref": rng.choice([f"LW-{digits(rng, 6)}", digits(rng, 8), f"{digits(rng, 4)}-{digits(rng, 5)}"]),
        "date": {
            "en": rng.choice([f"{day:%d/%m/%Y}", f"{day:%Y-%m-%d}", f"{day.day} March {day.year}"]),
            "de": f"{day:%d.%m.%Y}",
            "ja": rng.choice([f"{day.year}年{day.month}月{day.day}日", f"{day:%Y/%m/%d}"]),
        }[language],
        "price": {"en": f"£{cents / 100:,.2f}", "de": f"{cents // 100},{cents % 100:02d} Euro", "ja": f"{cents:,}円"}[
            language
        ],
        "version": f"{rng.randint(1, 12)}.{rng.randint(0, 30)}.{rng.randint(0, 99)}",
        "quad": f"{rng.randint(1, 12)}.{rng.randint(0, 30)}.{rng.randint(0, 250)}.{rng.randint(0, 9)}",
        "count": str(rng.randint(2, 90)),
        "name": rng.choice(NAMES[language]),
        "isbn": f"978-{rng.randint(0, 9)}-{digits(rng, 4)}-{digits(rng, 4)}-{rng.randint(0, 9)}",
        "hash": letters(rng, 40, "0123456789abcdef"),
        "uuid": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "code": letters(rng, 3, string.ascii_uppercase) + digits(rng, 2),
    }[slot]
