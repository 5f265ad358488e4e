"""The runs that are recorded, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Settings
from finelake.lineage.journals import (
    CURATION,
    CURATION_JOURNAL,
    EVALUATION_JOURNAL,
    EVALUATION_STEP,
    FILE_JOURNAL,
    ORIGIN,
    RunKind,
)
from finelake.lineage.results import all_rows, read_results
from finelake.training.steps import DEPLOY, JOB, SMOKE, WATCH


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedRun:
    """One run: `parent` is the curation that a training run, or the training run that an evaluation hangs on."""

    kind: RunKind
    run_id: str
    recorded_at: datetime
    state: str
    parent: str | None
    code: str | None
    facts: dict[str, Any]


def list_runs(
    spark: SparkSession, settings: Settings, *, limit: int = 20, kind: RunKind | None = None
) -> list[ListedRun]:
    """List at most `limit` runs, newest first (by their last record that is more than a sign of life)."""
    rows = all_rows(spark, settings)
    if rows is None:
        return []
    found = _newest(rows, limit=limit, kind=kind)
    journals = sorted({row["journal"] for row in found})
    steps = F.col("step").isin(CURATION, ORIGIN, JOB, WATCH, DEPLOY, SMOKE) | F.col("step").startswith(EVALUATION_STEP)
    recorded: dict[str, dict[str, Any]] = {}
    for result in read_results(rows, F.col("run_id").isin(*journals) & steps) if journals else ():
        recorded.setdefault(result.journal, {})[result.step] = result.payload
    return [_listed(row, recorded.get(row["journal"], {})) for row in found]


def _newest(rows: DataFrame, *, limit: int, kind: RunKind | None) -> list[Row]:
    named = rows.select(
        F.col("run_id").alias("journal"), _kind().alias("kind"), _name().alias("name"), "at", "entry", "step"
    )
    known = named.where(F.col("kind").isNotNull() & F.col("name").isNotNull())
    chosen = known if kind is None else known.where(F.col("kind") == kind)
    grouped = chosen.groupBy("kind", "journal", "name").agg(
        F.coalesce(F.max(F.when(F.col("entry") != "lease", F.col("at"))), F.max("at")).alias("at")
    )
    return grouped.orderBy(F.col("at").desc(), "name").limit(limit).collect()


def _kind() -> Column:
    journal = F.col("run_id")
    return (
        F.when(journal.startswith(CURATION_JOURNAL), F.lit("curation"))
        .when(journal.startswith(EVALUATION_JOURNAL), F.lit("evaluation"))
        .when(~journal.startswith(FILE_JOURNAL), F.lit("training"))
    )


def _name() -> Column:
    """Give the run's id; of evaluations only those entries count that are one, not the lease."""
    journal, step = F.col("run_id"), F.col("step")
    evaluated = step.startswith(EVALUATION_STEP) & (F.col("entry") == "result")
    return (
        F.when(journal.startswith(CURATION_JOURNAL), F.substring(journal, len(CURATION_JOURNAL) + 1, 64))
        .when(evaluated, F.substring(step, len(EVALUATION_STEP) + 1, 64))
        .when(~journal.startswith(EVALUATION_JOURNAL), journal)
    )


def _listed(row: Row, results: Mapping[str, dict[str, Any]]) -> ListedRun:
    own = {
        "curation": results.get(CURATION, {}),
        "training": results.get(ORIGIN, {}),
        "evaluation": results.get(f"{EVALUATION_STEP}{row['name']}", {}),
    }[row["kind"]]
    parent = own.get("curation") if row["kind"] == "training" else own.get("training")
    code = own.get("code")
    state, facts = {"curation": _curation, "training": _training, "evaluation": _evaluation}[row["kind"]](own, results)
    return ListedRun(
        kind=row["kind"],
        run_id=row["name"],
        recorded_at=datetime.fromtimestamp(row["at"], UTC),
        state=state,
        parent=parent,
        code=f"{code['finelake']} {code['fingerprint']}" if code else None,
        facts=facts,
    )


def _curation(own: Mapping[str, Any], _: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    files: Mapping[str, Mapping[str, Any]] = own.get("files", {})
    facts = {split: {name: item[name] for name in ("examples", "tokens", "sha256")} for split, item in files.items()}
    return "published", {"source": own.get("source"), "files": facts}


def _training(own: Mapping[str, Any], results: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    watched: Mapping[str, Any] = results.get(WATCH, {})
    facts = {
        "model": own.get("model"),
        "job_id": results.get(JOB, {}).get("job_id"),
        "fine_tuned_model": watched.get("fine_tuned_model"),
        "deployment": results.get(DEPLOY, {}).get("name"),
    }
    if SMOKE in results:
        return "finished", facts
    ended = watched.get("status")
    if ended is not None:
        return ("job succeeded, not finished" if ended == "succeeded" else f"job {ended}"), facts
    return ("job created" if JOB in results else "begun"), facts


def _evaluation(own: Mapping[str, Any], _: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    gate = own.get("gate", {}).get("metric")
    metrics: Mapping[str, Any] = own.get("metrics", {})
    facts = {"gate": gate, "gain": metrics.get(gate), "items": own.get("items"), "partial": own.get("partial")}
    return str(own.get("verdict", "unknown")), facts
