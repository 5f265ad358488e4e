"""Conversations that are erased while a curation runs: it ends, no file holds them, and the next run is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake import curate as pipeline
from finelake.config.settings import Settings
from finelake.curate import curate
from finelake.erasure.erase import erase
from finelake.erasure.requests import REQUESTED, record, request_for
from finelake.errors import ErasedMeanwhileError
from finelake.publish import MANIFEST, read_manifest
from finelake.tables import names
from finelake.tables.contracts import CONTRACTS
from finelake.tables.names import table_ref
from finelake.tables.reading import table_exists
from support.kills import Killed
from support.lake import save_turns, settings_for, table, talk

pytestmark = pytest.mark.spark

COUNT = 12
MODEL = '''
import hashlib

import numpy as np


class Hashes:
    """Gives each text a direction of its own."""

    def encode(self, sentences, *, batch_size, show_progress_bar):
        return np.array([list(hashlib.sha256(text.encode()).digest()) for text in sentences], np.float32) - 128


def load():
    return Hashes()
'''


class At:
    """Does something once, when a step begins: as if another process did it then."""

    def __init__(self, step: str, do: Callable[[], object]) -> None:
        self.step, self.do = step, do

    def step_started(self, step: str) -> None:
        if step == self.step:
            self.do()

    def step_finished(self, step: str, seconds: float) -> None: ...


def ask(spark: SparkSession, settings: Settings, name: str) -> None:
    """Record a request as `finelake erase` does first, and no more."""
    place = table_ref(settings.tables, names.ERASURES)
    record(spark, place, request_for([name], reference=None), REQUESTED, {"raw": False})


def files_with(settings: Settings, text: str) -> set[str]:
    files = (path for path in Path(settings.output.folder).rglob("*") if path.is_file())
    return {path.name for path in files if text.encode() in path.read_bytes()}


def tables_with(spark: SparkSession, settings: Settings, text: str) -> set[str]:
    there = [name for name in CONTRACTS if table_exists(spark, table_ref(settings.tables, name))]
    frames = {name: table(spark, settings, name) for name in there}
    rows = {name: frame.select(F.to_json(F.struct(*frame.columns)).alias("row")) for name, frame in frames.items()}
    return {name for name, frame in rows.items() if frame.where(F.contains("row", F.lit(text))).count()}


def die() -> None:
    raise Killed


@contextmanager
def after(name: str, do: Callable[[], object]) -> Iterator[None]:
    """Let something happen right after a function of the pipeline has done its work."""
    real = getattr(pipeline, name)

    def then(*arguments: Any, **options: Any) -> Any:
        found = real(*arguments, **options)
        do()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, name, then)
        yield


@pytest.mark.timeout(1800)
def test_a_curation_that_runs_meanwhile_ends_and_leaves_nothing(
    spark: SparkSession, tmp_path: Path, user_modules: Path
) -> None:
    (user_modules / "hashing_model.py").write_text(MODEL, encoding="utf-8")
    rows = [row for n in range(COUNT) for row in talk(f"c-{n:02d}", f"Where is order {n}?", f"On its way, {n}.")]
    for n in range(4):
        rows += talk(f"s-{n}", f"My word is quetzal{n}.", f"Thank you, quetzal{n} it is.", user=f"u{n}")
    save_turns(spark, rows, tmp_path / "raw")
    near = {"near": True, "semantic": {"enabled": True, "threshold": 1.0}}
    settings = settings_for(tmp_path, duplicates=near, embeddings={"model": "hashing_model:load"})
    output = Path(settings.output.folder)

    # Somebody else erases one from beginning to end, with a curation that publishes; this one goes on and writes.
    with pytest.raises(ErasedMeanwhileError, match="goes on without them"):
        curate(spark, settings, observer=At("relate", lambda: erase(spark, settings, conversations=["s-0"])))
    assert files_with(settings, "quetzal0") == set()
    assert read_manifest(output) is not None, "what the other has published is whole, and stays"
    assert tables_with(spark, settings, '"s-0"') >= {"signatures"}

    # Nothing changed since the other's curation but the tables: this run must not take it for its own. It is killed.
    with after("publish", lambda: (ask(spark, settings, "s-1"), die())), pytest.raises(Killed):
        curate(spark, settings)
    assert tables_with(spark, settings, '"s-1"') >= {"annotated", "examples", "assignments"}
    with after("write_manifest", lambda: ask(spark, settings, "s-2")), pytest.raises(ErasedMeanwhileError):
        curate(spark, settings)
    assert files_with(settings, "quetzal1") | files_with(settings, "quetzal2") == set()
    assert not (output / MANIFEST).exists()
    assert "assignments" not in tables_with(spark, settings, '"s-1"') | tables_with(spark, settings, '"s-2"')

    done = curate(spark, settings)
    for n in range(3):
        assert files_with(settings, f"quetzal{n}") == set()
        assert tables_with(spark, settings, f"quetzal{n}") | tables_with(spark, settings, f'"s-{n}"') == set()
    assert done.balance.conversations == COUNT + 1
    assert files_with(settings, "quetzal3") == {"train.jsonl"}
    kept = table(spark, settings, "annotated").count()
    assert (kept, table(spark, settings, "embeddings").count()) == (COUNT + 1, COUNT + 1)
    assert curate(spark, settings).up_to_date
