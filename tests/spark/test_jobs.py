"""The task mains: they take their arguments, use the session that is there, and fail by raising."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from finelake.errors import ConfigError, InputError
from finelake.jobs import curate, evaluate
from finelake.publish import read_manifest
from support.lake import Demo

pytestmark = pytest.mark.spark

CONFIGURATION = str(Path(__file__).resolve().parents[2] / "conf" / "local.yml")


@pytest.fixture
def place(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point conf/local.yml at the curated sample."""
    monkeypatch.setenv("FINELAKE_DEMO", str(demo.files.raw_turns.parents[1]))


@pytest.mark.usefixtures("place", "spark")
def test_curate_runs_with_a_configuration_and_overrides(demo: Demo, tmp_path: Path) -> None:
    output = tmp_path / "published"
    places = ["--set", f"output.folder={output}", "--set", f"tables.location={tmp_path / 'tables'}"]
    curate.main(["--config", CONFIGURATION, *places, "--set", "splits.salt=other"])
    manifest = read_manifest(output)
    assert manifest is not None
    assert manifest["source"]["rows"] == demo.ingested.rows
    assert manifest["run_id"] != demo.curation.run_id


@pytest.mark.usefixtures("place", "spark")
def test_a_parameter_that_was_not_filled_in_is_refused() -> None:
    with pytest.raises(ConfigError, match="job parameter was not filled in"):
        curate.main(["--config", CONFIGURATION, "--set", "source.table={{job.parameters.table}}"])


@pytest.mark.usefixtures("place")
def test_evaluate_before_training_says_what_to_run_first(spark: SparkSession, demo: Demo) -> None:
    assert spark.version
    assert demo.curation.files
    with pytest.raises(InputError, match="Run `finelake train` with the same configuration first"):
        evaluate.main(["--config", CONFIGURATION])
