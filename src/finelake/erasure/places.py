"""Where conversations are kept: the columns of each table that name one, and the files that quote some."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from finelake.evaluation.page.render import CARD_NAME, PAGE_NAME
from finelake.evaluation.report import JSON_NAME, MARKDOWN_NAME
from finelake.huggingface.shards import MANIFEST as SHARD_MANIFEST
from finelake.prepare import QUARANTINE
from finelake.publish import MANIFEST
from finelake.report import write as report
from finelake.splits import SPLITS
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
    names.CONTAMINATION: ("conversation_id", "row_id"),
    names.CONVERSATION_TOPICS: ("conversation_id",),
    names.PROFILE: ("conversation_id",),
    names.SCORES: ("conversation_id",),
}
"""Tables with columns of conversation ids. `answers` is reached through `scores`, `embeddings` by the text."""

IN_TEXT: dict[str, str] = {
    names.LEDGER: "array(value)",
    names.QUARANTINE: "transform(_errors, error -> error.user_metadata['value'])",
}
"""Texts (SQL of an array of them) that say which conversation of another split one was too near to."""

# What splits.split_conflict and contamination.contaminated_split write: `user ID`, `test answer of ID: words 3 to ...`.
_NAMED = (
    "(?s)^(?:(?:user|text|near) |(?:validation|test) (?:prompt|answer) of )(.*?)"
    "(?:: words [0-9]+ to [0-9]+ of message [0-9]+)?$"
)

ANSWER_KEYS = ("base_answer", "tuned_answer")
"""Columns of `scores` that hold keys of `answers`."""


def naming(subjects: Sequence[str], *, columns: Sequence[str], texts: str | None = None) -> str:
    """Give the SQL condition that a row names one of the conversations, in a column or in one of `texts`.

    Rows of other conversations that name one fit too; the curation that follows writes such tables anew. It holds
    hashes and quotes no id, for Delta keeps it in the table's history.
    """
    hashes = ", ".join(f"'{subject}'" for subject in subjects)
    quoted = [column.replace("`", "``") for column in columns]
    conditions = [f"sha2(CAST(`{column}` AS STRING), 256) IN ({hashes})" for column in quoted]
    if texts is not None:
        named = f"nullif(regexp_extract(text, '{_NAMED}', 1), '')"
        conditions.append(f"exists({texts}, text -> sha2({named}, 256) IN ({hashes}))")
    return " OR ".join(conditions)


@dataclass(frozen=True, slots=True)
class Quoting:
    """What of a folder may quote conversations: files by their names (patterns), and whole folders in it by theirs.

    Nothing else of the folder is touched: it may be a Volume that holds other things too.
    """

    files: tuple[str, ...]
    folders: tuple[str, ...]

    @classmethod
    def named(cls, names: Iterable[str], *, folders: tuple[str, ...]) -> Quoting:
        """Name the files, and with them what a process that was killed left unfinished beside them."""
        return cls(tuple(pattern for name in names for pattern in (name, f".{name}.*")), folders)

    def has_file(self, name: str) -> bool:
        """Tell whether a file of the folder with this name may quote conversations."""
        return any(fnmatchcase(name, pattern) for pattern in self.files)

    def has_folder(self, name: str) -> bool:
        """Tell whether everything in a folder with this name goes."""
        return any(fnmatchcase(name, pattern) for pattern in self.folders)


PUBLISHED = Quoting.named(
    (
        *(f"{split}.jsonl" for split in SPLITS),
        QUARANTINE,
        MANIFEST,
        report.PAGE_NAME,
        report.JSON_NAME,
        PAGE_NAME,
        CARD_NAME,
        MARKDOWN_NAME,
        JSON_NAME,
    ),
    folders=(".answers-*",),
)
"""What curation, report and evaluation leave in `output.folder`."""

SHARDS = Quoting.named(("*-of-*.parquet", SHARD_MANIFEST), folders=("staging-*",))
"""What is in `shards.folder`."""
