"""Tokens for the token F1 of any language."""

from __future__ import annotations

import unicodedata

# Scripts that are written without spaces between words: each character is a token of its own.
# Blocks of the Unicode standard, version 16.
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),  # Han extension A
    (0x4E00, 0x9FFF),  # Han
    (0xF900, 0xFAFF),  # Han compatibility
    (0x20000, 0x323AF),  # Han extensions B to H
)


class UnicodeWords:
    """A tokenizer for rouge-score, which by default drops everything outside a-z and 0-9.

    Text is normalised (NFKC) and case-folded. A token is a run of letters, marks and digits; a character of a
    script without spaces is a token of its own, with its marks. Text without any such token (an emoji, "?!")
    gives its visible characters, so that equal texts always score 1.
    """

    def tokenize(self, text: str) -> list[str]:
        """Split text into tokens."""
        folded = unicodedata.normalize("NFKC", text).casefold()
        return _words(folded) or [character for character in folded if not character.isspace()]


def _words(text: str) -> list[str]:
    words: list[str] = []
    before = "gap"  # what the last character was part of: a gap, a word that may go on, or a single
    for character in text:
        kind = unicodedata.category(character)[0]
        if kind not in "LMN" or (kind == "M" and before == "gap"):
            before = "gap"
        elif kind == "M" or (before == "word" and not _is_unspaced(character)):
            words[-1] += character
        else:
            words.append(character)
            before = "single" if _is_unspaced(character) else "word"
    return words


def _is_unspaced(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in _UNSPACED)
