"""Decontamination from end to end: which training examples share text with evaluation data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import DataFrame

from finelake.config.settings import Decontamination
from finelake.contamination.grams import GramSize
from finelake.contamination.scan import evaluation_grams, filter_of_places, filter_of_texts, training_places
from finelake.contamination.sources import evaluation_texts, held_out_texts, training_texts
from finelake.contamination.spans import spans
from finelake.relate.graph_spark import Save


def find_contamination(
    placed: DataFrame, *, config: Decontamination, identities: Mapping[str, str], save: Save
) -> DataFrame | None:
    """Find the spans that training examples share with evaluation data; None where there is nothing to compare.

    `placed` are conversations with their split and windows; `identities` says for each evaluation table by name which
    content is meant (see sources.identity_of). `save` writes a frame and reads it back: the places in training examples
    that evaluation data may hold, and the n-grams of evaluation data that these may be, both few and narrow. The
    evaluation texts are read twice and the training texts once, so that no other n-gram is ever shuffled.
    """
    spark = placed.sparkSession
    texts = [evaluation_texts(spark, table, identity=identities[table.name]) for table in config.tables]
    if config.own_splits != "off":
        texts.append(held_out_texts(placed))
    if not texts:
        return None
    evaluation = reduce(DataFrame.unionByName, texts)
    size = GramSize(words=config.ngram, min_words=config.min_words)
    places = save(
        training_places(
            training_texts(placed),
            bloom=filter_of_texts(evaluation, size=size),
            size=size,
            limit=config.max_documents,
        )
    )
    wanted = filter_of_places(places)
    held = save(evaluation_grams(evaluation, wanted=wanted, size=size, limit=config.max_documents))
    return spans(places, held, config=config)
