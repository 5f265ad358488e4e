"""Where conversations are kept: the columns of each table that name one, and the files that quote some."""

from __future__ import annotations

from pathlib import Path

from finelake.evaluation.page.render import CARD_NAME, PAGE_NAME
from finelake.evaluation.report import JSON_NAME, MARKDOWN_NAME
from finelake.tables import names

HOLDERS: dict[str, tuple[str, ...]] = {
    names.ANNOTATED: ("conversation_id",),
    names.EXAMPLES: ("conversation_id",),
    names.QUARANTINE: ("conversation_id",),
    names.LEDGER: ("conversation_id", "kept_id"),
    names.SIGNATURES: ("conversation_id",),
    names.PAIRS: ("first_id", "second_id"),
    names.SEMANTIC_PAIRS: ("first_id", "second_id"),
    names.ASSIGNMENTS: ("conversation_id",),
    names.CONTAMINATION: ("conversation_id",),
    names.CONVERSATION_TOPICS: ("conversation_id",),
    names.PROFILE: ("conversation_id",),
    names.SCORES: ("conversation_id",),
}
"""Tables with columns of conversation ids. `answers` is reached through `scores`, `embeddings` by the text."""

ANSWER_KEYS = ("base_answer", "tuned_answer")
"""Columns of `scores` that hold keys of `answers`."""

QUOTING = (PAGE_NAME, CARD_NAME, MARKDOWN_NAME, JSON_NAME)


def published(folder: Path) -> list[Path]:
    """List what a curation and an evaluation left in the output folder and may hold text of conversations."""
    patterns = ("*.jsonl", "**/*.parquet", "**/manifest.json", "report.*", *QUOTING, ".answers-*/*")
    return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
