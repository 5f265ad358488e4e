"""The thread of a run: its own record and those it hangs on, found by run ids in the table of runs.

A training run names the curation that it trained on, an evaluation names its training run. Nothing is kept twice: what
happened at the service is read from the training run's own journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Settings
from finelake.errors import InputError
from finelake.lineage.journals import CURATION, EVALUATION_STEP, ORIGIN, curation_journal, evaluation_journal
from finelake.lineage.results import Result, all_rows, read_results
from finelake.training.effects.log import CLEANED
from finelake.training.steps import SMOKE


@dataclass(frozen=True, kw_only=True, slots=True)
class Thread:
    """The manifest of a run, in three parts as recorded; a part is None where the run has none, or none is known.

    curation: what `manifest.json` held · training: where it comes from, with `steps`, what each step at the service
    recorded (files, job, checkpoints, deployments) · evaluation: verdict, metrics with intervals, where it comes from.
    """

    run_id: str
    curation: dict[str, Any] | None = None
    training: dict[str, Any] | None = None
    evaluation: dict[str, Any] | None = None

    @property
    def latest(self) -> dict[str, Any]:
        """The part that is furthest on; it has the configuration and the code that were used last."""
        return self.evaluation or self.training or self.curation or {}

    def as_dict(self) -> dict[str, Any]:
        """Give all of it as plain JSON values."""
        return asdict(self)


def find_thread(spark: SparkSession, settings: Settings, run: str) -> Thread:
    """Find a curation, training run or evaluation by its id, and what it hangs on; a training run brings its newest
    evaluation along. Raises InputError when no such run is recorded.
    """
    rows = all_rows(spark, settings)
    own = [] if rows is None else _own(rows, run)
    if rows is None or not own:
        raise InputError(
            f"No run {run} is recorded in the tables at {settings.tables.location}. `finelake runs` lists those that "
            f"are; runs of before these records were kept are not among them."
        )
    if own[0].journal == curation_journal(run):
        return Thread(run_id=run, curation=own[-1].payload)
    evaluation = own[-1] if own[0].step.startswith(EVALUATION_STEP) else None
    training_id = evaluation.payload["training"] if evaluation else run
    training = _training(training_id, _own(rows, training_id) if evaluation else own)
    return Thread(
        run_id=run,
        curation=_curation(rows, training),
        training=training,
        evaluation=evaluation.payload if evaluation else _newest_evaluation(rows, run),
    )


def _own(rows: DataFrame, run: str) -> list[Result]:
    journals = F.col("run_id").isin(run, curation_journal(run))
    return read_results(rows, journals | (F.col("step") == f"{EVALUATION_STEP}{run}"))


def _training(run_id: str, results: Sequence[Result]) -> dict[str, Any]:
    since_cleaned: list[Result] = []
    for result in results:
        since_cleaned = [] if result.step == CLEANED else [*since_cleaned, result]
    # Test chats are left out: they hold text.
    steps = {result.step: result.payload for result in since_cleaned if result.step not in {ORIGIN, SMOKE}}
    origin = next((result.payload for result in results if result.step == ORIGIN), {})
    finished = any(result.step == SMOKE for result in since_cleaned)
    return {**origin, "run_id": run_id, "finished": finished, "steps": steps}


def _curation(rows: DataFrame, training: dict[str, Any]) -> dict[str, Any] | None:
    pinned = training.get("curation")
    if pinned is None:
        return None
    found = read_results(rows, (F.col("run_id") == curation_journal(pinned)) & (F.col("step") == CURATION))
    return found[-1].payload if found else None


def _newest_evaluation(rows: DataFrame, run: str) -> dict[str, Any] | None:
    journal = F.col("run_id") == evaluation_journal(run)
    found = read_results(rows, journal & F.col("step").startswith(EVALUATION_STEP))
    return found[-1].payload if found else None
