"""Names of finelake's tables, and references to Delta tables by catalog name or folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from finelake.config.settings import Tables, is_path
from finelake.config.table_names import MOST_PARTS, name_parts, quoted_name

ANNOTATED = "annotated"
INCREMENTS = "increments"
ERASURES = "erasures"
EXAMPLES = "examples"
QUARANTINE = "quarantine"
LEDGER = "ledger"
SIGNATURES = "signatures"
PAIRS = "pairs"
GRAPH = "graph"
ASSIGNMENTS = "assignments"
AUDIT = "audit"
CONTAMINATION = "contamination"
SEMANTIC_PAIRS = "semantic_pairs"
EMBEDDINGS = "embeddings"
TOPICS = "topics"
CONVERSATION_TOPICS = "conversation_topics"
RUNS = "runs"
RUN_EVENTS = "run_events"
CHECKPOINTS = "checkpoints"
ANSWERS = "answers"
SCORES = "scores"
PROFILE = "profile"
ALIASES = "aliases"
PROMOTIONS = "promotions"

# Columns that `finelake ingest` adds to a raw table.
ROW_PROBLEM = "_row_problem"
ROW_TEXT = "_row_text"
SOURCE_FILE = "_source_file"


@dataclass(frozen=True, slots=True)
class TableRef:
    """A Delta table: a folder (`is_path`) or a validated name of one to three parts.

    `name` is the constant of this module for one of finelake's own tables, whose layout it then has.
    """

    reference: str
    name: str = field(default="", compare=False)

    @property
    def is_path(self) -> bool:
        return is_path(self.reference)

    @property
    def sql(self) -> str:
        """The reference as it stands in SQL, quoted."""
        if self.is_path:
            return f"delta.`{self.reference}`"
        return quoted_name(self.reference)

    @property
    def in_unity_catalog(self) -> bool:
        """Whether the name has three parts, as Unity Catalog's have."""
        return not self.is_path and len(name_parts(self.reference) or ()) == MOST_PARTS

    def __str__(self) -> str:
        return self.reference


def source_ref(reference: str) -> TableRef:
    """Refer to a table that the user named; a relative folder is made absolute."""
    return TableRef(_absolute(reference) if is_path(reference) else reference)


def table_ref(tables: Tables, name: str) -> TableRef:
    """Refer to one of finelake's tables, by a constant of this module."""
    table = f"{tables.prefix}{name}"
    if is_path(tables.location):
        return TableRef(f"{_absolute(tables.location).rstrip('/')}/{table}", name)
    return TableRef(f"{tables.location}.{table}", name)


def _absolute(folder: str) -> str:
    return folder if "://" in folder else str(Path(folder).expanduser().absolute())
