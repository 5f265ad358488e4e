"""One line about what a step gave, for people."""

from __future__ import annotations

from typing import Any

from finelake.training.steps import BASE, DEPLOY, JOB, SMOKE, UPLOAD, WATCH


def summary(step: str, record: dict[str, Any]) -> str:
    """Say what a step recorded."""
    lines = {
        UPLOAD: _upload,
        JOB: _job,
        WATCH: _watch,
        DEPLOY: _deployment,
        BASE: _deployment,
        SMOKE: _smoke,
    }
    return lines[step](record)


def _upload(record: dict[str, Any]) -> str:
    return ", ".join(f"{split} {file_id}" for split, file_id in record.items())


def _job(record: dict[str, Any]) -> str:
    return str(record["job_id"])


def _watch(record: dict[str, Any]) -> str:
    trained = "" if record["trained_tokens"] is None else f", {record['trained_tokens']:,} tokens billed"
    return f"{record['status']} after {record['seconds']:.0f} s, {len(record['checkpoints'])} checkpoints{trained}"


def _deployment(record: dict[str, Any]) -> str:
    return f"{record['name']} answers"


def _smoke(record: dict[str, Any]) -> str:
    chats = record["chats"]
    return f"{len(chats)} test chats, {sum(chat['empty'] for chat in chats)} answered with nothing"
