"""The catalogue lists every place that registers a rule, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import finelake
from finelake.rules.catalogue import PLACES, all_rules

SOURCE = Path(finelake.__file__).parent


def test_every_module_that_registers_a_rule_is_listed() -> None:
    found = {
        "finelake." + ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        for path in SOURCE.rglob("*.py")
        if re.search(r"^\s*[\w\[\]]*.*\bregister\($", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert found - {"finelake.rules.registry"} == set(PLACES)


def test_every_rule_has_a_meaning_that_ends_a_sentence() -> None:
    rules = all_rules()
    assert len(rules) > 30
    assert [code for code, rule in rules.items() if not rule.summary.endswith(".")] == []
