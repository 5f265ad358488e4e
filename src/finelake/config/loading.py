"""From a YAML file, environment placeholders and `--set` overrides to frozen settings; all errors at once."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from finelake.config.settings import Settings
from finelake.config.walking import is_in_secret, may_hold_secret, section_of, types_along
from finelake.errors import ConfigError

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def load_settings(
    path: Path, *, overrides: Iterable[str] = (), environment: Mapping[str, str] | None = None
) -> Settings:
    """Read settings from a YAML file.

    `${NAME}` and `${NAME:-default}` inside values are taken from the environment; an override is
    `section.key=value` with a YAML value. Raises ConfigError that lists every mistake with file, key, value
    and what is allowed.
    """
    raw = _read_yaml(path)
    for number, override in enumerate(overrides, start=1):
        _apply_override(raw, override, number)
    missing: list[str] = []
    filled = _fill(raw, os.environ if environment is None else environment, missing)
    if missing:
        names = ", ".join(sorted(set(missing)))
        raise ConfigError(f"{path}: environment variables not set: {names}. Set them or give ${{NAME:-default}}.")
    try:
        return Settings.model_validate(filled)
    except ValidationError as error:
        raise ConfigError(_explain(path, error, filled)) from None


def settings_hash(settings: BaseModel) -> str:
    """Give the SHA-256 (hex) of settings in canonical JSON; equal settings have equal hashes."""
    text = json.dumps(settings.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such configuration file. Give one with --config.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({type(error).__name__}). It must be a UTF-8 text file.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "unknown place"
        raise ConfigError(f"{path}: not valid YAML at {place}. Check indentation, colons and quotes there.") from None
    if not isinstance(loaded, dict):
        raise ConfigError(f"{path}: found {type(loaded).__name__}, expected a mapping of sections at the top level.")
    return loaded


def _apply_override(raw: dict[str, Any], override: str, number: int) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key:
        # What was given may be a secret that lost its key, so its place stands for it.
        raise ConfigError(f"--set number {number}: expected key=value, for example training.epochs=2.")
    if "{{" in text:
        raise ConfigError(f"--set {key}: the value still holds '{{{{', so a job parameter was not filled in.")
    node = raw
    *parents, leaf = key.split(".")
    for parent in parents:
        child = node.setdefault(parent, {})
        if not isinstance(child, dict):
            raise ConfigError(f"--set {key}: {parent} is a value, not a section.")
        node = child
    try:
        node[leaf] = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--set {key}: the value is not valid YAML. Quote it.") from None


def _fill(value: Any, environment: Mapping[str, str], missing: list[str]) -> Any:
    if isinstance(value, dict):
        return {key: _fill(item, environment, missing) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, environment, missing) for item in value]
    if not isinstance(value, str):
        return value

    def lookup(match: re.Match[str]) -> str:
        name: str = match.group(1)
        default: str | None = match.group(2)
        if name in environment:
            return environment[name]
        if default is None:
            missing.append(name)
            return ""
        return default

    return _PLACEHOLDER.sub(lookup, value)


def _explain(path: Path, error: ValidationError, filled: Any) -> str:
    mistakes: dict[str, str] = {}
    for item in error.errors(include_url=False, include_context=True):
        location = _in_file(item["loc"], filled, missing=item["type"] == "missing")
        key = ".".join(location) or "(top level)"
        if item["type"] == "extra_forbidden" and is_in_secret(location):
            # The key itself may be a secret that was written in place.
            mistakes[".".join(location[:-1])] = f"unknown key (not shown). {_known_keys([*location[:-1], ''])}"
        elif item["type"] == "extra_forbidden":
            mistakes[key] = f"unknown key. {_known_keys(location)}"
        elif item["type"] == "missing":
            mistakes[key] = "missing, and it has no default."
        elif key in mistakes:
            mistakes[key] = f"{mistakes[key].removesuffix('.')}, or: {item['msg']}."
        else:
            message = item["msg"].removeprefix("Value error, ")
            mistakes[key] = f"found {_shown(location, item.get('input'))}; {message}."
    listed = [f"  {key}: {mistake}" for key, mistake in mistakes.items()]
    return "\n".join([f"{path}: {len(mistakes)} mistake(s) in the configuration.", *listed])


def _in_file(location: tuple[int | str, ...], filled: Any, *, missing: bool) -> list[str]:
    """Leave out of pydantic's location what stands in no file: the names of a union's branches."""
    parts: list[str] = []
    node = filled
    for position, part in enumerate(location):
        if isinstance(node, dict) and (part in node or (missing and position == len(location) - 1)):
            node = node.get(part)
        elif isinstance(node, list) and isinstance(part, int):
            node = node[part]
        else:
            continue
        parts.append(str(part))
    return parts


def _shown(location: list[str], value: Any) -> str:
    if isinstance(value, dict):
        return "a section"
    if may_hold_secret(location):
        return "a value (not shown)"
    return repr(value) if len(repr(value)) <= 80 else repr(value)[:77] + "..."


def _known_keys(location: list[str]) -> str:
    along = types_along(location[:-1])
    sections = [section for section in map(section_of, along[-1]) if section and len(along) == len(location)]
    known = sorted({name for section in sections for name in section.model_fields})
    if not known:
        return "Remove it."
    close = difflib.get_close_matches(location[-1], known, n=1)
    hint = f"Did you mean {close[0]}? " if close else ""
    return f"{hint}Allowed here: {', '.join(known)}."
