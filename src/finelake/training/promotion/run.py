"""Promotion and rollback of the run that settings and published files stand for, or of one that is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from finelake.config.catalogue import catalogue_of
from finelake.config.settings import Settings
from finelake.services.connect import connect
from finelake.tables import names
from finelake.tables.aliases import AliasEntry, DeltaAliases
from finelake.tables.names import table_ref
from finelake.tables.runs import DeltaJournal, RunLog
from finelake.training import identity
from finelake.training.clock import Clock
from finelake.training.data import read_training_data
from finelake.training.effects.log import EffectLog
from finelake.training.progress import Progress
from finelake.training.promotion.candidate import candidate_of, judged
from finelake.training.promotion.desk import Desk, Promoted


def promote(
    spark: SparkSession,
    settings: Settings,
    *,
    run: str | None = None,
    progress: Progress | None = None,
    take_over: bool = False,
) -> Promoted:
    """Deploy a run's model for use and let the alias `settings.promotion.alias` stand for it.

    `take_over` takes the alias from a promotion that seems to be alive.
    Raises what `Desk.promote` raises, and InputError when the run has not ended.
    """
    catalogue = catalogue_of(settings)
    folder = settings.output.path
    if run is None:
        run = identity.run_id(read_training_data(folder), settings=settings, model=catalogue.find(settings.model))
    candidate = candidate_of(run, RunLog(spark, table_ref(settings.tables, names.RUNS), run_id=run))
    with _desk(spark, settings, progress) as desk:
        return desk.promote(candidate, judged(candidate, folder), take_over=take_over)


def rollback(
    spark: SparkSession, settings: Settings, *, reason: str | None = None, progress: Progress | None = None
) -> Promoted:
    """Let the alias stand for what it stood for before. Raises what `Desk.rollback` raises."""
    with _desk(spark, settings, progress) as desk:
        return desk.rollback(reason)


def aliases(spark: SparkSession, settings: Settings) -> list[AliasEntry]:
    """Give the history of all aliases of the project, in the order of alias and number."""
    return _table(spark, settings).read()


@contextmanager
def _desk(spark: SparkSession, settings: Settings, progress: Progress | None) -> Iterator[Desk]:
    catalogue = catalogue_of(settings)
    journal = DeltaJournal(
        spark,
        table_ref(settings.tables, names.PROMOTIONS),
        run_id=f"{settings.project}.{settings.promotion.alias}",
    )
    clock = Clock()
    with connect(settings.service, tracking=settings.tracking) as service:
        yield Desk(
            settings=settings,
            service=service,
            aliases=_table(spark, settings),
            log=EffectLog(journal, clock=clock, lease_seconds=settings.training.lease_seconds),
            model=catalogue.find(settings.model),
            clock=clock,
            progress=progress or Progress(),
        )


def _table(spark: SparkSession, settings: Settings) -> DeltaAliases:
    return DeltaAliases(spark, table_ref(settings.tables, names.ALIASES), project=settings.project)
