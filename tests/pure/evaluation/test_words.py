"""Tests of finelake.evaluation.words."""

from __future__ import annotations

import pytest

from finelake.evaluation.words import UnicodeWords


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello, wörld! 42x", ["hello", "wörld", "42x"]),
        ("STRASSE straße", ["strasse", "strasse"]),
        ("e\u0301te\u0301", ["été"]),
        ("我要订票", ["我", "要", "订", "票"]),
        ("买iPhone手机2部", ["买", "iphone", "手", "机", "2", "部"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("привет мир", ["привет", "мир"]),
        ("👍 ?", ["👍", "?"]),
        ("ok 👍", ["ok"]),
        ("", []),
        ("  ", []),
    ],
)
def test_tokens_of_many_scripts(text: str, tokens: list[str]) -> None:
    assert UnicodeWords().tokenize(text) == tokens
