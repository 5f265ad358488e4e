"""The evaluation of a training run: its deployments found in the run log, and asked through the service."""

from __future__ import annotations

from pyspark.sql import SparkSession

from finelake.config.catalogue import catalogue_of
from finelake.config.settings import Settings
from finelake.errors import InputError
from finelake.evaluation.answers import AnswerObserver
from finelake.evaluation.evaluate import evaluate
from finelake.evaluation.results import Evaluation
from finelake.logs import bound
from finelake.publish import read_manifest
from finelake.services.base import FineTuningService
from finelake.services.connect import connect
from finelake.tables import names
from finelake.tables.names import table_ref
from finelake.tables.runs import RunLog
from finelake.tracking.track import evaluated
from finelake.training import identity
from finelake.training.clock import Clock
from finelake.training.data import read_training_data
from finelake.training.deploy import wait_until_answers
from finelake.training.patience import Patience
from finelake.training.progress import Progress
from finelake.training.steps import BASE, DEPLOY, SMOKE


def evaluate_run(
    spark: SparkSession, settings: Settings, *, observer: AnswerObserver | None = None, take_over: bool = False
) -> Evaluation:
    """Compare the tuned with the base model of the run that these settings and published files stand for.

    Reads the examples table at the version that the manifest names. Raises InputError when the run has not ended,
    and what `evaluate` raises.
    """
    catalogue = catalogue_of(settings)
    folder = settings.output.path
    data = read_training_data(folder)
    run = identity.run_id(data, settings=settings, model=catalogue.find(settings.model))
    log = RunLog(spark, table_ref(settings.tables, names.RUNS), run_id=run)
    tuned, base = log.result(DEPLOY), log.result(BASE)
    if tuned is None or base is None or log.result(SMOKE) is None:
        raise InputError(
            f"Training run {run} of project {settings.project} has not ended, so there is nothing to compare. "
            f"Run `finelake train` with the same configuration first."
        )
    manifest = read_manifest(folder) or {}
    version = manifest.get("tables", {}).get(names.EXAMPLES, {}).get("version")
    with bound(run=run, step="evaluate"), connect(settings.service, tracking=settings.tracking) as service:
        if service.may_sleep:
            _wake(service, settings, (tuned["name"], base["name"]))
        evaluation = evaluate(
            spark,
            settings,
            client=lambda: service.chat_client,
            tuned=tuned["name"],
            base=base["name"],
            run_id=run,
            observer=observer,
            examples_version=version,
            train_files=[data.train.path],
            take_over=take_over,
        )
    evaluated(settings, evaluation)
    return evaluation


def _wake(service: FineTuningService, settings: Settings, deployments: tuple[str, ...]) -> None:
    """See that deployments which may have no machine now answer, before many questions fail at once."""
    patience = Patience(service.contact, Clock(), settings.training.poll_seconds, service.renew)
    for name in deployments:
        wait_until_answers(
            service,
            name,
            length_parameter=settings.evaluation.length_parameter,
            timeout_seconds=settings.deployment.ready_timeout_seconds,
            patience=patience,
            progress=Progress(),
        )
