"""Which models were trained on conversations that are to be erased: nothing takes that out of a model again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Settings
from finelake.conversations.erased import subject_of
from finelake.errors import InputError
from finelake.lineage.listing import list_runs
from finelake.lineage.thread import find_thread
from finelake.tables import names
from finelake.tables.names import TableRef
from finelake.tables.reading import read_table

MOST_RUNS = 200
"""Training runs that are looked at, the newest first."""


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """A training run with its tuned model; `examples` of the conversations were in its files, None where unknown.

    It is unknown where VACUUM has removed the version of the examples that the run's curation wrote.
    """

    run_id: str
    model: str | None
    examples: int | None


def trained_on(spark: SparkSession, settings: Settings, subjects: Sequence[str]) -> list[TrainedOn]:
    """List the training runs whose files held one of the conversations, or may have."""
    held: dict[str, int | None] = {}
    found = []
    for run in list_runs(spark, settings, limit=MOST_RUNS, kind="training"):
        if run.parent is None:
            continue
        if run.parent not in held:
            held[run.parent] = _examples(spark, settings, run.parent, subjects)
        if held[run.parent] != 0:
            found.append(TrainedOn(run.run_id, run.facts.get("fine_tuned_model"), held[run.parent]))
    return found


def _examples(spark: SparkSession, settings: Settings, curation: str, subjects: Sequence[str]) -> int | None:
    try:
        manifest = find_thread(spark, settings, curation).curation or {}
        written = manifest["tables"][names.EXAMPLES]
        rows = read_table(spark, TableRef(written["table"]), version=written["version"])
        return rows.where(subject_of(F.col("conversation_id")).isin(*subjects)).count()
    except (InputError, PySparkException, KeyError):
        return None
