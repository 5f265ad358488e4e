"""The journal of a training run's evaluations, held by one driver at a time."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from finelake.config.settings import Settings
from finelake.evaluation.results import Evaluation
from finelake.lineage.journals import EVALUATION_STEP, evaluation_journal
from finelake.lineage.record import evaluation_origin
from finelake.tables import names
from finelake.tables.names import table_ref
from finelake.tables.runs import DeltaJournal
from finelake.training.clock import Clock
from finelake.training.effects.batch import QuestionBatches
from finelake.training.effects.log import EffectLog

logger = logging.getLogger(__name__)


@contextmanager
def holding(spark: SparkSession, settings: Settings, *, run_id: str, take_over: bool) -> Iterator[EffectLog]:
    """Hold the evaluations of a training run for the length of a block.

    Raises RunBusyError when another driver evaluates the run, and `take_over` is not asked for.
    """
    table = table_ref(settings.tables, names.RUNS)
    journal = DeltaJournal(spark, table, run_id=evaluation_journal(run_id))
    log = EffectLog(journal, clock=Clock(), lease_seconds=settings.training.lease_seconds)
    log.acquire(take_over=take_over)
    try:
        unclear = QuestionBatches(log).unclear()
        if unclear:
            logger.warning(
                "An earlier start of this evaluation was killed. At most %d questions were under way then: if the "
                "service answered them, they are paid again now. All other answers are kept.",
                unclear,
            )
        yield log
    finally:
        log.release()


def record_evaluation(log: EffectLog, evaluation: Evaluation, settings: Settings) -> None:
    """Keep the numbers and the verdict with what they were made of; the same ones again are not written twice."""
    told = {**evaluation.as_dict(), **evaluation_origin(settings, run_id=evaluation.run_id)}
    payload = json.loads(json.dumps(told, ensure_ascii=False))
    step = f"{EVALUATION_STEP}{evaluation.evaluation_id}"
    if log.result(step) != payload:
        log.record_result(step, payload)
