"""The registry of reason codes.

A rule is registered beside the function that gives its code, so `RULES` holds the codes of the modules
that were imported. Codes are stable: tables, counts and tests key on them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from finelake.errors import FinelakeError

Action = Literal["quarantine", "merge", "trim", "untrain", "keep", "note"]
"""What a rule does: set the conversation (or row) aside, join or drop a copy, cut off, keep a reply as context with
weight 0, keep as it is, only note it."""

ACTIONS: tuple[str, ...] = get_args(Action)

_CODE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_FINGERPRINT_LENGTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A reason code with its step, its default action, its meaning and the policy field that governs it.

    `version` is raised when the meaning of the rule changes while its code stays. `nulls` says what a missing value
    counts as, and `source` where the default threshold comes from, for rules that have one.
    """

    code: str
    step: str
    action: Action
    summary: str
    policy_key: str | None = None
    version: int = 1
    nulls: str = ""
    source: str = ""


_rules: dict[str, Rule] = {}

RULES: Mapping[str, Rule] = MappingProxyType(_rules)
"""Read-only view of all registered rules by code."""


def register(rule: Rule) -> Rule:
    """Add a rule and return it; raises FinelakeError when the code is malformed or already taken."""
    if not _CODE.fullmatch(rule.code):
        raise FinelakeError(f"Rule code {rule.code!r} is not snake_case: use a-z, 0-9 and single underscores.")
    if rule.action not in ACTIONS:
        raise FinelakeError(f"Rule {rule.code!r} has the action {rule.action!r}; allowed are {', '.join(ACTIONS)}.")
    known = _rules.get(rule.code)
    if known is not None and known != rule:
        raise FinelakeError(
            f"Rule code {rule.code!r} of step {rule.step!r} is already registered by step {known.step!r}: "
            "choose another code."
        )
    _rules[rule.code] = rule
    return rule


def fingerprint(rule: Rule, settings: Mapping[str, object]) -> str:
    """Return 16 hex digits that change when the rule, its action or what governs it in `settings` changes.

    Governing are the setting named by `rule.policy_key` and those that extend its name with an underscore
    (`clock_skew` also covers `clock_skew_tolerance_seconds`).
    """
    key = rule.policy_key
    governing = {
        name: value
        for name, value in settings.items()
        if key is not None and (name == key or name.startswith(f"{key}_"))
    }
    body = [rule.code, rule.action, rule.version, governing]
    text = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=repr)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:_FINGERPRINT_LENGTH]
