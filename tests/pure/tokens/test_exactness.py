"""Both engines against tiktoken's own encoder: random Unicode, special tokens, long runs, real conversations."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from finelake.tokens.engine import TiktokenEngine, ToktokEngine
from finelake.tokens.selfcheck import PROBES

pytestmark = pytest.mark.shared_data

BOTH = pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])

# Characters at which the encodings' patterns change course, mixed with any other character of any plane.
EDGES = st.sampled_from(
    [
        *" \n\t\x00\x1c\x85\u00a0\u2028\u200d\ufeff/.1\u0663aZ\u01c5\u00e9\u0301\u7684\uac00\u0928",
        *"\U0001f469\U0001f3fd\U0001f1e9\U00020bb7\U000e0041",
        *("  ", "\r\n", "'s", "'LL", "12", "<|endoftext|>", "<|fim_suffix|>", "<|start|>"),
    ]
)
ANY_CHARACTER = st.characters(exclude_categories=["Cs"])
TEXTS = st.one_of(
    st.text(ANY_CHARACTER, max_size=60),
    st.lists(st.one_of(EDGES, ANY_CHARACTER), max_size=40).map("".join),
    st.lists(st.tuples(EDGES, st.integers(1, 300)), max_size=4).map(lambda runs: "".join(c * n for c, n in runs)),
)


def tiktoken_counts(encoding: str, texts: list[str]) -> list[int]:
    encoder = tiktoken.get_encoding(encoding)
    return [len(encoder.encode(text, disallowed_special=())) for text in texts]


@BOTH
@given(texts=st.lists(TEXTS, min_size=1, max_size=20))
@settings(max_examples=300, deadline=None)
def test_random_unicode(references: dict[str, TiktokenEngine], encoding: str, texts: list[str]) -> None:
    expected = tiktoken_counts(encoding, texts)
    assert ToktokEngine(encoding).count_batch(texts) == expected
    assert references[encoding].count_batch(texts) == expected


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base", "o200k_harmony"])
def test_known_counts_are_those_of_tiktoken(references: dict[str, TiktokenEngine], encoding: str) -> None:
    assert encoding in references
    assert [probe.tokens(encoding) for probe in PROBES] == tiktoken_counts(encoding, [probe.text for probe in PROBES])


@BOTH
def test_real_turns(
    references: dict[str, TiktokenEngine], real_turns: Callable[..., list[dict[str, Any]]], encoding: str
) -> None:
    turns = [
        *real_turns("sgd_turns.jsonl.gz", limit=3000),
        *real_turns("sgd_turns.jsonl.gz", start=150_000, limit=3000),
        *real_turns("crosswoz_turns.jsonl.gz"),
    ]
    texts = [turn["text"] for turn in turns]
    texts += [json.dumps(turn["service_calls"], ensure_ascii=False) for turn in turns if turn.get("service_calls")]
    assert len(texts) > 14_000
    assert ToktokEngine(encoding).count_batch(texts) == references[encoding].count_batch(texts)


@BOTH
@pytest.mark.parametrize(
    "text",
    [
        " " * 1_000_000,
        "x" + " " * 1_000_000 + "x",
        "x. \n" + "\t " * 500_000 + "\n\n y",
        "\u2003" * 1_000_000 + "\u2028A",
    ],
    ids=["spaces", "spaces inside", "tabs and line ends", "wide spaces"],
)
def test_whitespace_runs_that_tiktoken_alone_cannot_count(
    references: dict[str, TiktokenEngine], encoding: str, text: str
) -> None:
    assert ToktokEngine(encoding).count_batch([text]) == references[encoding].count_batch([text])


@BOTH
def test_the_way_round_tiktokens_limit_counts_as_tiktoken_does(
    references: dict[str, TiktokenEngine], encoding: str
) -> None:
    tail = "\n\r\n  It's 12345 <|endoftext|> \u7684 x\u00a0y.\n/ \t"
    long, short = (tail + " " * length + tail for length in (599_999, 499_000))
    encoder = tiktoken.get_encoding(encoding)
    assert references[encoding].count_batch([long]) == [len(encoder.encode(long, disallowed_special=()))]
    assert references[encoding].count_batch([short]) == [len(encoder.encode(short, disallowed_special=()))]


@BOTH
@pytest.mark.parametrize("character", ["a", "\u7684", "9", "!", "=", "\n", "\x00", "\u200d"])
def test_other_runs_of_a_million(references: dict[str, TiktokenEngine], encoding: str, character: str) -> None:
    text = character * 1_000_000
    assert ToktokEngine(encoding).count_batch([text]) == references[encoding].count_batch([text])


@BOTH
def test_lone_surrogates_count_as_tiktoken_counts_them(references: dict[str, TiktokenEngine], encoding: str) -> None:
    texts = ["fine", "a\ud800b", "\ud83d\ude00", "\udfff"]
    expected = tiktoken_counts(encoding, texts)
    assert ToktokEngine(encoding).count_batch(texts) == expected
    assert references[encoding].count_batch(texts) == expected
