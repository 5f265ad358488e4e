"""The page of a report: every section, every number, nothing that data could smuggle in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finelake.report.document import Fall, Mix, Waterfall, to_json
from finelake.report.render import render
from finelake.report.write import write_report
from support.page_rules import Page, read_page
from support.report_values import whole_report

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)></td></table></style>]]>--> {{ 7*7 }} $x$"
ABSENT: dict[str, Any] = {"written": None, "system_prompts": None, "audit": None, "contamination": None}
SECTIONS = (
    "overview",
    "flow",
    "rules",
    "length",
    "windows",
    "mix",
    "topics",
    "duplicates",
    "privacy",
    "splits",
    "cost",
)


@pytest.fixture(scope="module")
def page() -> Page:
    return read_page(render(whole_report()))


def test_the_page_keeps_the_rules_of_pages(page: Page) -> None:
    assert page.broken == []


def test_every_section_is_there_and_in_the_list_of_sections(page: Page) -> None:
    for section in (*SECTIONS, "cost", "manifest"):
        assert section in page.ids
        assert f"#{section}" in page.targets


def test_sections_without_data_are_left_out() -> None:
    page = read_page(render(replace(whole_report(), windows=None, topics=None, duplicates=None, privacy=(), **ABSENT)))
    assert page.broken == []
    assert not {"windows", "topics"} & set(page.ids)
    assert "Near duplicates were not searched for" in page.text
    assert "checks of the splits" not in page.text
    assert "None of the kinds that the configuration looks for was found." in page.text


@pytest.mark.parametrize(
    "shown",
    [
        "1,000 came in and 800 are in kept conversations",
        "\u2212150",
        "80.0\u202f%",
        "3 conversations have more than 65,536 tokens: 300,000 tokens and 500 replies",
        "keep_last 120,000 180,000 190 310",
        "40 other values",
        "find, by their true similarity. At the threshold it is 100.0\u202f%",
        "1 of them was so large (1,200 rows)",
        "email redact 12 7",
        "Merged conversations reason conversations share duplicate_ exact 5",
        "63,000",
        "0.13\u202fUSD",
        "no earlier than 2027-04-14",
        "train.jsonl 70",
        "of the trained tokens are human 50.0\u202f% 5,100 of 10,200",
        "2 different system prompts; 5 examples have none.",
        "All 2 checks of the splits passed",
        "users in two splits 0 0 passed",
        "prompt overlap with tables 3 any told",
        "word prompt 3 7 41",
    ],
)
def test_numbers_are_shown(page: Page, shown: str) -> None:
    assert shown in page.text


def test_a_column_without_any_value_is_said_in_a_sentence() -> None:
    report = whole_report()
    unknown = replace(report.mixes[0].shares[1], examples=85)
    page = read_page(render(replace(report, mixes=(Mix(column="language", values=0, shares=(unknown,), others=None),))))
    assert "Of no example the language is known." in page.text


def test_a_failed_check_is_said_first() -> None:
    report = whole_report()
    assert report.audit is not None
    failed = (replace(report.audit[0], found=2, passed=False), report.audit[1])
    page = read_page(render(replace(report, audit=failed, contamination=())))
    assert "1 of 2 checks failed" in page.text
    assert "users in two splits 2 0 failed" in page.text
    assert "No training conversation shares a run of words" in page.text


def test_data_stays_text() -> None:
    page = read_page(render(whole_report(HOSTILE)))
    assert page.broken == []
    assert "script" not in page.names
    assert page.text.count("<script>alert(1)</script>") >= 15
    assert "49" not in page.text.split("{{ 7*7 }}")[0].rpartition("<script>")[2]


def test_the_page_is_made_from_the_document_alone_and_always_the_same() -> None:
    assert render(whole_report()) == render(whole_report())


def test_many_reasons_are_drawn_together_and_listed_each() -> None:
    falls = tuple(Fall(reason=f"reason_{n}", effect="quarantine", count=n) for n in range(1, 31))
    rows = Waterfall(unit="raw rows", start=1000, falls=falls, end=1000 - sum(range(1, 31)))
    html = render(replace(whole_report(), rows=rows))
    assert "23 other reasons" in html
    text = read_page(html).text
    assert all(f"reason_ {n} " in text for n in range(1, 31))


def test_both_files_are_written(tmp_path: Path) -> None:
    files = write_report(whole_report(), tmp_path / "out")
    assert files.json.read_text(encoding="utf-8") == to_json(whole_report())
    assert files.page.read_text(encoding="utf-8") == render(whole_report())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "report.json"]
