"""Diversity as steps of the curation: vectors, semantic duplicates, topics, splits by them and mixing, where set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Settings, Splits
from finelake.decide import without
from finelake.embeddings.vectors import vectors_in, vectors_of_model
from finelake.mixing.mix import Mixed, mix
from finelake.relate.documents import trained_tokens
from finelake.relate.semantic import Found, semantic_duplicates
from finelake.tables import names
from finelake.tables.contracts import checked
from finelake.tables.names import TableRef, source_ref, table_ref
from finelake.tables.reading import latest_version, read_table, table_exists
from finelake.tables.writing import append_once
from finelake.topics.assign import assign_topics
from finelake.topics.model import TopicModel
from finelake.topics.step import find_model, summarise_topics
from finelake.topics.store import model_frame, topics_hash


class Lake(Protocol):
    """What these steps need of a curation run."""

    @property
    def spark(self) -> SparkSession: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def source(self) -> TableRef: ...
    @property
    def version(self) -> int: ...
    @property
    def run_id(self) -> str: ...
    @property
    def written(self) -> dict[str, dict[str, Any]]: ...

    def write(self, name: str, frame: DataFrame) -> DataFrame: ...
    def keep(self, frame: DataFrame) -> DataFrame: ...


@dataclass(frozen=True, slots=True)
class Topical:
    """The topic model of a run, and conversation_id, topic and similarity of every candidate."""

    model: TopicModel
    assigned: DataFrame

    def summary(self, examples: DataFrame) -> dict[str, Any]:
        """Give the manifest's entry `topics` for the published examples."""
        return summarise_topics(examples, self.assigned, model=self.model)


def vectors_version(spark: SparkSession, settings: Settings) -> int | None:
    """Give the version of the table that the user's vectors are read from, where it is one of its own."""
    table = settings.embeddings.table
    return latest_version(spark, source_ref(table)) if table and _need_vectors(settings) else None


def find_vectors(lake: Lake, candidates: DataFrame) -> DataFrame | None:
    """Give conversation_id and vector where a setting needs them; new texts are embedded and stored."""
    settings, config = lake.settings, lake.settings.embeddings
    if not _need_vectors(settings):
        return None
    if config.model is None:
        return _given_vectors(lake)
    place = table_ref(settings.tables, names.EMBEDDINGS)
    stored = read_table(lake.spark, place) if table_exists(lake.spark, place) else None

    def append(frame: DataFrame) -> DataFrame:
        append_once(checked(frame, names.EMBEDDINGS), place, key=f"{lake.run_id}.embeddings")
        _note(lake, names.EMBEDDINGS, place)
        return checked(read_table(lake.spark, place), names.EMBEDDINGS)

    return vectors_of_model(candidates, config=config, stored=stored, append=append)


def check_vectors(lake: Lake) -> None:
    """Check the user's column of vectors, which is long before it is needed; raises what `vectors_in` does."""
    if _need_vectors(lake.settings) and lake.settings.embeddings.model is None:
        _ = _given_vectors(lake).schema


def _given_vectors(lake: Lake) -> DataFrame:
    settings, config = lake.settings, lake.settings.embeddings
    table = source_ref(config.table) if config.table else lake.source
    version = vectors_version(lake.spark, settings) if config.table else lake.version
    rows = read_table(lake.spark, table, version=version)
    return vectors_in(rows, config=config, key=config.key or settings.source.columns.conversation_id)


def find_semantic(
    lake: Lake, documents: DataFrame, vectors: DataFrame | None, removals: Sequence[DataFrame]
) -> Found | None:
    """Find semantic duplicates among what earlier removals leave; the pairs are written."""
    config = lake.settings.duplicates.semantic
    if not config.enabled or vectors is None:
        return None
    found = semantic_duplicates(without(documents, removals), vectors, config=config, save=lake.keep)
    pairs = found.pairs.withColumn("run_id", F.lit(lake.run_id))
    return replace(found, pairs=lake.write(names.SEMANTIC_PAIRS, pairs))


def find_topics(lake: Lake, candidates: DataFrame, vectors: DataFrame | None) -> Topical | None:
    """Assign topics by the stored model, or by a new one that is then stored."""
    config = lake.settings.topics
    if not config.enabled:
        return None
    conversations, origin = candidates, None
    if config.features == "embedding" and vectors is not None:
        conversations = candidates.join(vectors, on="conversation_id", how="left")
        origin = lake.settings.embeddings.model_dump_json()
    place = table_ref(lake.settings.tables, names.TOPICS)
    found = find_model(
        lake.spark, conversations, config=config, config_hash=topics_hash(config, vectors=origin), table=place
    )
    if found.fitted:
        lake.write(names.TOPICS, model_frame(lake.spark, found.model))
    else:
        _note(lake, names.TOPICS, place)
    assigned = lake.write(names.CONVERSATION_TOPICS, assign_topics(conversations, model=found.model))
    return Topical(found.model, assigned)


def with_topics(rows: DataFrame, topics: Topical | None, splits: Splits) -> DataFrame:
    """Add the column topic to conversations or examples where splits are stratified by it."""
    if topics is None or "topic" not in splits.stratify:
        return rows
    return rows.join(topics.assigned.select("conversation_id", "topic"), on="conversation_id", how="left")


def find_mix(lake: Lake, placed: DataFrame, topics: Topical | None, removals: Sequence[DataFrame]) -> Mixed | None:
    """Mix what earlier removals leave of candidates that have their split."""
    left = without(placed.withColumn("trained_tokens", trained_tokens()), removals)
    if topics is not None:
        left = left.drop("topic").join(
            topics.assigned.select("conversation_id", "topic"), on="conversation_id", how="left"
        )
    mixed = mix(left, config=lake.settings.mixing)
    return replace(mixed, removals=lake.keep(mixed.removals)) if mixed is not None else None


def _need_vectors(settings: Settings) -> bool:
    topics = settings.topics
    return settings.duplicates.semantic.enabled or (topics.enabled and topics.features == "embedding")


def _note(lake: Lake, name: str, table: TableRef) -> None:
    lake.written[name] = {"table": str(table), "version": latest_version(lake.spark, table)}
