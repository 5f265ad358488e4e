"""Tags of finelake's tables, where the catalog has them: Unity Catalog alone does."""

from __future__ import annotations

import logging
from functools import lru_cache

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from finelake.tables.ddl import tags_sql
from finelake.tables.layout import tags_of
from finelake.tables.names import TableRef
from finelake.tables.reading import condition_of

logger = logging.getLogger(__name__)


def tag(spark: SparkSession, table: TableRef) -> bool:
    """Set a table's tags and tell whether they were set; what has none is said in one log line a process."""
    if not table.in_unity_catalog:
        _say("tables outside Unity Catalog have none")
        return False
    try:
        spark.sql(tags_sql(table, tags_of(table.name)))
    except PySparkException as error:
        _say(condition_of(error) or type(error).__name__)
        return False
    return True


@lru_cache(maxsize=16)
def _say(why: str) -> None:
    logger.info("tags are not set: %s", why)
