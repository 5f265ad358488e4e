"""The report's document: its JSON, its pinned schema, and sums that must hold."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finelake.errors import BalanceError, InputError
from finelake.report.document import SCHEMA, Bin, Fall, from_json, json_schema, to_json
from finelake.report.facts import duplicates_of, topics_of, windows_of
from support.report_values import whole_report

SCHEMA_FILE = Path(__file__).resolve().parents[3] / "docs" / "report.schema.json"


def test_the_schema_of_the_json_is_the_documented_one() -> None:
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8")) == json_schema(), (
        "The JSON has changed. New keys: write the file anew. Other meaning or fewer keys: raise SCHEMA as well."
    )
    assert SCHEMA == 1


def test_what_is_written_reads_back_equal() -> None:
    report = whole_report("<b>&\u2028日本")
    assert from_json(to_json(report)) == report
    assert to_json(report) == to_json(whole_report("<b>&\u2028日本"))


@pytest.mark.parametrize(
    ("change", "place"),
    [({"schema": 2}, "schema"), ({"rules": [{"reason": 1}]}, "rules"), ({"splits": None}, "splits")],
)
def test_another_schema_is_refused_with_the_place(change: dict[str, Any], place: str) -> None:
    text = json.dumps(json.loads(to_json(whole_report())) | change)
    with pytest.raises(InputError, match=rf"not a report of schema 1: {place}"):
        from_json(text)


def test_a_waterfall_that_does_not_add_up_is_an_error() -> None:
    rows = whole_report().rows
    with pytest.raises(BalanceError, match="raw rows does not add up: 1000 less its steps is 799, the tables hold 800"):
        replace(rows, falls=(*rows.falls, Fall(reason="one_more", effect="trim", count=1)))


def test_a_histogram_must_hold_every_example() -> None:
    report = whole_report()
    tokens = replace(report.tokens, bins=(*report.tokens.bins, Bin(256, 511, 1)))
    with pytest.raises(BalanceError, match=r"85 examples are published, .* by tokens \(86\)"):
        replace(report, tokens=tokens)


def test_a_mix_must_hold_every_example() -> None:
    report = whole_report()
    language = replace(report.mixes[0], others=None)
    with pytest.raises(BalanceError, match=r"by language \(75\)"):
        replace(report, mixes=(language,))


def test_sections_that_the_manifest_lacks_are_null() -> None:
    assert (windows_of({}), duplicates_of({}, verified=0), topics_of({})) == (None, None, None)


def test_topics_beyond_the_listed_ones_are_counted() -> None:
    topics = [
        {"topic": n, "label": f"t{n}", "conversations": n, "trained_tokens": n, "inside": n, "share": 0.0}
        | {"coverage": 1.0, "splits": {}}
        for n in range(30)
    ]
    totals = {"topics_fitted": 30, "topics_present": 29, "conversations": 435, "without_topic": 0, "entropy": 0.9}
    totals |= {"entropy_tokens": 0.9, "effective_topics": 20.0, "coverage": 1.0}
    found = topics_of({"topics": totals | {"topics": topics, "model": "m"}})
    assert found is not None
    assert [each.topic for each in found.topics] == list(range(29, 9, -1))
    assert sum(each.conversations for each in found.topics) + found.not_listed == 435
