"""The shards of a published curation: the examples of the very table version that its manifest names."""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession

from finelake.config.models import TEMPLATE
from finelake.config.settings import Output, Settings
from finelake.errors import ConfigError, InputError
from finelake.huggingface.shards import write_shards
from finelake.publish import read_manifest
from finelake.tables import names
from finelake.tables.names import TableRef
from finelake.tables.reading import read_table


def publish_shards(spark: SparkSession, settings: Settings) -> dict[str, Any]:
    """Write the shards of the curation in `output.folder` and return their manifest.

    Raises InputError where nothing is published there, ConfigError for shards in a Volume that is not mounted here,
    ConfigError and OutputError as `write_shards` does.
    """
    shards, folder = settings.shards.folder, settings.output.path
    if shards is not None and Output(folder=shards).is_elsewhere:
        raise ConfigError(
            f"shards.folder {shards} is in a Volume that is not mounted on this machine, and Spark writes shards there "
            f"itself. Run the task `shards` on Databricks, or name another folder."
        )
    published = read_manifest(folder)
    if published is None or names.EXAMPLES not in published.get("tables", {}):
        raise InputError(f"{folder} holds no published curation. Run `finelake curate` first.")
    table = published["tables"][names.EXAMPLES]
    examples = read_table(spark, TableRef(table["table"]), version=table["version"])
    return write_shards(
        examples,
        config=settings.shards,
        run_id=published["run_id"],
        tokenizer=_fingerprint(str(published.get("encoding", ""))),
    )


def _fingerprint(encoding: str) -> str | None:
    if not encoding.startswith(TEMPLATE):
        return None
    from finelake.huggingface.counting import template_engine

    return template_engine(encoding).template.fingerprint
