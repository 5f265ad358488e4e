"""The configuration of a run as it is recorded: whole, by key, without a secret's value."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from finelake.config.settings import Settings

MASK = "***"

# Settings name where secrets are kept, not their values; an address may carry one all the same.
_CARRIED = (
    re.compile(r"(?<=[;?&])(?P<key>token|sig|password|api[_-]?key|access_token)=[^;&\s]+", re.IGNORECASE),
    re.compile(r"(?<=://)[^/@:\s]+:[^/@\s]+(?=@)"),
)


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that differs: dotted key, and its value before and after as JSON; None where it is not there."""

    key: str
    before: Any
    after: Any


def recorded(settings: Settings) -> dict[str, Any]:
    """Give all settings as plain JSON values; what an address carries of a token or password is masked."""
    values: dict[str, Any] = _masked(settings.model_dump(mode="json"))
    return values


def hash_of(values: Mapping[str, Any]) -> str:
    """Give 16 hex digits that stand for recorded settings."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """List the settings that differ, by key."""
    old, new = dict(_flat(before)), dict(_flat(after))
    return [
        Change(key, old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def _flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return _without_secrets(value) if isinstance(value, str) else value


def _without_secrets(text: str) -> str:
    named, before_host = _CARRIED
    return before_host.sub(MASK, named.sub(lambda found: f"{found['key']}={MASK}", text))
