"""Tests of finelake.evaluation.report and display: scores to files and terminal, without conversation text."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from rich.console import Console

from finelake.config.evaluation import Gate
from finelake.errors import OutputError
from finelake.evaluation.display import comparison_view
from finelake.evaluation.metrics.registry import BUILT_IN
from finelake.evaluation.report import markdown, write_reports
from finelake.evaluation.results import Evaluation, ExamplesRead, ModelAnswers, Tokens
from finelake.evaluation.score_table import Score
from finelake.evaluation.scoring import compare_scores
from finelake.evaluation.statistics import Resampling
from finelake.evaluation.verdict import decide


@pytest.fixture
def evaluation() -> Evaluation:
    """Sixty items of twenty users: chrF rises by 20 to 30, two of three tool calls are won."""
    scores = [Score(f"c{at}", 0, 2, f"u{at % 20}", "chrf", 30.0, 50.0 + at % 11, "kb", "kt") for at in range(60)]
    scores += [
        Score(f"c{at}", 0, 1, f"u{at % 20}", "tool_call_match", 0.0, float(at % 3 > 0), "kb", "kt") for at in range(30)
    ]
    gate, resampling = Gate(), Resampling(resamples=500)
    metrics = compare_scores(scores, resampling=resampling, metrics=BUILT_IN)
    return Evaluation(
        run_id="run-1",
        evaluation_id="e1",
        verdict=decide(metrics, gate=gate),
        metrics=metrics,
        items=60,
        conversations=55,
        groups=20,
        examples=ExamplesRead("main.chat.examples", 4),
        answers={
            "base": ModelAnswers("base-model", 60, {}, 1, Tokens(12345, 678)),
            "tuned": ModelAnswers("tuned-model", 60, {"content_filter": 2}, 0, Tokens(12345, 700)),
        },
        gate=gate,
        resampling=resampling,
    )


def test_json_holds_verdict_numbers_and_origin(evaluation: Evaluation, tmp_path: Path) -> None:
    json_file, _ = write_reports(evaluation, tmp_path / "new" / "folder")
    body = json.loads(json_file.read_text(encoding="utf-8"))
    assert (body["verdict"], body["exit_code"]) == ("promote", 0)
    chrf = body["metrics"]["chrf"]
    assert chrf["base_mean"] == 30.0
    assert chrf["difference"] == pytest.approx(chrf["tuned_mean"] - 30.0)
    assert chrf["interval"]["low"] < chrf["difference"] < chrf["interval"]["high"]
    assert body["answers"]["tuned"]["failures"] == {"content_filter": 2}
    assert body["examples"] == {"table": "main.chat.examples", "version": 4}
    assert body["bootstrap"]["resamples"] == 500


def test_markdown_is_readable(evaluation: Evaluation) -> None:
    text = markdown(evaluation)
    assert text.startswith("# Promote: tuned-model against base-model\n")
    assert "| chrF (0-100) | 30.0 | 54.8 | +24.8 |" in text
    assert "| tuned-model | 60 | content_filter: 2 | 0 | 12,345 | 700 |" in text


def test_reports_are_replaced_whole_and_leave_nothing_beside_them(evaluation: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "comparison.json").write_text("old")
    write_reports(evaluation, tmp_path)
    write_reports(evaluation, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["comparison.json", "comparison.md"]
    assert json.loads((tmp_path / "comparison.json").read_text())["run_id"] == "run-1"


def test_a_full_disk_is_named_and_keeps_the_old_report(evaluation: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "comparison.json").write_text("old")
    (tmp_path / f".comparison.json.{os.getpid()}").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="No space left"):
        write_reports(evaluation, tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"comparison.json": "old"}


def test_a_file_where_the_folder_should_be_is_named(evaluation: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "output").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        write_reports(evaluation, tmp_path / "output")


def test_the_terminal_shows_every_number_that_decides(evaluation: Evaluation) -> None:
    stream = io.StringIO()
    Console(file=stream, width=160).print(comparison_view(evaluation))
    shown = stream.getvalue()
    for piece in ("Verdict: promote", "chrF (0-100)", "+24.8", "tool calls match", "tuned-model", "content_filter: 2"):
        assert piece in shown
