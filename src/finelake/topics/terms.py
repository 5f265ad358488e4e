"""The terms of a text: its words, and pairs of characters in scripts that are written without spaces."""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from collections.abc import Callable

# Scripts without spaces between words, as ranges of code points (Unicode blocks): Thai, Lao, Myanmar, Khmer, kana,
# Han with its extensions.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_UNSPACED_FAR = "\U00020000-\U0003134f"
_PSEUDONYM = re.compile(r"\[[A-Za-z]{2,20}_[0-9a-f]{1,16}\]")
_LONGEST_TERM = 40


def terms(text: str) -> list[str]:
    """List the terms of a text in order, lower-cased: words of two letters or more without digits, and bigrams.

    Pseudonyms such as `[EMAIL_1]` are no terms.
    """
    if "[" in text:
        text = _PSEUDONYM.sub(" ", text)
    text = text.lower()
    if text.isascii():
        return _find_ascii(text)
    found: list[str] = []
    for word in _find_words()(text):
        if not _find_unspaced(word):
            if 1 < len(word) <= _LONGEST_TERM:
                found.append(word)
            continue
        for run, spaced in _find_runs(word):
            if spaced:
                found += [spaced] if 1 < len(spaced) <= _LONGEST_TERM else []
            else:
                found += [run[start : start + 2] for start in range(len(run) - 1)] or [run]
    return found


@functools.cache
def _find_words() -> Callable[[str], list[str]]:
    """Words are runs of letters and combining marks; Python's `\\w` leaves out the marks."""
    marks = [code for code in range(0x300, sys.maxunicode) if unicodedata.category(chr(code)) in ("Mn", "Mc")]
    spans: list[list[int]] = []
    for code in marks:
        if spans and spans[-1][1] == code - 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    ranges = "".join(f"{chr(first)}-{chr(last)}" for first, last in spans)
    return re.compile(rf"(?:[^\W\d_]|[{ranges}])+").findall


_find_ascii = re.compile(rf"(?<![a-z])[a-z]{{2,{_LONGEST_TERM}}}(?![a-z])").findall
_find_unspaced = re.compile(rf"[{_UNSPACED}{_UNSPACED_FAR}]").search
_find_runs = re.compile(rf"([{_UNSPACED}{_UNSPACED_FAR}]+)|([^{_UNSPACED}{_UNSPACED_FAR}]+)").findall
