"""Texts with known token counts: an engine that disagrees on one of them is not used."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from finelake.tokens.engine import TokenEngine


class Probe(NamedTuple):
    """One text and its tokens, measured with tiktoken 0.14; o200k_harmony counts plain text as o200k_base does."""

    what: str
    text: str
    o200k: int
    cl100k: int

    def tokens(self, encoding: str) -> int:
        """Return the known count for an encoding."""
        return self.cl100k if encoding == "cl100k_base" else self.o200k


def failed_probes(engine: TokenEngine) -> list[str]:
    """Name the probes that an engine miscounts; empty when it may be used."""
    counts = engine.count_batch([probe.text for probe in PROBES])
    if len(counts) != len(PROBES):
        return [f"{len(counts)} counts for {len(PROBES)} texts"]
    expected = [probe.tokens(engine.encoding) for probe in PROBES]
    return [probe.what for probe, found, known in zip(PROBES, counts, expected, strict=True) if found != known]


PROBES: tuple[Probe, ...] = (
    Probe("empty", "", 0, 0),
    Probe("one space", " ", 1, 1),
    Probe("one letter", "a", 1, 1),
    Probe("English with contractions", "Hello, world! It's 10:30 \u2014 we'll see; they'd've said so.", 18, 21),
    Probe("special tokens typed as text", "<|endoftext|> and <|fim_prefix|><|start|>x", 19, 19),
    Probe(
        "Chinese",
        "\u6211\u60f3\u627e\u4eba\u5747\u6d88\u8d39\u5728100\u5143\u4ee5\u4e0b\u7684\u9910\u9986\uff0c\u8c22\u8c22\u3002",
        15,
        25,
    ),
    Probe("Japanese", "\u6771\u4eac\u90fd\u306e\u5929\u6c17\u306f\u3069\u3046\u3067\u3059\u304b\uff1f", 9, 13),
    Probe("Korean", "\uc548\ub155\ud558\uc138\uc694, \uc608\uc57d\ud558\uace0 \uc2f6\uc5b4\uc694.", 8, 16),
    Probe("Arabic", "\u0645\u0631\u062d\u0628\u0627\u060c \u0623\u0631\u064a\u062f \u062d\u062c\u0632.", 8, 14),
    Probe("Hindi", "\u0928\u092e\u0938\u094d\u0924\u0947, \u0915\u094d\u092f\u093e \u092e\u0926\u0926?", 8, 17),
    Probe(
        "emoji with joiners and skin tone",
        "\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f44d\U0001f3fd \U0001f3f3\ufe0f\u200d\U0001f308",
        18,
        27,
    ),
    Probe("combining marks", "e\u0301\u0323 Z\u0351\u0343a\u0316lgo \ufe0f\u200d", 16, 18),
    Probe("digit runs and other numerals", "1234567890 007 3.14159 \u0663\u0664\u0665 \u2177 \xbd", 20, 23),
    Probe("space and tab runs", "a  b   c" + " " * 40 + "\t\t\tx", 8, 8),
    Probe("line ends", "\n\n\r\n \n\t\r  end  ", 7, 8),
    Probe("500 spaces", " " * 500 + "x", 6, 6),
    Probe("300 line ends", "x" + "\n" * 300, 21, 11),
    Probe("control characters", "\x00\x01\x07\x1b\x7f\x80\x85", 8, 8),
    Probe("line and paragraph separators, wide spaces", "line\u2028para\u2029nbsp\xa0thin\u2009\u3000", 10, 12),
    Probe("case changes", "camelCaseHTTPServer2_snake_case ALLCAPS McDonald's I'LL", 15, 16),
    Probe("1,000 equal letters", "a" * 1000, 125, 125),
    Probe("punctuation runs", "=-" * 200 + "=" * 300, 30, 31),
    Probe("address", "https://example.com/a?b=c&d=%20#e//", 15, 15),
    Probe("JSON in JSON", '{"name":"find_hotel","arguments":"{\\"city\\":\\"K\xf6ln\\"}"}', 18, 18),
    Probe(
        "byte order mark, unassigned and astral characters",
        "\ufeffBOM \ufffd \uffff \U0001f9e0\U0010ffff\U00020bb7",
        18,
        18,
    ),
    Probe("code", "def f(x):\n    return x ** 2  # done\n\n\nclass A:\n\tpass\n", 19, 19),
)
