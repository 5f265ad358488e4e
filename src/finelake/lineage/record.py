"""What a run records of where it comes from: configuration, code, and whatever else its result depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from pyspark.sql import SparkSession

from finelake.annotate.row_checks import schema_hashes
from finelake.config.models import ModelCatalogue
from finelake.config.settings import Settings
from finelake.diversity import vectors_version
from finelake.erasure.requests import Erasures
from finelake.files import sha256_of
from finelake.lineage.code import code_version
from finelake.lineage.configuration import hash_of, recorded
from finelake.lineage.journals import CURATION, curation_journal
from finelake.privacy.plan import key_check
from finelake.tables import names
from finelake.tables.journal import Entry
from finelake.tables.names import table_ref
from finelake.tables.runs import append_entry
from finelake.training.data import TrainingData


class Curating(Protocol):
    """What the record of a curation is made of: `evaluation` holds the content of each evaluation table."""

    @property
    def spark(self) -> SparkSession: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def catalogue(self) -> ModelCatalogue: ...
    @property
    def evaluation(self) -> dict[str, str]: ...
    @property
    def erasures(self) -> Erasures: ...


def curation_origin(run: Curating) -> dict[str, Any]:
    """Give the manifest's entries config, config_hash, code and inputs (what is outside of table and settings)."""
    vectors = vectors_version(run.spark, run.settings)
    inputs = inputs_of(run.settings, run.catalogue, run.evaluation, vectors=vectors, erasures=run.erasures.digest)
    return {**_origin(run.settings), "inputs": inputs}


def training_origin(settings: Settings, data: TrainingData) -> dict[str, Any]:
    """Give what a training run pins: the curation that it trains on, its files, configuration and code."""
    files = {file.split: file.sha256 for file in (data.train, data.validation, data.test)}
    return {**_origin(settings), "curation": data.curation, "files": files, "model": settings.model}


def evaluation_origin(settings: Settings, *, run_id: str) -> dict[str, Any]:
    """Give what an evaluation pins: the training run, configuration, code and the tables with answers and scores."""
    tables = {name: str(table_ref(settings.tables, name)) for name in (names.ANSWERS, names.SCORES)}
    return {**_origin(settings), "training": run_id, "tables": tables}


def inputs_of(
    settings: Settings,
    catalogue: ModelCatalogue,
    evaluation: Mapping[str, str],
    *,
    vectors: int | None,
    erasures: str | None,
) -> dict[str, Any]:
    """Say what a curation depends on beside the source table and its settings, by hash or version."""
    tools = settings.examples.tools.file
    known = {
        "model": catalogue.find(settings.model).model_dump(mode="json"),
        "limits": catalogue.limits.model_dump(mode="json"),
    }
    return {
        "tools_file": sha256_of(Path(tools)) if tools and Path(tools).exists() else None,
        "catalogue": hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16],
        "row_schemas": schema_hashes(settings.checks.row_schemas),
        "privacy_key": (key_check(settings.privacy) or "")[:16] or None,
        "evaluation": dict(evaluation),
        "vectors": vectors,
        "erasures": erasures,
    }


def record_curation(spark: SparkSession, settings: Settings, manifest: Mapping[str, Any]) -> None:
    """Keep the manifest in the table of runs, so that a later curation does not take its place."""
    entry = Entry(
        sequence=int(manifest["tables"][names.EXAMPLES]["version"]) + 1,
        holder="",
        step=CURATION,
        entry="result",
        payload=dict(manifest),
        recorded_at=datetime.now(UTC),
    )
    append_entry(spark, table_ref(settings.tables, names.RUNS), entry, run_id=curation_journal(manifest["run_id"]))


def _origin(settings: Settings) -> dict[str, Any]:
    config = recorded(settings)
    return {"config": config, "config_hash": hash_of(config), "code": code_version()}
