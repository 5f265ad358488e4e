"""Answers that have arrived and are not yet in Delta: a file each, so that a killed process loses none of them.

A Delta commit for every answer would take longer than the answer. So an answer is put into a folder of the run the
moment it arrives, in the thread that asked, and the files go when the answers' commit is done. What a process leaves
behind is recorded by the next start before anything is asked. The files hold conversation text, as the table does.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from finelake.evaluation.answers import AnswerStore
from finelake.evaluation.asking import Answer
from finelake.evaluation.replies import Reply, ToolCall
from finelake.files import write_whole

logger = logging.getLogger(__name__)


class SpooledAnswers:
    """A store of answers with a folder before it."""

    def __init__(self, store: AnswerStore, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def read(self) -> dict[str, Answer]:
        """Record what an earlier process left in the folder, then give all answers by key."""
        known = self._store.read()
        left = [answer for answer in self._left() if answer.key not in known]
        if left:
            self._store.record(left)
            logger.info("Recorded %d answers that an earlier start had received.", len(left))
        for file in self._files():
            file.unlink(missing_ok=True)
        return known | {answer.key: answer for answer in left}

    def keep(self, answer: Answer) -> None:
        """Put an answer into the folder; safe for threads. Raises OutputError when that cannot be done."""
        write_whole(self._file(answer.key), json.dumps(asdict(answer), ensure_ascii=False))

    def record(self, answers: Sequence[Answer]) -> None:
        """Record answers; after that their files go."""
        self._store.record(answers)
        for answer in answers:
            self._file(answer.key).unlink(missing_ok=True)
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _file(self, key: str) -> Path:
        return self._folder / f"{key}.json"

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.json")) if self._folder.is_dir() else []

    def _left(self) -> list[Answer]:
        found = [_read(file) for file in self._files()]
        return [answer for answer in found if answer is not None]


def _read(file: Path) -> Answer | None:
    """Read an answer back; None where the file is not one that this code wrote."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        reply = values.pop("reply")
        calls = tuple(ToolCall(**call) for call in reply["tool_calls"])
        return Answer(**values, reply=Reply(text=reply["text"], tool_calls=calls))
    except (ValueError, KeyError, TypeError):
        logger.warning("%s is not an answer and is left out.", file.name)
        return None
