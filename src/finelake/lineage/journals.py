"""Whose journal a run id of the table of runs is.

A training run's journal is named by its id, the others by a prefix: `curation-ID` holds one entry with the manifest,
`evaluation-ID` (of the training run) the lease, the batches asked and one entry `evaluation.ID` an evaluation,
`file-...` the upload of a file.
"""

from __future__ import annotations

from typing import Literal

RunKind = Literal["curation", "training", "evaluation"]

CURATION = "curation"
ORIGIN = "origin"
EVALUATION_STEP = "evaluation."

CURATION_JOURNAL, EVALUATION_JOURNAL, FILE_JOURNAL = "curation-", "evaluation-", "file-"


def curation_journal(run_id: str) -> str:
    """Name the journal of a curation."""
    return f"{CURATION_JOURNAL}{run_id}"


def evaluation_journal(run_id: str) -> str:
    """Name the journal of the evaluations of a training run."""
    return f"{EVALUATION_JOURNAL}{run_id}"


def is_training(journal: str) -> bool:
    """Tell whether a journal is that of a training run."""
    return not journal.startswith((CURATION_JOURNAL, EVALUATION_JOURNAL, FILE_JOURNAL))
