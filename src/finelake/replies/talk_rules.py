"""Rules that look at several messages: pure functions from a conversation to what is found in it, or None."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ftfy.badness import badness

from finelake.chat import ASSISTANT, USER
from finelake.config.replies import Replies
from finelake.replies.talk import Found, Said, Talk, units_of, words_of

TalkRule = Callable[[Talk, Replies], Found | None]

_RUN = 5
# What UTF-8 looks like when it is read as Latin-1 or Windows-1252, and the sign for what could not be read at all.
_may_be_damaged = re.compile(
    "[\u00c2-\u00f4\u0152\u0160\u00d0\u00e2][\u0080-\u00bf\u0152-\u0192\u02c6\u02dc\u2013-\u20ac\u2122]|\ufffd"
).search


def echo(talk: Talk, replies: Replies) -> Found | None:
    """Replies that are what the user said, or a part of it, or all of it with little more."""
    config = replies.echo
    found = [
        reply.message
        for reply, user in zip(talk.replies, talk.answered, strict=True)
        if user is not None and _is_echo(reply.words, user.words, config.min_words, config.min_share)
    ]
    return Found(found, len(found)) if found else None


def _is_echo(reply: str, user: str, min_words: int, min_share: float) -> bool:
    if reply in user:
        shared = reply
    elif user in reply and len(user) >= min_share * len(reply):
        shared = user
    else:
        return False
    if f" {shared} " not in f" {user} " and shared.isascii():
        return False
    units, parts = units_of(shared)
    return len(units) >= min_words * parts


def repetition(talk: Talk, replies: Replies) -> Found | None:
    """Replies in which too many runs of words come again; the value is the largest share."""
    config = replies.repetition
    shares = {}
    for reply in talk.replies:
        if len(reply.words) >= 2 * config.min_words and _may_repeat(reply.words, config.max_share):
            share = repeated_share(reply.words, config.min_words)
            if share > config.max_share:
                shares[reply.message] = share
    return Found(list(shares), f"{max(shares.values()):.3f}") if shares else None


def _may_repeat(words: str, max_share: float) -> bool:
    """Rule out most replies: where a run came before, so did its first word."""
    units, parts = units_of(words)
    return len(units) - len(set(units)) > max_share * (len(units) - _RUN * parts + 1)


def repeated_share(words: str, min_words: int) -> float:
    """Give the share of runs (five words, ten characters without spaces) that came before; 0 for short texts."""
    units, parts = units_of(words)
    run = _RUN * parts
    if len(units) < min_words * parts:
        return 0.0
    runs = list(zip(*(units[n:] for n in range(run)), strict=False))
    return 1 - len(set(runs)) / len(runs)


def repeated_reply(talk: Talk, replies: Replies) -> Found | None:
    """Replies whose words an earlier reply of the conversation had."""
    floor = replies.repeated_reply.min_characters
    seen: set[str] = set()
    found = []
    for reply in talk.replies:
        if len(reply.words) >= floor:
            if reply.words in seen:
                found.append(reply.message)
            seen.add(reply.words)
    return Found(found, len(found)) if found else None


def prompt_leak(talk: Talk, replies: Replies) -> Found | None:
    """Replies that hold a long run of the system prompt's words."""
    if not talk.system:
        return None
    size = replies.prompt_leak.words
    prompt = words_of(talk.system.lower())
    found = [reply.message for reply in talk.replies if _shares_run(reply, prompt, size)]
    return Found(found, len(found)) if found else None


def _shares_run(reply: Said, prompt: str, size: int) -> bool:
    units, parts = units_of(reply.words)
    size, joint = size * parts, " " if parts == 1 else ""
    if len(units) < size:
        return False
    text = f" {prompt} " if parts == 1 else prompt.replace(" ", "")
    # Every run of `size` words holds a whole block of half that length that begins at a multiple of it.
    half = max(1, size // 2)
    return any(
        f"{joint}{joint.join(units[start : start + half])}{joint}" in text
        and any(
            f"{joint}{joint.join(units[first : first + size])}{joint}" in text
            for first in range(max(0, start - size + half), min(start, len(units) - size) + 1)
        )
        for start in range(0, len(units) - half + 1, half)
    )


def length_ratio(talk: Talk, replies: Replies) -> Found | None:
    """The characters of the user by those of the assistant, where they are out of bounds."""
    config = replies.length_ratio
    user = sum(len(item.raw) for item in talk.users)
    assistant = sum(len(item.raw) for item in talk.replies)
    if user + assistant < config.min_characters or not assistant:
        return None
    ratio = user / assistant
    if config.min_ratio <= ratio <= config.max_ratio:
        return None
    return Found([], f"{ratio:.3f}", whole=True)


def turn_count(talk: Talk, replies: Replies) -> Found | None:
    """The number of messages of user and assistant, where it is out of bounds."""
    config = replies.turn_count
    count = sum(message["role"] in (USER, ASSISTANT) for message in talk.messages)
    if config.min_messages <= count <= config.max_messages:
        return None
    return Found([], count, whole=True)


def mojibake(talk: Talk, _replies: Replies) -> Found | None:
    """Replies with replacement characters, or with signs that ftfy takes for a wrong reading of UTF-8."""
    found = [
        reply.message
        for reply in talk.replies
        if not reply.raw.isascii() and _may_be_damaged(reply.raw) and ("\ufffd" in reply.raw or badness(reply.raw) > 0)
    ]
    return Found(found, len(found)) if found else None


TALK_RULES: Mapping[str, TalkRule] = {
    "prompt_leak": prompt_leak,
    "echo": echo,
    "repetition": repetition,
    "repeated_reply": repeated_reply,
    "length_ratio": length_ratio,
    "turn_count": turn_count,
    "mojibake": mojibake,
}
