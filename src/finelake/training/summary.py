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
    return _with_portal(str(record["job_id"]), record)


def _watch(record: dict[str, Any]) -> str:
    found = [item for item in record.get("findings", []) if item["level"] in {"warning", "severe"}]
    stopped = " (stopped early)" if record.get("stopped_early") else ""
    meant = "".join(f"\n{item['words']} {item['advice']}" for item in found)
    trained = "" if record["trained_tokens"] is None else f", {record['trained_tokens']:,} tokens billed"
    counted = f"{len(record['checkpoints'])} checkpoints{trained}"
    return f"{record['status']}{stopped} after {record['seconds']:.0f} s, {counted}{meant}"


def _deployment(record: dict[str, Any]) -> str:
    served = f" and serves {record['model']}" if record.get("model") else ""
    return _with_portal(f"{record['name']} answers{served}", record)


def _with_portal(text: str, record: dict[str, Any]) -> str:
    return f"{text}, see {record['portal']}" if record.get("portal") else text


def _smoke(record: dict[str, Any]) -> str:
    chats = record["chats"]
    return f"{len(chats)} test chats, {sum(chat['empty'] for chat in chats)} answered with nothing"
