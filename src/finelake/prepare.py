"""Preference and reinforcement lines, which are not curated from conversations, checked, split and published.

One pass on the driver in bounded memory (a digest for each distinct line): a service takes files below 512 MB. Each
line ends in exactly one outcome: kept, quarantined with a reason, or merged with an equal one. What has the same
prompt is in one split. Nothing is repaired and no personal data are replaced here; the plan says what is left of them.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from finelake import preference
from finelake.chat import SYSTEM, encode_json
from finelake.config.models import ModelInfo
from finelake.config.planning import Method
from finelake.config.settings import Settings, Splits
from finelake.conversations.text import find_special_token
from finelake.errors import BalanceError, ConfigError, InputError
from finelake.files import sha256_of
from finelake.publish import MANIFEST, write_manifest
from finelake.tables.writing import explained
from finelake.tokens.counter import ExampleCounter, counter_for
from finelake.training.forms.choose import form_of
from finelake.training.forms.form import Line, texts_of

QUARANTINE = "quarantine.jsonl"
SPLITS = ("train", "validation", "test")
_BATCH = 500
_HEX_DIGITS = 13


@dataclass(frozen=True, slots=True)
class RawLine:
    """A line as it came, and where from (`pairs.jsonl:17`)."""

    place: str
    text: bytes


@dataclass(slots=True)
class PreparedFile:
    """One published file, as the manifest lists it."""

    file: str
    bytes: int = 0
    sha256: str = ""
    examples: int = 0
    tokens: int = 0
    trained_tokens: int = 0


@dataclass(slots=True)
class Prepared:
    """What became of the lines: `rows_in` is the sum of kept, merged and quarantined; reasons count the latter."""

    folder: str
    method: Method
    rows_in: int = 0
    kept: int = 0
    merged: int = 0
    quarantined: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    files: dict[str, PreparedFile] = field(default_factory=dict)


def prepare(lines: Iterable[RawLine], *, settings: Settings, model: ModelInfo) -> Prepared:
    """Check, deduplicate, split and publish lines of `training.method` into `settings.output`, with a manifest.

    Raises ConfigError for supervised training, which `finelake curate` prepares, InputError when there are no lines,
    OutputError when the folder cannot be written.
    """
    method, folder = settings.training.method, settings.output.path
    if method == "supervised":
        raise ConfigError("training.method is supervised: `finelake curate` makes its files. Set dpo or reinforcement.")
    encoding, overhead = model.counting()
    work = _Work(
        settings, model, counter_for(encoding, overhead, settings.tokens.engine), Prepared(str(folder), method)
    )
    with explained(folder), tempfile.TemporaryDirectory(prefix="finelake-prepare-") as staging:
        work.write(lines, Path(staging))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
        for name in (*(f"{split}.jsonl" for split in SPLITS), QUARANTINE):
            (folder / name).write_bytes((Path(staging) / name).read_bytes())
    prepared = work.prepared
    for file in prepared.files.values():
        path = folder / file.file
        file.bytes, file.sha256 = path.stat().st_size, sha256_of(path)
    _balance(prepared)
    counts = {name: getattr(prepared, name) for name in ("rows_in", "kept", "merged", "quarantined")}
    files = {split: asdict(file) for split, file in prepared.files.items()}
    content = {"method": method, "model": settings.model, "encoding": encoding, "files": files, "balance": counts}
    write_manifest(content | {"reasons": prepared.reasons}, folder=folder)
    return prepared


class _Work:
    def __init__(self, settings: Settings, model: ModelInfo, counter: ExampleCounter, prepared: Prepared) -> None:
        self._splits = settings.splits
        self._limit = model.training_context
        self._counter = counter
        self._form = form_of(prepared.method)
        self._seen: set[bytes] = set()
        self.prepared = prepared

    def write(self, lines: Iterable[RawLine], staging: Path) -> None:
        """Write the files of the splits and the quarantine into a folder."""
        prepared, numbered = self.prepared, (line for line in lines if line.text.strip(b"\xef\xbb\xbf \t\r\n"))
        prepared.files = {split: PreparedFile(f"{split}.jsonl") for split in SPLITS}
        with ExitStack() as stack:
            streams = {name: stack.enter_context((staging / f"{name}.jsonl").open("wb")) for name in SPLITS}
            aside = stack.enter_context((staging / QUARANTINE).open("wb"))
            while batch := list(islice(numbered, _BATCH)):
                prepared.rows_in += len(batch)
                self._take(list(self._sound(batch, aside)), streams, aside)
        if prepared.rows_in == 0:
            raise InputError(
                "The source holds no lines. Give JSON Lines files, or a Delta table with a column of lines."
            )

    def _sound(self, batch: list[RawLine], aside: BinaryIO) -> Iterator[tuple[RawLine, Line]]:
        for raw in batch:
            value, problems = self._form.read(raw.text.removeprefix(b"\xef\xbb\xbf").strip())
            if value is None or problems:
                self._set_aside(raw, problems[0].code, problems[0].place, aside)
            elif any(find_special_token(text) for text in texts_of(value)):
                self._set_aside(raw, "text_special_token", "", aside)
            elif (digest := hashlib.blake2b(encode_json(value).encode(), digest_size=16).digest()) in self._seen:
                self.prepared.merged += 1
            else:
                self._seen.add(digest)
                yield raw, value

    def _take(self, sound: list[tuple[RawLine, Line]], streams: Mapping[str, BinaryIO], aside: BinaryIO) -> None:
        chats = [self._form.examples(value) for _, value in sound]
        counts = iter(self._counter.count(chat for one in chats for chat in one))
        for (raw, value), one in zip(sound, chats, strict=True):
            tokens = self._form.tokens(list(islice(counts, len(one))), self._limit)
            if self._limit is not None and tokens.longest > self._limit:
                self._set_aside(raw, "example_too_long", f"{tokens.longest} tokens", aside)
                continue
            split = split_of(value, method=self.prepared.method, config=self._splits)
            file = self.prepared.files[split]
            # The test file is read as chats by everything that asks a model: the preferred answer is the reference.
            as_chat = split == "test" and self.prepared.method == "dpo"
            streams[split].write(encode_json(preference.chat_of(value) if as_chat else value).encode() + b"\n")
            file.examples += 1
            file.tokens += tokens.most
            file.trained_tokens += tokens.trained
            self.prepared.kept += 1

    def _set_aside(self, raw: RawLine, reason: str, at: str, aside: BinaryIO) -> None:
        self.prepared.quarantined += 1
        self.prepared.reasons[reason] = self.prepared.reasons.get(reason, 0) + 1
        aside.write(json.dumps({"line": raw.place, "reason": reason, "at": at}).encode() + b"\n")


def split_of(value: Line, *, method: Method, config: Splits) -> str:
    """Choose a line's split by the salted hash of its prompt; system messages do not count."""
    messages = value["input"]["messages"] if method == "dpo" else value["messages"]
    prompt = encode_json([message for message in messages if message["role"] not in {SYSTEM, "developer"}])
    digest = hashlib.sha256(f"{config.salt}\u001f{prompt}".encode()).hexdigest()
    point = int(digest[:_HEX_DIGITS], 16) / 16.0**_HEX_DIGITS
    if point < config.test:
        return "test"
    return "validation" if point < config.test + config.validation else "train"


def lines_of_files(paths: Iterable[Path]) -> Iterator[RawLine]:
    """Give the lines of JSON Lines files. Raises InputError for a file that cannot be read."""
    for path in paths:
        try:
            with path.open("rb") as stream:
                for number, text in enumerate(stream, start=1):
                    yield RawLine(f"{path.name}:{number}", text)
        except OSError as error:
            raise InputError(f"{path} cannot be read ({type(error).__name__}). Give JSON Lines files.") from None


def _balance(prepared: Prepared) -> None:
    written = sum(file.examples for file in prepared.files.values())
    if not prepared.rows_in == prepared.kept + prepared.merged + prepared.quarantined or written != prepared.kept:
        raise BalanceError(
            f"{prepared.rows_in} lines came in; {prepared.kept} kept, {prepared.merged} merged, {prepared.quarantined} "
            f"quarantined, {written} written. This is a defect of finelake: report it."
        )


def describe(prepared: Prepared) -> dict[str, Any]:
    """Give the outcome as plain JSON values."""
    return asdict(prepared)
