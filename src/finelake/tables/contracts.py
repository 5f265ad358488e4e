"""The contract of each Delta table: a pandera schema of names and types, checked on what is read and written.

Only the schema is checked here, which starts no Spark job; rows are checked once, in the Python pass.
"""

from __future__ import annotations

import pandera.pyspark as pa
from pandera.config import ValidationDepth, config_context
from pyspark.sql import DataFrame

from finelake.errors import InputError
from finelake.tables import names
from finelake.tables.schemas.curation import Annotated, Erasures, Examples, Increments, Ledger, Quarantine, Runs
from finelake.tables.schemas.diversity import ConversationTopics, Embeddings, Topics
from finelake.tables.schemas.evidence import (
    Assignments,
    Audit,
    Contamination,
    Pairs,
    Profile,
    SemanticPairs,
    Signatures,
)
from finelake.tables.schemas.training import Aliases, Answers, Checkpoints, RunEvents, Scores

CONTRACTS: dict[str, type[pa.DataFrameModel]] = {
    names.ANNOTATED: Annotated,
    names.INCREMENTS: Increments,
    names.ERASURES: Erasures,
    names.EXAMPLES: Examples,
    names.QUARANTINE: Quarantine,
    names.LEDGER: Ledger,
    names.SIGNATURES: Signatures,
    names.PAIRS: Pairs,
    names.ASSIGNMENTS: Assignments,
    names.CONTAMINATION: Contamination,
    names.AUDIT: Audit,
    names.SEMANTIC_PAIRS: SemanticPairs,
    names.EMBEDDINGS: Embeddings,
    names.TOPICS: Topics,
    names.CONVERSATION_TOPICS: ConversationTopics,
    names.RUNS: Runs,
    names.RUN_EVENTS: RunEvents,
    names.CHECKPOINTS: Checkpoints,
    names.ANSWERS: Answers,
    names.SCORES: Scores,
    names.PROFILE: Profile,
    names.ALIASES: Aliases,
    names.PROMOTIONS: Runs,
}


def checked(frame: DataFrame, table: str) -> DataFrame:
    """Return the frame when its columns fit the table's contract (names, types; further columns are allowed).

    Raises InputError that lists every column that is missing or has another type.
    """
    model = CONTRACTS[table]
    missing = [name for name in model.to_schema().columns if name not in frame.columns]
    with config_context(validation_depth=ValidationDepth.SCHEMA_ONLY):
        # With every column present pandera has no need to show rows in its messages, which it does for missing ones.
        errors = {} if missing else dict(model.validate(frame).pandera.errors)
    wrong = [str(item["column"]) for group in errors.get("SCHEMA", {}).values() for item in group]
    if missing or wrong:
        found = ", ".join(f"{name} {kind}" for name, kind in frame.dtypes if name in wrong)
        raise InputError(
            f"Table {table} breaks its contract: missing columns {missing or 'none'}; other types: {found or 'none'}. "
            f"It was written by another version or changed by hand: move it away and run the step that writes it again."
        )
    return frame
