"""docs/rules.md is what the registry says."""

from __future__ import annotations

from pathlib import Path

from finelake.rules.catalogue import all_rules
from finelake.rules.page import rules_page

PAGE = Path(__file__).resolve().parents[3] / "docs" / "rules.md"


def test_the_page_of_the_rules_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == rules_page(), "run: python -m finelake.rules.page > docs/rules.md"


def test_every_rule_is_on_the_page() -> None:
    page = rules_page()
    assert [code for code in all_rules() if f"`{code}`" not in page] == []
