"""Making the files of a run again, from the versions that Delta keeps, and comparing them byte by byte (by hash).

The whole curation runs again in a scratch place: from the raw table as it was, with the recorded configuration, the
pins and stored models that the run found. Nothing of the run is read but these, and nothing of it is written.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from finelake.config.catalogue import catalogue_of
from finelake.config.settings import Settings
from finelake.contamination.sources import identity_of
from finelake.curate import Curation, curate
from finelake.curation.run import CurationObserver
from finelake.diversity import vectors_version
from finelake.erasure.requests import read_erasures
from finelake.errors import FinelakeError, InputError, NotReproducedError
from finelake.lineage.code import code_version
from finelake.lineage.record import inputs_of
from finelake.lineage.scratch import Scratch, check_scratch, keep_out, scratch_settings, seed
from finelake.lineage.thread import find_thread
from finelake.tables import names
from finelake.tables.names import table_ref
from finelake.tables.reading import condition_of

logger = logging.getLogger(__name__)

EXIT_DIFFERENT = NotReproducedError.exit_code
_GONE = ("FILE_NOT_EXIST", "FILE_NOT_FOUND", "FAILED_READ_FILE", "DELTA_TRUNCATED_TRANSACTION_LOG", "does not exist")
_INPUTS = {
    "tools_file": "the tool definitions (examples.tools.file)",
    "catalogue": "the catalogue of models and limits (models_file)",
    "row_schemas": "the row schemas (checks.row_schemas)",
    "privacy_key": "the key of the pseudonyms (privacy.key)",
    "evaluation": "the evaluation data (decontamination.tables)",
    "vectors": "the version of the table of vectors (embeddings.table)",
}


@dataclass(frozen=True, slots=True)
class FileCompared:
    """One published file: its SHA-256 (hex) and examples as recorded, and as rebuilt."""

    file: str
    recorded: str
    rebuilt: str
    recorded_examples: int
    rebuilt_examples: int

    @property
    def equal(self) -> bool:
        return self.recorded == self.rebuilt


@dataclass(frozen=True, kw_only=True, slots=True)
class Reproduction:
    """What came of it: the files, what was another than then, and counts of rules that differ (code: then, now)."""

    run_id: str
    files: tuple[FileCompared, ...]
    code: str | None
    rules: Mapping[str, tuple[int, int]]
    folder: Path | None

    @property
    def equal(self) -> bool:
        return all(file.equal for file in self.files)

    def as_dict(self) -> dict[str, Any]:
        """Give all of it as plain JSON values."""
        return {**asdict(self), "folder": str(self.folder) if self.folder else None, "equal": self.equal}


def reproduce(
    spark: SparkSession,
    settings: Settings,
    run: str,
    *,
    folder: Path | None = None,
    tables: str | None = None,
    any_code: bool = False,
    observer: CurationObserver | None = None,
) -> Reproduction:
    """Make the files of a run (a curation, or the one that a training run or evaluation hangs on) again and compare.

    `folder` is the scratch folder, by default a temporary one that is removed; `tables` a place for scratch tables
    (folder or catalog.schema) where Spark cannot reach that folder. Other code than the run's is refused unless
    `any_code`. Raises NotReproducedError that says what is in the way, InputError when no such run is known.
    """
    manifest = find_thread(spark, settings, run).curation
    if manifest is None:
        raise NotReproducedError(
            f"Run {run} does not name a recorded curation, so it is not known what its files were made of."
        )
    code = _other_code(manifest, allowed=any_code)
    place = folder or Path(tempfile.mkdtemp(prefix="finelake-reproduce-"))
    scratch = Scratch(place, tables or str(place / "tables"))
    try:
        check_scratch(scratch, manifest, published=settings.output.path)
        again = scratch_settings(manifest, scratch)
        erasures = read_erasures(spark, table_ref(settings.tables, names.ERASURES))
        _check_inputs(spark, manifest, again, erasures=erasures.digest)
        if erasures.subjects is not None:
            keep_out(spark, settings, again)
        rebuilt = _rebuild(spark, manifest, again, observer)
    finally:
        if folder is None:
            shutil.rmtree(place, ignore_errors=True)
    return Reproduction(
        run_id=manifest["run_id"],
        files=_compared(manifest, rebuilt),
        code=code,
        rules=_other_counts(manifest, rebuilt),
        folder=folder,
    )


def _other_code(manifest: Mapping[str, Any], *, allowed: bool) -> str | None:
    """Say how the code differs from that of the run; None where it is the same."""
    then, now = manifest.get("code"), code_version()
    if then == now:
        return None
    told = "unknown code" if then is None else f"finelake {then['finelake']}, source {then['fingerprint']}"
    difference = f"made by {told}; here is finelake {now['finelake']}, source {now['fingerprint']}"
    if not allowed:
        raise NotReproducedError(
            f"Run {manifest['run_id']} was {difference}. Other code may give other files: install that version, or try "
            f"with --any-code."
        )
    return difference


def _check_inputs(
    spark: SparkSession, manifest: Mapping[str, Any], settings: Settings, *, erasures: str | None
) -> None:
    """Compare what is outside of table and configuration with what it was."""
    catalogue = catalogue_of(settings)
    evaluation = {table.name: identity_of(spark, table) for table in settings.decontamination.tables}
    vectors = vectors_version(spark, settings)
    now = inputs_of(settings, catalogue, evaluation, vectors=vectors, erasures=erasures)
    then = {"erasures": None, **manifest["inputs"]}
    if then["erasures"] != erasures:
        raise NotReproducedError(
            f"Run {manifest['run_id']} cannot be rebuilt: conversations were erased since, which is for good."
        )
    other = [_INPUTS.get(name, name) for name, value in then.items() if now.get(name) != value]
    if other:
        raise NotReproducedError(
            f"Run {manifest['run_id']} cannot be rebuilt: {'; '.join(other)} changed since. Put back what was there."
        )


def _rebuild(
    spark: SparkSession, manifest: Mapping[str, Any], settings: Settings, observer: CurationObserver | None
) -> Curation:
    source = manifest["source"]
    try:
        seed(spark, manifest, settings)
        return curate(spark, settings, observer=observer)
    except InputError as error:
        raise NotReproducedError(f"Run {manifest['run_id']} cannot be rebuilt: {error}") from None
    except FinelakeError:
        raise
    except Exception as error:  # Spark's own, or Java's where a write was the first to read
        if not any(sign in str(error) for sign in _GONE):
            raise
        raise NotReproducedError(
            f"Run {manifest['run_id']} cannot be rebuilt: files of {source['table']} at version {source['version']}, "
            f"or of another table that it read, are gone ({condition_of(error)}). VACUUM removes what is older than "
            f"delta.deletedFileRetentionDuration."
        ) from None


def _compared(manifest: Mapping[str, Any], rebuilt: Curation) -> tuple[FileCompared, ...]:
    return tuple(
        FileCompared(
            file=item["file"],
            recorded=item["sha256"],
            rebuilt=rebuilt.files[split].sha256,
            recorded_examples=item["examples"],
            rebuilt_examples=rebuilt.files[split].examples,
        )
        for split, item in manifest["files"].items()
    )


def _other_counts(manifest: Mapping[str, Any], rebuilt: Curation) -> dict[str, tuple[int, int]]:
    then = {code: int(entry["count"]) for code, entry in manifest["rules"].items()}
    now = {code: int(entry["count"]) for code, entry in rebuilt.rules.items()}
    codes = sorted(code for code in then.keys() | now.keys() if then.get(code, 0) != now.get(code, 0))
    return {code: (then.get(code, 0), now.get(code, 0)) for code in codes}
