"""The label in front of a number, against a plain pattern of the same words."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from finelake.privacy.context import REACH, WORDS, label_before

_LETTER = "[a-z]"
_BORDER = rf"(?:(?<!{_LETTER})(?={_LETTER})|(?<={_LETTER})(?!{_LETTER}))"
PLAIN = re.compile("|".join(f"(?P<{label}>{words})" for label, words in WORDS.items()).replace(r"\b", _BORDER), re.I)

words = st.sampled_from(sorted({word for each in WORDS.values() for word in re.findall(r"[^\W\d_]{2,}", each)}))
pieces = st.one_of(
    words,
    words.map(str.upper),
    words.map(str.title),
    st.sampled_from([" ", "  ", "-", "#", ".", "\n", "7", "x", "は", "É"]),
)


@given(st.lists(pieces, max_size=14).map("".join), st.integers(0, 80))
def test_the_last_label_within_reach_is_named(text: str, start: int) -> None:
    found = [match.lastgroup for match in PLAIN.finditer(text, max(0, start - REACH), start)]
    assert label_before(text, start) == (found[-1] if found else None)


def test_a_label_counts_within_its_reach() -> None:
    assert label_before("invoice" + " " * (REACH - 7), REACH) == "reference"
    assert label_before("an invoice" + " " * (REACH - 6), REACH + 4) is None
    assert label_before("preorder", 8) is None
    assert label_before("Pre-Order", 9) == "reference"
