"""The task mains: they take their arguments, use the session that is there, and fail by raising."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from finelake.errors import ConfigError, InputError, PromotionRefusedError
from finelake.jobs import curate, evaluate, promote
from finelake.jobs.task import begin, guarded, task_parser
from finelake.logs import bound
from finelake.publish import read_manifest
from finelake.tables.journal import Entry
from finelake.tables.names import TableRef
from finelake.tables.runs import append_entry
from support.lake import Demo

pytestmark = pytest.mark.spark

ROW = "my card is 4111 1111 1111 1111"

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


@guarded
def main_that_fails(arguments: Sequence[str] | None = None) -> None:
    task = begin(task_parser("cast", does="Cast a text that is no number."), arguments)
    with bound(run="8b5c", step="read"):
        task.spark.createDataFrame([(ROW,)], "text string").selectExpr("cast(text AS int)").collect()


@pytest.mark.usefixtures("spark")
def test_a_query_that_fails_ends_the_task_without_its_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINELAKE_DEMO", str(tmp_path))
    with pytest.raises(RuntimeError) as ended:
        main_that_fails(["--config", CONFIGURATION, "--log-format", "json", "--run-id", "4711"])
    said = capsys.readouterr().err
    line = json.loads(said.splitlines()[-1])
    assert (line["level"], line["task"], line["job_run"]) == ("ERROR", "cast", "4711")
    assert (line["run"], line["step"]) == ("8b5c", "read")
    assert "CAST_INVALID_INPUT" in line["message"]
    shown = "".join(traceback.format_exception(ended.value))
    assert "CAST_INVALID_INPUT" in shown
    assert "in main_that_fails" in shown
    assert ROW not in said + shown


@pytest.mark.usefixtures("place")
def test_evaluate_before_training_says_what_to_run_first(spark: SparkSession, demo: Demo) -> None:
    assert spark.version
    assert demo.curation.files
    with pytest.raises(InputError, match="Run `finelake train` with the same configuration first"):
        evaluate.main(["--config", CONFIGURATION])


@pytest.mark.usefixtures("place")
def test_promote_may_end_normally_where_the_verdict_is_another(
    spark: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables, output = tmp_path / "tables", tmp_path / "published"
    results = {"watch": {"fine_tuned_model": "m"}, "deploy": {"name": "tuned", "model": "m"}, "smoke": {}}
    for number, (step, payload) in enumerate(results.items(), start=1):
        entry = Entry(
            sequence=number,
            holder="test",
            step=step,
            entry="result",
            payload=payload,
            recorded_at=datetime.now(UTC),
        )
        append_entry(spark, TableRef(str(tables / "runs")), entry, run_id="8b5c4ee6a250fcd9")
    output.mkdir()
    said = {"run_id": "8b5c4ee6a250fcd9", "answers": {"tuned": {"model": "tuned"}}, "verdict": "hold"}
    (output / "comparison.json").write_text(json.dumps({**said, "evaluation_id": "e"}), encoding="utf-8")
    monkeypatch.setenv("FINELAKE_EMULATOR_KEY", "key")
    arguments = ["--config", CONFIGURATION, "--run", "8b5c4ee6a250fcd9", "--set", f"output.folder={output}"]
    arguments += ["--set", f"tables.location={tables}"]
    with pytest.raises(PromotionRefusedError, match="says hold, expected the verdict promote"):
        promote.main(arguments)
    promote.main([*arguments, "--end-normally"])
    assert "promote did nothing: Run 8b5c4ee6a250fcd9 is not promoted" in caplog.text
    assert not (tables / "aliases").exists()
