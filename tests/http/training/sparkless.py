"""A whole driver without Spark: its journals are folders, and its telemetry is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.http.training.file_journal import FileJournal

from finelake.config.catalogue import catalogue_of
from finelake.config.settings import Settings
from finelake.services.connect import connect
from finelake.training import identity
from finelake.training.clock import Clock
from finelake.training.data import DataFile, read_training_data
from finelake.training.driver import drive
from finelake.training.effects.log import EffectLog
from finelake.training.effects.upload import UploadPlan
from finelake.training.outcome import TrainingOutcome
from finelake.training.progress import Progress
from finelake.training.steps import RunContext


class Forgetful:
    """Keeps nothing of what a job told: telemetry is Delta's affair."""

    def record_events(self, events: object, results: object) -> None:
        """Take events."""

    def record_checkpoints(self, checkpoints: object) -> None:
        """Take checkpoints."""


def _unmarked(moment: str) -> None:
    """Let an append happen."""


def drive_without_spark(
    settings: Settings,
    folder: Path,
    *,
    moment: Callable[[str], None] = _unmarked,
    clock: Clock | None = None,
    progress: Progress | None = None,
    uploads: UploadPlan | None = None,
) -> TrainingOutcome:
    """Train and deploy with journals under a folder; `moment` is called before and after each entry is on disk."""
    catalogue, clock = catalogue_of(settings), clock or Clock()
    model = catalogue.find(settings.model)
    data = read_training_data(Path(settings.output.folder))

    def log(run: str) -> EffectLog:
        return EffectLog(FileJournal(folder, run_id=run, moment=moment), clock=clock, lease_seconds=600.0)

    def file_log(file: DataFile) -> EffectLog:
        return log(identity.file_journal(settings, file))

    with connect(settings.service, tracking=settings.tracking) as service:
        context = RunContext(
            settings=settings,
            service=service,
            data=data,
            model=model,
            catalogue=catalogue,
            uploads=uploads or UploadPlan.of(settings.training),
            log=log(identity.run_id(data, settings=settings, model=model)),
            file_log=file_log,
            telemetry=lambda _job: Forgetful(),
            clock=clock,
            progress=progress or Progress(),
        )
        return drive(context)
