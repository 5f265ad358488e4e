"""The sample as the tests see it: the lines of the written files, not the objects of the generator."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

from finelake.sample import SampleFiles, write_sample
from finelake.sample.planted.replies import NEAR_MISS
from pure.sample.detect import Row


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """The written sample read back: `rows` by line number, conversations by id, and the truth."""

    files: SampleFiles
    lines: list[str]
    rows: dict[int, Row]
    conversations: dict[str, list[Row]]
    truth: list[Row]

    @property
    def clean(self) -> dict[str, list[Row]]:
        """Return the conversations that no truth row names and that hold no near miss, in the order of their turns."""
        spoiled = {row["conversation_id"] for row in self.truth}
        return {
            name: sorted(rows, key=lambda row: row["turn_index"])
            for name, rows in self.conversations.items()
            if name not in spoiled and not name.endswith(NEAR_MISS)
        }


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return read_sample(write_sample(tmp_path_factory.mktemp("sample")))


def read_sample(files: SampleFiles) -> Loaded:
    lines = _lines(files.raw_turns)
    rows: dict[int, Row] = {}
    conversations: dict[str, list[Row]] = defaultdict(list)
    for number, line in enumerate(lines, start=1):
        try:
            rows[number] = json.loads(line)
        except ValueError:
            continue
        if rows[number].get("conversation_id") is not None:
            conversations[rows[number]["conversation_id"]].append(rows[number])
    truth = [json.loads(line) for line in _lines(files.truth)]
    return Loaded(files=files, lines=lines, rows=rows, conversations=dict(conversations), truth=truth)


def _lines(path: Path) -> list[str]:
    text = path.read_bytes().decode("utf-8")
    assert text.endswith("\n")
    return text.removesuffix("\n").split("\n")
