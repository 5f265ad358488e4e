"""What a job's data come to, known before the first step: examples, tokens, what had to be cut or left out and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from finelake.files import write_whole
from finelake.huggingface.fitting import Fitting
from finelake.huggingface.job import JobError
from finelake.huggingface.rows import Rows, read_shard_manifest
from finelake.huggingface.template import Refused


@dataclass(slots=True, kw_only=True)
class Census:
    """Counts of one split; `excluded` are the rows of each group that are left out, `reasons` how many for what.

    `tokens` and `trained_tokens` are those of an epoch, `longest` the most of one example.
    """

    rows: int = 0
    kept: int = 0
    cut: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    longest: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    excluded: dict[int, list[int]] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """Give the counts without the rows."""
        return {key: value for key, value in asdict(self).items() if key != "excluded"}


def counted_already(path: Path, split: str, fitting: Fitting) -> Census | None:
    """Take the counts of shards whose tokens were counted with this tokenizer, where all fit; else None."""
    folder = path if path.is_dir() else path.parent
    if fitting.method != "sft" or not (path.is_dir() or path.name == "manifest.json"):
        return None
    manifest = read_shard_manifest(folder)
    found = manifest["splits"].get(split)
    if not found or manifest.get("tokenizer") != fitting.template.fingerprint:
        return None
    if found["longest"] > fitting.max_length:
        return None
    return Census(
        rows=found["rows"],
        kept=found["rows"],
        tokens=found["tokens"],
        trained_tokens=found["trained_tokens"],
        longest=found["longest"],
    )


def take(rows: Rows, fitting: Fitting, *, dropped: Path) -> Census:
    """Encode every example once, and write those left out to `dropped` (place, reason, tokens).

    Raises JobError: `example_too_long` where the settings refuse such, `no_examples` where none is left.
    """
    census, reasons, places = Census(), Counter[str](), []
    for group, row, found in _fitted(rows, fitting):
        census.rows += 1
        if isinstance(found, Refused):
            if found.reason == "example_too_long" and fitting.too_long == "refuse":
                raise JobError(
                    "example_too_long",
                    f"{rows.name(group, row)} has {found.tokens} tokens, more than max_length {fitting.max_length}. "
                    "Curate with this model and limit, raise max_length, or set too_long to cut or drop.",
                )
            reasons[found.reason] += 1
            census.excluded.setdefault(group, []).append(row)
            places.append({"place": rows.name(group, row), "reason": found.reason, "tokens": found.tokens})
            continue
        census.kept += 1
        census.cut += found.cut > 0
        census.tokens += found.tokens
        census.trained_tokens += found.trained
        census.longest = max(census.longest, found.tokens)
    census.reasons = dict(sorted(reasons.items()))
    write_whole(dropped, "".join(json.dumps(place) + "\n" for place in places))
    if not census.kept:
        raise JobError("no_examples", f"None of {census.rows} examples can be trained on: {census.reasons}.")
    return census


def _fitted(rows: Rows, fitting: Fitting) -> Iterator[tuple[int, int, Any]]:
    for group, size in enumerate(rows.groups):
        for row, line in enumerate(rows.read(group, range(size))):
            try:
                yield group, row, fitting(line)
            except Refused as refused:
                yield group, row, refused
