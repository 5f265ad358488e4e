"""Conditions over a reply's text that are declared once and run twice: as a Spark Column and as a Python function.

Both see the same two texts: `raw`, as it is written, and `plain`, in lower case with straight apostrophes. Patterns
keep to what Java and Python read alike: no \\b, \\w, \\d or \\s, whose meaning differs, no anchors at line ends, and no
repeated groups, which Java reads by recursion. A missing text counts as "", for which no condition holds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Protocol

from pyspark.sql import Column
from pyspark.sql import functions as F

Check = Callable[[str, str], bool]
"""Say whether a condition holds for (raw, plain)."""

TEXT_END = r"(?![\s\S])"
# All but controls, white space and punctuation of ASCII, Latin-1, the general, CJK and full-width blocks.
WORDLIKE = "[^\\x00-/:-@\\[-`{-\u00bf\u2000-\u206f\u3000-\u303f\uff01-\uff0f\ufeff]"


@dataclass(frozen=True, slots=True)
class Texts:
    """The two forms of a text as Columns; neither is null."""

    raw: Column
    plain: Column

    @classmethod
    def of(cls, text: Column) -> Texts:
        """Give both forms of a text column; null becomes ""."""
        raw = F.coalesce(text, F.lit(""))
        # Not translate, which looks every single character up.
        return cls(raw, F.replace(F.lower(raw), F.lit("\u2019"), F.lit("'")))


def plain_text(text: str) -> str:
    """Give the plain form of a text."""
    return text.lower() if text.isascii() else text.lower().replace("\u2019", "'")


@dataclass(frozen=True, slots=True)
class Signs:
    """Pieces of which a text, in its plain or its raw form, must hold one; a cheap look at many texts at once."""

    pieces: tuple[str, ...]
    plain: bool


class Condition(Protocol):
    """Something that holds for a text or does not."""

    def signs(self) -> Signs | None:
        """Give what every text for which it holds shows; None where there is no such thing."""
        ...

    def column(self, texts: Texts) -> Column:
        """Give the condition as a boolean Column that is never null."""
        ...

    def check(self) -> Check:
        """Give the condition as a Python function."""
        ...


@dataclass(frozen=True, slots=True)
class Says:
    """The plain text holds one of the hints, the cheap look, and a match of the pattern that belongs to it."""

    patterns: tuple[tuple[str, str], ...]

    def signs(self) -> Signs | None:
        """See Condition."""
        return Signs(tuple(hint for hint, _ in self.patterns), plain=True)

    def column(self, texts: Texts) -> Column:
        """See Condition."""
        held = [F.contains(texts.plain, F.lit(hint)) & texts.plain.rlike(pattern) for hint, pattern in self.patterns]
        return reduce(or_, held)

    def check(self) -> Check:
        """See Condition."""
        pairs = [(hint, re.compile(pattern).search) for hint, pattern in self.patterns]

        hints = [hint for hint, _ in pairs]

        def holds(_raw: str, plain: str) -> bool:
            return _in_any(hints, plain) and any(hint in plain and search(plain) for hint, search in pairs)

        return holds


@dataclass(frozen=True, slots=True)
class Shows:
    """The raw text has at least `at_least` matches of `pattern` outside of what matches `without`.

    One of `hints` must stand in the text, the cheap look.
    """

    pattern: str
    hints: tuple[str, ...]
    without: str = ""
    at_least: int = 1

    def signs(self) -> Signs | None:
        """See Condition."""
        return Signs(self.hints, plain=False)

    def column(self, texts: Texts) -> Column:
        """See Condition."""
        rest = F.regexp_replace(texts.raw, self.without, "") if self.without else texts.raw
        return _holds_any(texts.raw, self.hints) & (F.regexp_count(rest, F.lit(self.pattern)) >= self.at_least)

    def check(self) -> Check:
        """See Condition."""
        hints, at_least, find = self.hints, self.at_least, re.compile(self.pattern).findall
        strip = re.compile(self.without).sub if self.without else None

        def holds(raw: str, _plain: str) -> bool:
            return _in_any(hints, raw) and len(find(strip("", raw) if strip else raw)) >= at_least

        return holds


@dataclass(frozen=True, slots=True)
class Ends:
    """The last `reach` characters of the plain text hold a match of `pattern`."""

    pattern: str
    reach: int = 16

    def signs(self) -> Signs | None:
        """See Condition."""
        return None

    def column(self, texts: Texts) -> Column:
        """See Condition."""
        return F.right(texts.plain, F.lit(self.reach)).rlike(self.pattern)

    def check(self) -> Check:
        """See Condition."""
        search, reach = re.compile(self.pattern).search, self.reach
        return lambda _raw, plain: search(plain[-reach:]) is not None


@dataclass(frozen=True, slots=True)
class NothingLeft:
    """The plain text is not empty and nothing like a word is left of it without what matches `removed`.

    Removed is only where one of `hints` stands in the text; with `needs_hint` it must.
    """

    removed: str
    hints: tuple[str, ...]
    needs_hint: bool = False

    def signs(self) -> Signs | None:
        """See Condition."""
        return Signs(self.hints, plain=True) if self.needs_hint else None

    def column(self, texts: Texts) -> Column:
        """See Condition."""
        hinted = _holds_any(texts.plain, self.hints)
        left = F.when(hinted, F.regexp_replace(texts.plain, self.removed, " ")).otherwise(texts.plain)
        judged = hinted if self.needs_hint else F.length(texts.plain) > 0
        return judged & ~left.rlike(WORDLIKE)

    def check(self) -> Check:
        """See Condition."""
        hints, needs_hint = self.hints, self.needs_hint
        # At each place what is removed, else one character that is like no word: it ends at the first that is.
        nothing = re.compile(f"(?>{self.removed}|{WORDLIKE.replace('[^', '[', 1)})*+").fullmatch
        wordlike = re.compile(WORDLIKE).search

        def holds(_raw: str, plain: str) -> bool:
            if _in_any(hints, plain):
                return nothing(plain) is not None
            return not needs_hint and plain != "" and wordlike(plain) is None

        return holds


@dataclass(frozen=True, slots=True)
class ShareAbove:
    """More than `share` of the raw text's characters match the character class `characters`.

    A text of fewer than `min_characters` characters is not judged.
    """

    characters: str
    share: float
    min_characters: int

    def signs(self) -> Signs | None:
        """See Condition."""
        return None

    def share_column(self, texts: Texts) -> Column:
        """Give the share itself (double, 0 for an empty text), to choose a threshold by."""
        length = F.length(texts.raw)
        others = F.length(F.regexp_replace(texts.raw, self.characters, ""))
        return F.when(length > 0, (length - others) / length).otherwise(0.0)

    def column(self, texts: Texts) -> Column:
        """See Condition."""
        return (F.length(texts.raw) >= self.min_characters) & (self.share_column(texts) > self.share)

    def check(self) -> Check:
        """See Condition."""
        strip, share, floor = re.compile(self.characters).sub, self.share, self.min_characters

        def holds(raw: str, _plain: str) -> bool:
            return len(raw) >= floor and (len(raw) - len(strip("", raw))) / len(raw) > share

        return holds


@dataclass(frozen=True, slots=True)
class OddCount:
    """The raw text holds an odd number of the marker, such as a code fence that is not closed."""

    marker: str

    def signs(self) -> Signs | None:
        """See Condition."""
        return Signs((self.marker,), plain=False)

    def column(self, texts: Texts) -> Column:
        """See Condition."""
        lost = F.length(texts.raw) - F.length(F.replace(texts.raw, F.lit(self.marker), F.lit("")))
        return F.contains(texts.raw, F.lit(self.marker)) & ((lost / len(self.marker)) % 2 == 1)

    def check(self) -> Check:
        """See Condition."""
        marker = self.marker
        return lambda raw, _plain: marker in raw and raw.count(marker) % 2 == 1


@dataclass(frozen=True, slots=True)
class Longer:
    """The raw text has at least `characters` characters."""

    characters: int

    def signs(self) -> Signs | None:
        """See Condition."""
        return None

    def column(self, texts: Texts) -> Column:
        """See Condition."""
        return F.length(texts.raw) >= self.characters

    def check(self) -> Check:
        """See Condition."""
        floor = self.characters
        return lambda raw, _plain: len(raw) >= floor


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; the first one is looked at first."""

    parts: tuple[Condition, ...]

    def signs(self) -> Signs | None:
        """See Condition."""
        return next((signs for part in self.parts if (signs := part.signs())), None)

    def column(self, texts: Texts) -> Column:
        """See Condition."""
        return reduce(and_, [part.column(texts) for part in self.parts])

    def check(self) -> Check:
        """See Condition."""
        first, *rest = [part.check() for part in self.parts]
        return lambda raw, plain: first(raw, plain) and all(check(raw, plain) for check in rest)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple[Condition, ...]

    def signs(self) -> Signs | None:
        """See Condition."""
        return None

    def column(self, texts: Texts) -> Column:
        """See Condition."""
        return reduce(or_, [part.column(texts) for part in self.parts])

    def check(self) -> Check:
        """See Condition."""
        first, *rest = [part.check() for part in self.parts]
        return lambda raw, plain: first(raw, plain) or any(check(raw, plain) for check in rest)


def _in_any(hints: Sequence[str], text: str) -> bool:
    return any(map(text.__contains__, hints))


def _holds_any(text: Column, hints: Sequence[str]) -> Column:
    return reduce(or_, [F.contains(text, F.lit(hint)) for hint in hints])


@dataclass(frozen=True, slots=True)
class KnownBySignature:
    """The text's signature (`signature`) is one of `known`, and the text has at least `min_characters` characters."""

    known: frozenset[str]
    min_characters: int

    def signs(self) -> Signs | None:
        """See Condition."""
        return None

    def column(self, texts: Texts) -> Column:
        """See Condition."""
        if not self.known:
            return F.lit(False)
        # One SQL text instead of a Column a value: the values are hexadecimal digits, made here.
        listed = F.expr("array('" + "','".join(sorted(self.known)) + "')")
        return (F.length(texts.raw) >= self.min_characters) & F.array_contains(listed, signature_column(texts))

    def check(self) -> Check:
        """See Condition."""
        known, floor = self.known, self.min_characters
        return lambda raw, plain: bool(known) and len(raw) >= floor and signature(plain) in known


_NOT_IN_SIGNATURE = "[\\x00-@\\[-`{-\u00bf\u2000-\u206f\u3000-\u303f\uff01-\uff20\ufeff]+"


def signature_column(texts: Texts) -> Column:
    """Give the MD5 of a text's words, without digits, punctuation and letter case, as hexadecimal digits."""
    return F.md5(F.trim(F.regexp_replace(texts.plain, _NOT_IN_SIGNATURE, " ")))


def signature(plain: str) -> str:
    """Give what `signature_column` gives, of a text's plain form."""
    words = _to_spaces(" ", plain).strip(" ")
    return hashlib.md5(words.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


_to_spaces = re.compile(_NOT_IN_SIGNATURE).sub
