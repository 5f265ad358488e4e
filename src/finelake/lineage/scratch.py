"""The place where a curation is made again: a folder of its own, with what the run found when it began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Settings, is_path
from finelake.errors import ConfigError, NotReproducedError
from finelake.tables import names
from finelake.tables.names import TableRef, source_ref, table_ref
from finelake.tables.reading import read_table
from finelake.tables.writing import overwrite


@dataclass(frozen=True, slots=True)
class Scratch:
    """Where to: `folder` for files, `tables` a folder or catalog.schema."""

    folder: Path
    tables: str


def check_scratch(scratch: Scratch, manifest: Mapping[str, Any], *, published: Path) -> None:
    """See that nothing of the run can be touched.

    Raises ConfigError when the folder is not empty, or holds or lies in the published folder or the run's tables.
    """
    folder = scratch.folder.absolute()
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"The scratch folder {folder} is not empty. Name a new one: what is in it may be of value.")
    tables = {Path(item["table"]).parent for item in manifest["tables"].values() if is_path(item["table"])}
    for place in {published.absolute(), *(table for table in tables if table.is_absolute())}:
        for scratched in (folder, Path(scratch.tables).absolute() if is_path(scratch.tables) else folder):
            if scratched == place or place in scratched.parents or scratched in place.parents:
                raise ConfigError(
                    f"The scratch place {scratched} and the run's own {place} overlap. Name a folder elsewhere: a "
                    f"reproduction never touches what a run wrote."
                )


def scratch_settings(manifest: Mapping[str, Any], scratch: Scratch) -> Settings:
    """Give the run's settings with every version pinned, all output in the scratch place.

    Raises NotReproducedError when the configuration was not recorded, or this version of finelake cannot read it.
    """
    run, config = manifest["run_id"], manifest.get("config")
    if config is None:
        raise NotReproducedError(
            f"The configuration of run {run} was not recorded (finelake {manifest.get('finelake')}), so its files "
            f"cannot be rebuilt. Curate again: later versions record it."
        )
    changed = {**config, "source": {**config["source"], "version": manifest["source"]["version"]}}
    changed["tables"] = {"location": scratch.tables, "prefix": f"reproduce_{run}_"}
    changed["output"] = {**config["output"], "folder": str(scratch.folder / "output")}
    changed["decontamination"] = _pinned(config["decontamination"], manifest["inputs"]["evaluation"])
    try:
        settings = Settings.model_validate(changed)
    except ValidationError as error:
        keys = ", ".join(sorted({".".join(str(part) for part in item["loc"]) for item in error.errors()}))
        raise NotReproducedError(
            f"The configuration of run {run} cannot be read by this version of finelake ({keys}). Reproduce it with "
            f"the version that made it: {manifest.get('code')}."
        ) from None
    found, expected = str(source_ref(settings.source.table)), manifest["source"]["table"]
    if found != expected:
        raise NotReproducedError(
            f"source.table {settings.source.table} stands for {found} here, and for {expected} when run {run} was "
            f"made. Start this in the same folder."
        )
    return settings


def seed(spark: SparkSession, manifest: Mapping[str, Any], settings: Settings) -> None:
    """Put into the scratch tables what the run found: pins of earlier runs, and stored topics and vectors.

    Each is read at the version that the manifest names. Raises InputError when one cannot be read.
    """
    pins = manifest["assignments"]
    if pins["pinned_before"]:
        earlier = _written(spark, manifest, names.ASSIGNMENTS).where(
            (F.col("pinning") == pins["pinning"]) & (F.col("batch") < int(pins["batch"]))
        )
        _seed(earlier, table_ref(settings.tables, names.ASSIGNMENTS), manifest)
    for name in (names.TOPICS, names.EMBEDDINGS):
        if name in manifest["tables"]:
            _seed(_written(spark, manifest, name), table_ref(settings.tables, name), manifest)


def keep_out(spark: SparkSession, settings: Settings, scratch: Settings) -> None:
    """Let a reproduction know what was erased."""
    erasures = read_table(spark, table_ref(settings.tables, names.ERASURES))
    overwrite(erasures, table_ref(scratch.tables, names.ERASURES), run_id="reproduction")


def _pinned(config: Mapping[str, Any], identities: Mapping[str, str]) -> dict[str, Any]:
    """Name the version of each evaluation table; files are compared by their hash."""
    tables = [
        {**table, "version": int(identity.removeprefix("version "))}
        if (identity := identities[table["name"]]).startswith("version ")
        else table
        for table in config["tables"]
    ]
    return {**config, "tables": tables}


def _written(spark: SparkSession, manifest: Mapping[str, Any], name: str) -> DataFrame:
    item = manifest["tables"][name]
    return read_table(spark, TableRef(item["table"]), version=item["version"])


def _seed(frame: DataFrame, table: TableRef, manifest: Mapping[str, Any]) -> None:
    overwrite(frame, table, run_id=f"reproduction of {manifest['run_id']}")
