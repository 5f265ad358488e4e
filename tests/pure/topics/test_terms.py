"""Terms of texts in several scripts."""

from __future__ import annotations

import pytest

from finelake.topics.terms import terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Book a Table for 2, please!", ["book", "table", "for", "please"]),
        ("Grüße aus Köln", ["grüße", "aus", "köln"]),
        ("ホテル予約", ["ホテ", "テル", "ル予", "予約"]),
        ("你好 abc", ["你好", "abc"]),
        ("iphoneを買う", ["iphone", "を買", "買う"]),
        ("茶", ["茶"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("สวัสดี", ["สว", "วั", "ัส", "สด", "ดี"]),
        ("mail [EMAIL_1] or [phone_2f9a]", ["mail", "or"]),
        ("x" * 41 + " kept", ["kept"]),
        ("ü" * 41 + " kept", ["kept"]),
        ("12 :-) 3.4", []),
        ("", []),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert terms(text) == expected
