"""Topics as a step of the curation: the stored model or a new one, every conversation's topic, and the summary."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from finelake.config.settings import Topics
from finelake.tables import names
from finelake.tables.contracts import checked
from finelake.tables.names import TableRef
from finelake.tables.reading import read_table, table_exists
from finelake.topics.assign import draw_sample
from finelake.topics.fit import fit_topics
from finelake.topics.model import TopicModel
from finelake.topics.store import stored_model
from finelake.topics.summary import summarise, topic_counts

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """The model that this run uses; `fitted` says whether it is new and has to be stored."""

    model: TopicModel
    fitted: bool


def find_model(
    spark: SparkSession, conversations: DataFrame, *, config: Topics, config_hash: str, table: TableRef
) -> Found:
    """Give the stored model where it was fitted by the same settings and has topics, else fit one on a sample.

    `conversations`: see topics.assign.draw_sample. Raises EnvironmentProblem where fitting needs scikit-learn and it
    is not installed.
    """
    if table_exists(spark, table):
        stored = stored_model(checked(read_table(spark, table), names.TOPICS), config_hash=config_hash)
        if stored is not None:
            return Found(stored, False)
    sample = draw_sample(conversations, config=config)
    model = fit_topics(sample, config=config, config_hash=config_hash)
    logger.info("topics fitted=%d sample=%d terms=%d", model.count, len(sample.texts), len(model.vocabulary))
    return Found(model, True)


def summarise_topics(examples: DataFrame, topics: DataFrame, *, model: TopicModel) -> dict[str, Any]:
    """Give the manifest's entry `topics` for the published examples (columns: see topics.summary.topic_counts)."""
    rows = topic_counts(examples, topics, model=model).collect()
    return summarise([row.asDict() for row in rows], model=model)
