"""The page of all rules, docs/rules.md, made of the registry: `python -m finelake.rules.page` writes it to stdout."""

from __future__ import annotations

import sys
from itertools import groupby

from finelake.config.replies import Replies
from finelake.replies.catalogue import REPLY_RULES
from finelake.rules.catalogue import all_rules
from finelake.rules.registry import Rule

_HEAD = """# Rules

Every decision about a row, a turn or a conversation has a reason code, and every code is on this page. The page is
made of the registry (`python -m finelake.rules.page > docs/rules.md`); a test holds both equal.

What a rule does by default: **quarantine** sets the conversation or row aside, **merge** joins or drops a copy,
**trim** cuts off, **untrain** keeps a reply as context that is not trained on (`weight: 0`), **keep** and **note**
only say so. Where a setting governs a rule, its decisions carry the action that the setting asks for.
"""
_REPLIES = """## Settings of the rules about replies

Each rule is a section of `replies` in the configuration, with an `action`: `reject`, `weight_0`, `warn` or `off`.
How they were measured is in [replies.md](replies.md).

| setting | default |
|---|---|"""


def rules_page() -> str:
    """Render the page, in Markdown."""
    rules = sorted(all_rules().values(), key=lambda rule: (rule.step, rule.code))
    parts = [_HEAD]
    for step, group in groupby(rules, key=lambda rule: rule.step):
        parts.append(f"## Step `{step}`\n\n" + "\n".join(_entry(rule) for rule in group) + "\n")
    parts.append("\n".join([_REPLIES, *_settings()]) + "\n")
    return "\n".join(parts)


def _entry(rule: Rule) -> str:
    lines = [f"- `{rule.code}` ({rule.action}): {rule.summary}"]
    if rule.nulls:
        lines.append(f"  Missing values: {rule.nulls}")
    if rule.source:
        lines.append(f"  Default: {rule.source}")
    return "\n".join(lines)


def _settings() -> list[str]:
    defaults = Replies()
    return [
        f"| `{key}.{name}` | `{value!r}` |"
        for key in REPLY_RULES
        for name, value in defaults.rule(key).model_dump().items()
    ]


if __name__ == "__main__":
    sys.stdout.write(rules_page())
