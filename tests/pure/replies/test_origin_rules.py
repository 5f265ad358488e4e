"""Origin rules that look at what the source does not have are refused before any row is read."""

from __future__ import annotations

from typing import Any

import pytest

from finelake.config.replies import Origins
from finelake.config.settings import Source
from finelake.errors import ConfigError
from finelake.replies.origin_rules import check_origin_rules

TURNS = {"table": "t", "columns": {"turn_index": "n", "agent_id": "agent", "metadata": ["queue"]}}
STORED = {"table": "t", "layout": "conversations", "columns": {"agent_id": "agent", "metadata": ["queue"]}}


def check(source: dict[str, Any], **conditions: Any) -> None:
    check_origin_rules(
        Source.model_validate(source), Origins.model_validate({"rules": [{"origin": "bot", **conditions}]})
    )


@pytest.mark.parametrize(
    ("source", "conditions"),
    [
        (TURNS, {"author": "bot", "text": "^Beep", "agent_id": "^b", "metadata": {"queue": "night"}}),
        (STORED, {"text": "^Beep"}),
        (STORED, {"agent_id": "^b", "metadata": {"queue": "night"}}),
    ],
)
def test_rules_that_can_be_tested_pass(source: dict[str, Any], conditions: dict[str, Any]) -> None:
    check(source, **conditions)


@pytest.mark.parametrize(
    ("source", "conditions", "named"),
    [
        (TURNS, {"metadata": {"channel": "phone"}}, "channel"),
        ({"table": "t", "columns": {"turn_index": "n"}}, {"agent_id": "^b"}, "agent_id"),
        (STORED, {"author": "bot"}, "author"),
        (STORED, {"text": "^Beep", "agent_id": "^b"}, "text"),
    ],
)
def test_rules_about_what_no_row_has_are_errors(source: dict[str, Any], conditions: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=rf"origins\.rules\[0\].*{named}"):
        check(source, **conditions)
