"""How each of finelake's tables is laid out: what it is clustered by, what its rows must satisfy, how it is tagged.

A table is clustered by what queries of this package look it up by; `serves` names them. Data skipping keeps the
smallest and largest values of these columns alone, so that a wide table does not gather them for text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from finelake.tables import names


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """A table's clustering keys (`clustered`), the queries they are for, and whether it quotes conversations (`text`).

    `checks` are CHECK constraints by name. Only tables that are appended to behind the quarantine and the audit have
    them: a violation fails the whole write. NULL violates a CHECK of Delta, so each says what NULL means.
    """

    clustered: tuple[str, ...] = ()
    serves: str
    text: bool = False
    checks: Mapping[str, str] = field(default_factory=dict)


_CONVERSATION = ("conversation_id",)
_SPLITS = "'train', 'validation', 'test'"

LAYOUTS: dict[str, Layout] = {
    names.ANNOTATED: Layout(clustered=_CONVERSATION, serves="increments and erasure, by conversation", text=True),
    names.EXAMPLES: Layout(
        clustered=("split", "conversation_id"),
        serves="evaluation, by split; why and erasure, by conversation",
        text=True,
    ),
    names.QUARANTINE: Layout(clustered=_CONVERSATION, serves="why and erasure, by conversation", text=True),
    names.LEDGER: Layout(clustered=_CONVERSATION, serves="why, by conversation", text=True),
    names.SIGNATURES: Layout(clustered=_CONVERSATION, serves="reuse of earlier signatures, joined by conversation"),
    names.PAIRS: Layout(clustered=("first_id", "second_id"), serves="why, by either conversation"),
    names.SEMANTIC_PAIRS: Layout(clustered=("first_id", "second_id"), serves="why, by either conversation"),
    names.ASSIGNMENTS: Layout(
        clustered=_CONVERSATION,
        serves="pins of earlier runs, joined by conversation",
        checks={
            "known_split": f"split IS NOT NULL AND split IN ({_SPLITS})",
            "named_conversation": "conversation_id IS NOT NULL",
        },
    ),
    names.CONTAMINATION: Layout(clustered=_CONVERSATION, serves="removal and why, by conversation"),
    names.AUDIT: Layout(serves="a few rows a run: read whole"),
    names.EMBEDDINGS: Layout(clustered=("content",), serves="reuse of vectors, joined by the text's hash"),
    names.TOPICS: Layout(serves="a few thousand rows: read whole"),
    names.CONVERSATION_TOPICS: Layout(clustered=_CONVERSATION, serves="splits and mixing, joined by conversation"),
    names.INCREMENTS: Layout(serves="one row a run: read whole"),
    names.ERASURES: Layout(clustered=("subject",), serves="what may not be used, joined by subject"),
    names.RUNS: Layout(clustered=("run_id",), serves="the journal of one run"),
    names.PROMOTIONS: Layout(clustered=("run_id",), serves="the journal of one alias"),
    names.RUN_EVENTS: Layout(clustered=("run_id", "job_id"), serves="the telemetry of one run and job"),
    names.CHECKPOINTS: Layout(clustered=("run_id", "job_id"), serves="the checkpoints of one run and job"),
    names.ANSWERS: Layout(clustered=("run_id", "key"), serves="the answers of one run, by request", text=True),
    names.SCORES: Layout(clustered=("run_id", "metric"), serves="the scores of one run, by metric"),
    names.PROFILE: Layout(serves="a sample: read whole", text=True),
    names.ALIASES: Layout(clustered=("project", "alias"), serves="the history of one alias"),
}


def tags_of(name: str) -> dict[str, str]:
    """Give the tags of a table: which of finelake's it is, and whether it quotes conversations."""
    layout = LAYOUTS.get(name)
    quotes = "yes" if layout is None or layout.text else "no"
    return {"finelake": name, "quotes_conversations": quotes}
