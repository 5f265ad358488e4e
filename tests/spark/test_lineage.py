"""The thread of runs: recorded, listed, compared, and made again from Delta's history."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from finelake.config.settings import Settings
from finelake.curate import Curation, curate
from finelake.errors import ConfigError, InputError, NotReproducedError
from finelake.lineage.diff import diff
from finelake.lineage.listing import list_runs
from finelake.lineage.record import record_curation
from finelake.lineage.reproduce import reproduce
from finelake.lineage.thread import find_thread
from finelake.tables.names import EXAMPLES, TableRef
from finelake.tables.reading import latest_version
from support.lake import save_turns, settings_for, talk

pytestmark = pytest.mark.spark


@dataclass(frozen=True)
class Grown:
    """A lake that was curated, grew, and was curated again into the same folder, with more tested."""

    folder: Path
    settings: Settings
    first: Curation
    second: Curation


def conversations(first: int, last: int) -> list[Any]:
    return [
        row
        for at in range(first, last)
        for row in talk(f"c{at:03d}", f"Where is parcel {at * 37}?", f"It left depot {at * 91} today.", user=f"u{at}")
    ]


@pytest.fixture(scope="module")
def grown(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Grown:
    folder = tmp_path_factory.mktemp("lineage")
    settings = settings_for(folder, splits={"validation": 0.2, "test": 0.2})
    save_turns(spark, conversations(0, 60), folder / "raw")
    first = curate(spark, settings)
    more = spark.createDataFrame(conversations(60, 80), spark.read.format("delta").load(str(folder / "raw")).schema)
    more.write.format("delta").mode("append").save(str(folder / "raw"))
    changed = settings.model_copy(update={"checks": settings.checks, "duplicates": _without_exact(settings)})
    return Grown(folder, changed, first, curate(spark, changed))


def _without_exact(settings: Settings) -> Any:
    return settings.duplicates.model_copy(update={"exact": False})


def versions(spark: SparkSession, grown: Grown) -> dict[str, int]:
    places = sorted((grown.folder / "tables").iterdir())
    return {place.name: latest_version(spark, TableRef(str(place))) for place in places}


def test_a_run_is_made_again_with_the_pins_it_found_and_nothing_of_it_is_touched(
    spark: SparkSession, grown: Grown
) -> None:
    published = {path.name: path.read_bytes() for path in (grown.folder / "output").iterdir()}
    before = versions(spark, grown)
    found = reproduce(spark, grown.settings, grown.second.run_id)
    assert found.equal, found
    assert {file.file: file.rebuilt for file in found.files} == {
        item.file: item.sha256 for item in grown.second.files.values()
    }
    assert grown.first.files["train"].sha256 != grown.second.files["train"].sha256
    assert versions(spark, grown) == before
    assert {path.name: path.read_bytes() for path in (grown.folder / "output").iterdir()} == published


def test_an_overwritten_run_is_made_again_and_a_false_record_is_told(
    spark: SparkSession, grown: Grown, tmp_path: Path
) -> None:
    manifest = find_thread(spark, grown.settings, grown.first.run_id).curation
    assert manifest is not None
    other = json.loads(json.dumps(manifest)) | {"run_id": "feedfeedfeedfeed"}
    other["files"]["test"]["sha256"] = "0" * 64
    other["rules"]["assigned_test"]["count"] += 3
    settings = settings_for(grown.folder, tables={"location": str(tmp_path / "other")})
    record_curation(spark, settings, other)
    found = reproduce(spark, settings, "feedfeedfeedfeed", folder=tmp_path / "scratch")
    assert [file.file for file in found.files if not file.equal] == ["test.jsonl"]
    assert found.rules == {"assigned_test": (other["rules"]["assigned_test"]["count"], manifest_count(manifest))}
    assert (tmp_path / "scratch" / "output" / "train.jsonl").exists()


def manifest_count(manifest: dict[str, Any]) -> int:
    return int(manifest["rules"]["assigned_test"]["count"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"config": None}, "configuration of run .* was not recorded"),
        ({"code": {"finelake": "0.0.1", "fingerprint": "0" * 16}}, "was made by finelake 0.0.1"),
        ({"source": {"version": 9}}, "cannot be rebuilt: Table .* at version 9 cannot be read"),
        ({"inputs": {"catalogue": "other"}}, r"the catalogue of models and limits \(models_file\) changed since"),
        ({"config": {"splits": {"tset": 1}}}, r"cannot be read by this version of finelake \(splits.tset"),
    ],
)
def test_what_is_in_the_way_is_named(
    spark: SparkSession, grown: Grown, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    manifest = find_thread(spark, grown.settings, grown.first.run_id).curation
    assert manifest is not None
    for name, value in change.items():
        merged = manifest[name] | value if isinstance(value, dict) else value
        manifest = {**manifest, name: merged}
    settings = settings_for(grown.folder, tables={"location": str(tmp_path / "other")})
    record_curation(spark, settings, manifest)
    with pytest.raises(NotReproducedError, match=said):
        reproduce(spark, settings, manifest["run_id"])


def test_files_that_vacuum_removed_are_told(spark: SparkSession, grown: Grown, tmp_path: Path) -> None:
    manifest = find_thread(spark, grown.settings, grown.first.run_id).curation
    assert manifest is not None
    moved = json.loads(json.dumps(manifest).replace(str(grown.folder / "raw"), str(tmp_path / "raw")))
    settings = settings_for(grown.folder, tables={"location": str(tmp_path / "tables")})
    record_curation(spark, settings, moved)
    save_turns(spark, conversations(0, 20), tmp_path / "raw")
    rows = spark.createDataFrame(conversations(20, 21), spark.read.format("delta").load(str(tmp_path / "raw")).schema)
    gone = list((tmp_path / "raw").glob("*.parquet"))
    rows.write.format("delta").mode("overwrite").save(str(tmp_path / "raw"))
    for file in gone:
        file.unlink()
    with pytest.raises(NotReproducedError, match=r"raw at version 0, or .* are gone"):
        reproduce(spark, settings, moved["run_id"])


def test_a_scratch_place_that_could_touch_the_run_is_refused(spark: SparkSession, grown: Grown, tmp_path: Path) -> None:
    run = grown.first.run_id
    for place in (grown.folder / "output" / "again", grown.folder / "tables" / "again"):
        with pytest.raises(ConfigError, match="overlap"):
            reproduce(spark, grown.settings, run, folder=place)
    with pytest.raises(ConfigError, match="overlap"):
        reproduce(spark, grown.settings, run, folder=tmp_path / "new", tables=str(grown.folder / "tables"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty"):
        reproduce(spark, grown.settings, run, folder=tmp_path / "full")


def test_two_runs_are_compared(spark: SparkSession, grown: Grown) -> None:
    found = diff(spark, grown.settings, grown.first.run_id, grown.second.run_id)
    assert [(change.key, change.before, change.after) for change in found.configuration] == [
        ("duplicates.exact", True, False)
    ]
    assert found.code == []
    assert found.data is not None
    assert {"source.version", "source.rows", "balance.rows_in", "files.train.sha256"} <= {
        change.key for change in found.data
    }
    assert isinstance(found.examples, list)
    counted = {(one.kind, one.before, one.after): one.examples for one in found.examples}
    assert {kind for kind, _, _ in counted} == {"same", "added"}
    assert sum(count for (kind, _, _), count in counted.items() if kind == "added") == 20
    assert sum(count for (kind, _, _), count in counted.items() if kind == "same") == 60
    assert found.scores is None
    back = diff(spark, grown.settings, grown.second.run_id, grown.first.run_id)
    assert isinstance(back.examples, list)
    assert sum(one.examples for one in back.examples if one.kind == "removed") == 20


def test_runs_are_listed_newest_first(spark: SparkSession, grown: Grown) -> None:
    listed = list_runs(spark, grown.settings)
    assert [run.run_id for run in listed] == [grown.second.run_id, grown.first.run_id]
    assert listed[0].facts["files"]["train"]["sha256"] == grown.second.files["train"].sha256
    assert [run.run_id for run in list_runs(spark, grown.settings, limit=1)] == [grown.second.run_id]
    assert list_runs(spark, grown.settings, kind="training") == []


def test_a_run_that_nobody_knows_is_said(spark: SparkSession, grown: Grown, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No run nobody is recorded"):
        find_thread(spark, grown.settings, "nobody")
    empty = settings_for(tmp_path)
    assert list_runs(spark, empty) == []
    with pytest.raises(InputError, match="No run nobody is recorded"):
        diff(spark, empty, "nobody", "nobody")


def test_a_version_that_is_gone_is_said_and_the_rest_compared(spark: SparkSession, grown: Grown) -> None:
    manifest = find_thread(spark, grown.settings, grown.first.run_id).curation
    assert manifest is not None
    other = {**manifest, "run_id": "goneversion00000"}
    other["tables"] = {**manifest["tables"], EXAMPLES: {**manifest["tables"][EXAMPLES], "version": 77}}
    record_curation(spark, grown.settings, other)
    found = diff(spark, grown.settings, "goneversion00000", grown.second.run_id)
    assert isinstance(found.examples, str)
    assert "at version 77 cannot be read" in found.examples
    assert found.configuration
