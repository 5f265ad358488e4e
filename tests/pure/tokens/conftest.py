"""tiktoken with the stored vocabularies, and real turns; tests that need them skip where they are absent."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from finelake.tokens.engine import TiktokenEngine


@pytest.fixture(scope="session")
def vocabularies(shared_data: Callable[[str], Path]) -> Iterator[Path]:
    """Point tiktoken to the stored vocabularies."""
    folder = shared_data("tiktoken_cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", os.fspath(folder))
        yield folder


@pytest.fixture(scope="session")
def references(vocabularies: Path) -> dict[str, TiktokenEngine]:
    """One tiktoken engine an encoding."""
    assert any(vocabularies.iterdir())
    return {name: TiktokenEngine(name) for name in ("o200k_base", "cl100k_base", "o200k_harmony")}


@pytest.fixture(scope="session")
def real_turns(shared_data: Callable[[str], Path]) -> Callable[..., list[dict[str, Any]]]:
    """Read turns of a real data file, from one line on, at most so many."""

    def read(name: str, *, start: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
        with gzip.open(shared_data(name), "rt", encoding="utf-8") as lines:
            return [json.loads(line) for line in islice(lines, start, None if limit is None else start + limit)]

    return read
