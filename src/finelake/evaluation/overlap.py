"""Overlap between the evaluation's items and the training file, found in one pass over the file.

An item is in the training file when a training conversation begins with the item's messages (the system prompt
aside, compared as words) and, where there is a reference, goes on with it; or when one training line holds a large
share of the n-grams of the item's last question and reference. Items shorter than an n-gram are compared whole only.
Memory follows the items, never the file: it is read line by line.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from finelake import preference
from finelake.config.evaluation import Overlap
from finelake.evaluation.item import Item
from finelake.evaluation.metrics.case import text_of
from finelake.evaluation.replies import Reply, rendered, reply_from_message

logger = logging.getLogger(__name__)

# Characters of scripts without spaces (words.py) are words of their own.
_WORDS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]"
    r"|(?:(?![\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff])[^\W_])+"
)
_UNSAID = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Found:
    """An item that is in the training file: how, what share of its n-grams, and the line (from 1)."""

    item: int
    kind: Literal["same_messages", "ngrams"]
    share: float
    line: int


class _Items:
    """What to look for: digests of whole items and n-grams, with the items that they belong to."""

    def __init__(self, items: Sequence[Item], words: int) -> None:
        self.words = words
        self.whole: defaultdict[bytes, list[int]] = defaultdict(list)
        self.grams: defaultdict[str, list[int]] = defaultdict(list)
        self.sizes: list[int] = []
        for place, item in enumerate(items):
            messages = _spoken(item.request["messages"])
            expected = [] if item.reference is None else _words(rendered(item.reference))
            digest = _digest(b"", [*messages, expected] if item.reference is not None else messages)
            self.whole[digest].append(place)
            question = messages[-1] if messages else []
            grams = set(_grams([*question, *expected], words))
            self.sizes.append(len(grams))
            for gram in grams:
                self.grams[gram].append(place)


def find_overlap(items: Sequence[Item], train_files: Sequence[Path], *, config: Overlap) -> list[Found]:
    """Give the items that are in the training files, each once, with its strongest finding, in the items' order."""
    wanted = _Items(items, config.words)
    best: dict[int, Found] = {}
    for number, example in enumerate(_examples(train_files), 1):
        for found in _compare(example["messages"], number, wanted):
            held = best.get(found.item)
            if found.share >= config.share and (held is None or _strength(found) > _strength(held)):
                best[found.item] = found
    logger.info("%d of %d evaluation items are in the training data.", len(best), len(items))
    return [best[place] for place in sorted(best)]


def _compare(messages: Sequence[Mapping[str, Any]], number: int, wanted: _Items) -> Iterator[Found]:
    spoken = _spoken(messages)
    digest = b""
    for text in spoken:
        digest = _digest(digest, [text])
        for item in wanted.whole.get(digest, ()):
            yield Found(item, "same_messages", 1.0, number)
    shared: Counter[int] = Counter()
    for gram in set(_grams([word for text in spoken for word in text], wanted.words)):
        shared.update(wanted.grams.get(gram, ()))
    for item, count in shared.items():
        yield Found(item, "ngrams", count / wanted.sizes[item], number)


def _strength(found: Found) -> tuple[bool, float]:
    return found.kind == "same_messages", found.share


def _examples(files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for file in files:
        with file.open(encoding="utf-8-sig") as lines:
            yield from (_as_chat(json.loads(line)) for line in lines)


def _as_chat(example: dict[str, Any]) -> dict[str, Any]:
    """Read a preference example as its input and both answers in a row: all of it is training data."""
    if preference.INPUT not in example:
        return example
    return {
        "messages": [
            *example[preference.INPUT]["messages"],
            *(one for key in preference.ANSWERS for one in example[key]),
        ]
    }


def _spoken(messages: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    return [_words(_said(message)) for message in messages if message["role"] not in _UNSAID]


def _said(message: Mapping[str, Any]) -> str:
    """Give what a message says; an assistant's with its calls, as a reference is rendered."""
    if message["role"] == "assistant":
        reply: Reply = reply_from_message(message)
        return rendered(reply)
    return text_of(message.get("content"))


def _words(text: str) -> list[str]:
    return _WORDS.findall(unicodedata.normalize("NFKC", text).casefold())


def _grams(words: Sequence[str], size: int) -> Iterator[str]:
    return (" ".join(words[start : start + size]) for start in range(len(words) - size + 1))


def _digest(before: bytes, texts: Sequence[Sequence[str]]) -> bytes:
    """Give a digest of texts in a row, so that of a longer row can go on from it."""
    for text in texts:
        before = hashlib.blake2b(before + b"\x00" + " ".join(text).encode(), digest_size=16).digest()
    return before
