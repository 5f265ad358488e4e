"""The profile of a raw table: a sample of its conversations, measured as the rules see them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.annotate.plan import PassPlan, plan_pass, read_tool_file
from finelake.batches import slices
from finelake.config.catalogue import catalogue_of
from finelake.config.settings import Settings
from finelake.conversations.assemble import assemble
from finelake.conversations.mapping import check_source, map_rows
from finelake.errors import ConfigError, InputError
from finelake.profile.measures import Measurer
from finelake.profile.summary import Distribution, Line, Rate, distributions, lines, rates
from finelake.tables import names
from finelake.tables.contracts import checked
from finelake.tables.names import source_ref, table_ref
from finelake.tables.reading import latest_version, read_table
from finelake.tables.writing import overwrite

_MEASURED = (
    "conversation_id string, turn int, role string, text string, values map<string,double>, found array<string>, "
    "signature string"
)
_COLUMNS = tuple(part.split(" ")[0] for part in _MEASURED.split(", "))


@dataclass(frozen=True, slots=True)
class Profile:
    """What was measured: the sample's size, distributions, the settings' lines and the rates of the rules."""

    source: str
    version: int
    conversations: int
    tail: float
    table: str
    distributions: tuple[Distribution, ...]
    lines: tuple[Line, ...]
    rates: tuple[Rate, ...]


def profile(
    spark: SparkSession, settings: Settings, *, conversations: int = 20_000, tail: float = 0.005, beside: int = 3
) -> Profile:
    """Measure a sample of the source table's conversations and propose a line for each threshold.

    The sample is the `conversations` with the smallest hash of their id, so it is the same on every run and grows
    with its size. A proposed line leaves the share `tail` of the values beyond it. Every measured row is written to
    the table `profile`, its text cut to an excerpt and without personal data. Raises ConfigError for a sample or tail
    that cannot work, InputError when the source does not fit its mapping or no conversation can be measured.
    """
    if conversations < 1 or beside < 0 or not 0 < tail < 0.5:
        raise ConfigError(
            f"profile: found conversations={conversations}, tail={tail}, rows={beside}; expected at least one "
            f"conversation, a tail between 0 and 0.5 and no negative number of rows."
        )
    source = source_ref(settings.source.table)
    version = settings.source.version if settings.source.version is not None else latest_version(spark, source)
    raw = read_table(spark, source, version=version)
    check_source(raw, settings.source)
    table = table_ref(settings.tables, names.PROFILE)
    sample = measured(raw, settings, conversations)
    written = overwrite(checked(sample, names.PROFILE), table, run_id=f"profile of {source} at version {version}")
    rows = checked(read_table(spark, table, version=written), names.PROFILE)
    found = distributions(rows, tail=tail)
    if not found:
        raise InputError(
            f"No conversation of {source} can be measured: all of the sample are set aside before the rules about "
            f"replies. Run `finelake curate`; its quarantine says why."
        )
    return Profile(
        str(source),
        version,
        next((item.count for item in found if item.measure == "turn_count"), 0),
        tail,
        str(table),
        tuple(found),
        tuple(lines(rows, found, replies=settings.replies, beside=beside)),
        tuple(rates(rows, replies=settings.replies, beside=beside)),
    )


def measured(raw: DataFrame, settings: Settings, conversations: int) -> DataFrame:
    """Measure the sample's messages and conversations: columns `_MEASURED`, a row each."""
    mapped = map_rows(raw, settings.source, settings.origins)
    ids = mapped.select("conversation_id").where(F.col("conversation_id").isNotNull()).distinct()
    chosen = ids.orderBy(F.xxhash64("conversation_id"), "conversation_id").limit(conversations)
    sample = mapped.join(chosen, on="conversation_id", how="left_semi")
    whole = assemble(sample, layout=settings.source.layout, max_turns=settings.conversations.max_turns)
    clean = whole.where(~F.exists("assembly", lambda item: item["action"] == "quarantine"))
    return clean.select("conversation_id", "content").mapInPandas(_measuring(_plan(settings)), _MEASURED)


def _plan(settings: Settings) -> PassPlan:
    catalogue = catalogue_of(settings)
    file = settings.examples.tools.file
    return plan_pass(settings, catalogue, read_tool_file(Path(file)) if file else {})


def _measuring(plan: PassPlan) -> Callable[[Iterable[pd.DataFrame]], Iterable[pd.DataFrame]]:
    def run(batches: Iterable[pd.DataFrame]) -> Iterable[pd.DataFrame]:
        measurer = Measurer(plan)
        for batch in batches:
            for start, end in slices([len(content) for content in batch["content"]]):
                part = batch.iloc[start:end]
                rows = [
                    (conversation_id, item.turn, item.role, item.text, item.values, item.found, item.signature)
                    for conversation_id, content in zip(part["conversation_id"], part["content"], strict=True)
                    for item in measurer.measure(content)
                ]
                yield pd.DataFrame(rows, columns=_COLUMNS).astype({"turn": "Int32"})

    return run
