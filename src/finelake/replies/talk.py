"""A conversation as the rules about replies see it, and the form in which texts are compared."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from finelake.chat import ASSISTANT, SYSTEM, USER, Message
from finelake.replies.conditions import plain_text

_is_unspaced = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]{2}").search
_ASCII_TO_SPACE = bytes.maketrans(string.punctuation.encode() + bytes(range(0x1C, 0x20)), b" " * 36)
_TO_SPACE = str.maketrans(dict.fromkeys(string.punctuation + "\u201c\u201d\u2018\u2026\u2013\u2014\u3002\uff0c", " "))


class Said(NamedTuple):
    """The text of one message: its place, as it is written, in plain form, and as words between single spaces."""

    message: int
    raw: str
    plain: str
    words: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found: the messages, or the whole conversation, and the value that goes to the ledger."""

    messages: Sequence[int]
    value: object
    whole: bool = False


@dataclass(slots=True)
class Talk:
    """Messages with the texts of users, replies and the system prompt; `answered` is the user text before a reply."""

    messages: Sequence[Message]
    users: list[Said] = field(default_factory=list)
    replies: list[Said] = field(default_factory=list)
    answered: list[Said | None] = field(default_factory=list)
    system: str = ""

    @classmethod
    def of(cls, messages: Sequence[Message]) -> Talk:
        """Read the messages of a repaired conversation; texts that are missing or empty are left out."""
        talk = cls(messages)
        last: Said | None = None
        for n, message in enumerate(messages):
            text, role = message.get("content"), message["role"]
            if not text:
                continue
            if role == SYSTEM:
                talk.system = f"{talk.system}\n{text}" if talk.system else text
            elif role == USER:
                last = said(n, text)
                talk.users.append(last)
            elif role == ASSISTANT:
                talk.replies.append(said(n, text))
                talk.answered.append(last)
        return talk


def said(message: int, text: str) -> Said:
    """Give the forms of a text."""
    plain = plain_text(text)
    return Said(message, text, plain, words_of(plain))


def words_of(plain: str) -> str:
    """Give the words of a plain text between single spaces, without punctuation."""
    if plain.isascii():
        return b" ".join(plain.encode().translate(_ASCII_TO_SPACE).split()).decode()
    return " ".join(plain.translate(_TO_SPACE).split())


def units_of(words: str) -> tuple[list[str], int]:
    """Give what a text is compared by, and how many of these make a word.

    Words, and 1; for scripts without spaces characters, and 2.
    """
    if not words.isascii() and _is_unspaced(words):
        return list(words.replace(" ", "")), 2
    return words.split(" "), 1
