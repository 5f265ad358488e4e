"""Rules that look at the text of one reply: functions that build a condition of the settings.

A condition is declared once. The pass runs it as a Python function, which measured a third of the cost of the same
condition as a Column (docs/rules.md); as a Column it measures a table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from finelake.config.replies import Replies
from finelake.replies.conditions import (
    TEXT_END,
    All,
    AnyOf,
    Condition,
    Ends,
    Longer,
    NothingLeft,
    OddCount,
    ShareAbove,
    Shows,
)
from finelake.replies.phrases import apology_words, bordered, says_any

_CODE = "```[\\s\\S]{0,20000}?```|`[^`\\n]{1,200}`"
_TAGS = "a|b|blockquote|body|br|button|center|code|div|em|font|form|h[1-6]|head|hr|html|i|iframe|img|input|li|link|"
_TAGS += (
    "meta|ol|option|p|pre|script|section|select|small|span|strong|style|sub|sup|table|tbody|td|th|thead|title|tr|u|ul"
)
_TAG = f"</?(?:{_TAGS})(?:[ \\t\\n][^<>]{{0,400}})?/?>|<!--|<!DOCTYPE"
_ENTITY = "&(?:nbsp|amp|lt|gt|quot|apos|copy|rsquo|lsquo|rdquo|ldquo|#[0-9]{1,6}|#x[0-9a-fA-F]{1,6});"
_TRACE = (
    "Traceback \\(most recent call last\\)|"
    'File "[^"\\n]{1,300}", line [0-9]{1,7}|'
    "\\n[ \\t]{1,16}at [A-Za-z_$<][A-Za-z0-9_$.<> \\[\\]]{0,200}\\([^)\\n]{1,300}\\)|"
    "\\n[ \\t]{1,16}at [^ \\n]{1,300}:[0-9]{1,7}:[0-9]{1,7}|"
    'Exception in thread "|'
    "Caused by: [A-Za-z_$][A-Za-z0-9_$.]{1,200}(?:Exception|Error)"
)
_JOINING = ("and", "or", "but", "because", "the", "an", "und", "oder", "aber", "weil", "dass", "der", "die")
_BROKEN_OFF = f"(?:[,;(\\[{{\uff0c\u3001\uff1b]|(?:^|[ \\n])(?:{'|'.join(_JOINING)}))[ \\t\\n]{{0,8}}{TEXT_END}"
_DOTS = f"(?:\\.\\.\\.|\u2026)[ \\t\\n]{{0,8}}{TEXT_END}"
# Not a symbol: letters of any script, digits, white space and ordinary punctuation.
_SYMBOL = (
    "[^0-9A-Za-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u1fff\u2c00-\u2dff\u3000-\u303f\u3040-\ud7ff"
    "\uf900-\ufaff\uff00-\uffef\U00020000-\U0002ffff"
    " \\t\\r\\n\u00a0.,;:!?'\"()\u2018-\u201f\u2026\u2013\u2014/%$\u20ac\u00a3&@-]"
)


def as_an_ai(replies: Replies) -> Condition:
    """Phrases in which a model speaks of itself."""
    return says_any("as_an_ai", replies.as_an_ai.phrases)


def refusal(replies: Replies) -> Condition:
    """Phrases that refuse."""
    return says_any("refusal", replies.refusal.phrases)


def handoff(replies: Replies) -> Condition:
    """Phrases that pass the user on."""
    return says_any("handoff", replies.handoff.phrases)


def apology(replies: Replies) -> Condition:
    """An apology of which nothing is left without the words that apologies are made of."""
    table = apology_words()
    words = "|".join(re.escape(word) for word in sorted(table.anywhere, key=lambda word: (-len(word), word)))
    pattern = f"{bordered((*table.words, *replies.apology.words))}|{words}"
    return NothingLeft(pattern, table.hints, needs_hint=True)


def unfinished(replies: Replies) -> Condition:
    """An ending that calls for more, or a code block that is not closed."""
    ending = f"{_BROKEN_OFF}|{_DOTS}" if replies.unfinished.ellipsis else _BROKEN_OFF
    return All((Longer(replies.unfinished.min_characters), AnyOf((Ends(ending), OddCount("```")))))


def markup_only(_replies: Replies) -> Condition:
    """Nothing left once tags and entities are taken out."""
    return NothingLeft("<[^<>]{1,400}>|&[a-z0-9#]{1,10};", ("<", "&"))


def prompt_markup(replies: Replies) -> Condition:
    """A prompt's own words, or another model's chat markers."""
    return says_any("prompt_markup", replies.prompt_markup.phrases)


def stack_trace(_replies: Replies) -> Condition:
    """What Python, Java and JavaScript print when a program fails, outside of code blocks."""
    hints = ("Traceback (", 'File "', "\tat ", "  at ", "Exception in thread", "Caused by: ")
    return Shows(_TRACE, hints, without=_CODE)


def html(replies: Replies) -> Condition:
    """HTML tags and entities outside of code."""
    return Shows(f"{_TAG}|{_ENTITY}", ("<", "&"), without=_CODE, at_least=replies.html.tags)


CHARACTER_CLASSES: Mapping[str, str] = {"symbols": _SYMBOL, "digits": "[0-9]"}
"""The characters of which the rules of these names bound the share, as regular expressions."""


def symbols(replies: Replies) -> Condition:
    """The share of symbols."""
    return ShareAbove(CHARACTER_CLASSES["symbols"], replies.symbols.max_share, replies.symbols.min_characters)


def digits(replies: Replies) -> Condition:
    """The share of the digits 0 to 9."""
    return ShareAbove(CHARACTER_CLASSES["digits"], replies.digits.max_share, replies.digits.min_characters)


TURN_RULES: Mapping[str, Callable[[Replies], Condition]] = {
    "as_an_ai": as_an_ai,
    "refusal": refusal,
    "handoff": handoff,
    "apology": apology,
    "unfinished": unfinished,
    "markup_only": markup_only,
    "prompt_markup": prompt_markup,
    "stack_trace": stack_trace,
    "html": html,
    "symbols": symbols,
    "digits": digits,
}
