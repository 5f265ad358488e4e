"""What is inside a file that is about to be uploaded, line by line; nothing of its text is kept."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from finelake.conversations.text import find_special_token
from finelake.pictures import embedded_bytes
from finelake.privacy.detect import Detector
from finelake.tokens.counter import ExampleCounter
from finelake.training.data import DataFile
from finelake.training.forms.form import Line, LineForm, LineTokens, pictures_of, texts_of

_BATCH = 500
_SHOWN = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """How files are read: the form of a line, how tokens are counted (None where they cannot be), what is personal.

    `limit` is the most tokens an example may have, None where no source says. Personal data are looked for in at most
    `personal_sample` lines, evenly spread.
    """

    form: LineForm
    counter: ExampleCounter | None
    limit: int | None
    detector: Detector
    personal_sample: int


@dataclass(slots=True)
class Places:
    """How often something is in a file, and the numbers of the first lines that have it."""

    count: int = 0
    lines: list[int] = field(default_factory=list)

    def note(self, line: int) -> None:
        """Count one more."""
        self.count += 1
        if len(self.lines) < _SHOWN:
            self.lines.append(line)

    def __str__(self) -> str:
        if not self.count:
            return "none"
        shown = ", ".join(str(line) for line in self.lines)
        return f"{self.count:,} (line {shown}{' ...' if self.count > len(self.lines) else ''})"


@dataclass(slots=True)
class Pictures:
    """Pictures in a file: lines that have some, pictures in all, the most in one line, and how they are addressed.

    `largest` is the size in bytes of the largest embedded one.
    """

    lines: int = 0
    count: int = 0
    most: int = 0
    largest: int = 0
    schemes: Counter[str] = field(default_factory=Counter)

    def note(self, addresses: Sequence[str]) -> None:
        """Take one line's pictures in."""
        if addresses:
            self.lines += 1
            self.count += len(addresses)
            self.most = max(self.most, len(addresses))
            self.largest = max(self.largest, *(embedded_bytes(address) for address in addresses))
            self.schemes.update(address.partition(":")[0].lower() for address in addresses)


@dataclass(slots=True)
class Personal:
    """Personal data: lines that were looked at, those with any, and lines by kind.

    `grave` are the lines with a kind that the privacy settings would not leave in a text.
    """

    looked: int = 0
    lines: int = 0
    grave: int = 0
    kinds: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class FileContent:
    """What was found in a file; `examples` are its lines without problems, `problems` places by code.

    `keys` are those that every example has. `tokens` sums the lines (the longest single example is a maximum), None
    where they cannot be counted.
    """

    lines: int = 0
    examples: int = 0
    problems: dict[str, Places] = field(default_factory=dict)
    special_tokens: Places = field(default_factory=Places)
    too_long: Places = field(default_factory=Places)
    keys: frozenset[str] | None = None
    tokens: LineTokens | None = None
    personal: Personal = field(default_factory=Personal)
    pictures: Pictures = field(default_factory=Pictures)


def read_content(file: DataFile, scan: Scan) -> FileContent:
    """Read a whole file once, a batch of lines at a time."""
    content = FileContent(tokens=None if scan.counter is None else LineTokens(0, 0, 0, 0))
    every = max(1, -(-file.examples // scan.personal_sample))
    numbered = _lines(file.path)
    while batch := list(islice(numbered, _BATCH)):
        good = [(number, value) for number, raw in batch if (value := _read(number, raw, content, scan)) is not None]
        _count(good, content, scan)
        for number, value in good:
            content.pictures.note(list(pictures_of(value)))
            if (number - 1) % every == 0:
                _look(value, content.personal, scan.detector)
    return content


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, start=1):
            line = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
            if line.strip():
                yield number, line


def _read(number: int, raw: bytes, content: FileContent, scan: Scan) -> Line | None:
    """Read a line, note what is wrong with it, and give it when nothing is."""
    value, problems = scan.form.read(raw)
    content.lines += 1
    for code in dict.fromkeys(problem.code for problem in problems):
        content.problems.setdefault(code, Places()).note(number)
    if value is None:
        return None
    if (b"<|" in raw or b"\\u00" in raw) and any(find_special_token(text) for text in texts_of(value)):
        content.special_tokens.note(number)
    if problems:
        return None
    content.examples += 1
    content.keys = frozenset(value) if content.keys is None else content.keys.intersection(value)
    return value


def _count(good: Sequence[tuple[int, Line]], content: FileContent, scan: Scan) -> None:
    if scan.counter is None or content.tokens is None:
        return
    chats = [scan.form.examples(value) for _, value in good]
    counts = iter(scan.counter.count(chat for one in chats for chat in one))
    for (number, _), one in zip(good, chats, strict=True):
        found = scan.form.tokens(list(islice(counts, len(one))), scan.limit)
        if scan.limit is not None and found.longest > scan.limit:
            content.too_long.note(number)
        content.tokens = content.tokens.plus(found)


def _look(value: Line, personal: Personal, detector: Detector) -> None:
    kinds = {found.kind for text in texts_of(value) for found in detector.find(text)}
    personal.looked += 1
    personal.lines += bool(kinds)
    personal.grave += any(detector.policies[kind] != "report" for kind in kinds)
    personal.kinds.update(kinds)
