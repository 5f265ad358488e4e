"""Decontamination from end to end: which training examples share text with evaluation data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import DataFrame

from finelake.config.settings import Decontamination
from finelake.contamination.grams import GramSize
from finelake.contamination.scan import build_filter, evaluation_grams, training_places
from finelake.contamination.sources import evaluation_texts, held_out_texts, training_texts
from finelake.contamination.spans import spans


def find_contamination(
    placed: DataFrame, *, config: Decontamination, identities: Mapping[str, str]
) -> DataFrame | None:
    """Find the spans that training examples share with evaluation data; None where there is nothing to compare.

    `placed` are conversations with their split and windows; `identities` says for each evaluation table by name which
    content is meant (see sources.identity_of). Runs one Spark job, over the evaluation texts.
    """
    spark = placed.sparkSession
    texts = [evaluation_texts(spark, table, identity=identities[table.name]) for table in config.tables]
    if config.own_splits != "off":
        texts.append(held_out_texts(placed))
    if not texts:
        return None
    evaluation = reduce(DataFrame.unionByName, texts)
    size = GramSize(words=config.ngram, min_words=config.min_words)
    bloom = build_filter(evaluation, size=size)
    places = training_places(training_texts(placed), bloom=bloom, size=size, limit=config.max_documents)
    held = evaluation_grams(evaluation, size=size, limit=config.max_documents)
    return spans(places, held, config=config)
