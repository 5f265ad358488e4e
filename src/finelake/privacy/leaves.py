"""The texts inside a text: itself, or the strings and long numbers of a JSON document, replaced in their places.

A document is cut at its literals and put together again, so everything that is not replaced stays byte for byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from finelake.chat import decode_json, encode_json

Replace = Callable[[str, str], str]
"""Takes a text and the label in front of it (the key of a JSON value, else ""), gives the text that stands for it."""

# A literal: a string with an optional colon (a key), or a number of at least seven characters.
_literals = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|(?<![\w.+-])-?\d[\d.eE+-]{6,}').sub


def is_document(text: str) -> bool:
    """Say whether a text is a JSON object or array."""
    if text[:1] not in ("{", "[") and text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        decode_json(text)
    except ValueError:
        return False
    return True


def replace_leaves(text: str, replace: Replace, label: str = "", *, plain: frozenset[str] = frozenset()) -> str:
    """Give the text with its leaves replaced; documents inside strings of a document are gone through as well.

    Values under the keys `plain` of the outermost document are left out, wherever in it they stand.
    """
    if not is_document(text):
        return replace(text, label)
    key = label

    def literal(match: re.Match[str]) -> str:
        nonlocal key
        quoted, colon = match.group(1), match.group(2)
        if not colon and key in plain:
            return match.group()
        if quoted is None:
            number = match.group()
            changed = replace(number, key)
            return number if changed == number else encode_json(changed)
        content = json.loads(quoted)
        if colon:
            changed = replace(content, "")
            key = content.replace("_", " ")
            return match.group() if changed == content else encode_json(changed) + colon
        changed = replace_leaves(content, replace, key)
        return quoted if changed == content else encode_json(changed)

    return _literals(literal, text)
