"""The page kit: what it escapes, that it loads nothing, plots that follow the page, readable colours, formats."""

from __future__ import annotations

import re
import sys
from importlib.resources import files
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from finelake.errors import EnvironmentProblem, OutputError
from finelake.files import write_whole
from finelake.report.page import formats, plots, rendering
from finelake.report.page.charts import Change, Curve, Mark, Step, curves, histogram, intervals, waterfall
from support.page_rules import read_page

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> $x^2$ & {{ 7*7 }} \u2028 日本"
PAGE = """
{% extends "report/page/layout.html" %}
{% import "report/page/parts.html" as parts %}
{% block title %}{{ word }}{% endblock %}
{% block masthead %}<h1>{{ word }}</h1>{% endblock %}
{% block contents %}{{ parts.link("one", word) }}{% endblock %}
{% block content %}
{% call parts.section("one", word, word) %}
{{ parts.banner("bad", word, [word]) }}{{ parts.figures([(word, word, word), (word, 1 | number, none)]) }}
{% call parts.table(word, [(word, "text"), (word, "number")]) %}
<tr><th scope="row">{{ word }}</th><td class="n">{{ parts.bar(1, 3) }}</td></tr>
{% endcall %}
<div class="plots">{% for svg in plots %}{{ parts.plot(svg, word) }}{% endfor %}</div>
{{ parts.side_by_side([(word, word)]) }}
{% call parts.more(word) %}<pre>{{ word }}</pre>{% endcall %}
{% endcall %}
{% endblock %}
"""


def drawn() -> list[Markup]:
    return [
        histogram("a", [(1.0, 2.0, 3), (2.0, 4.0, 9)], description=HOSTILE, axis=HOSTILE, log=True),
        histogram("b", [(0.5, 1.5, 1)], description="d", axis="x", mark=Mark(1.2, HOSTILE)),
        curves(
            "c",
            [Curve(HOSTILE, [0, 1], [0, 1]), Curve("q", [0, 1], [1, 0])],
            description="d",
            axis="x",
            vertical_axis="y",
        ),
        waterfall(
            "d",
            [Step(HOSTILE, 10, total=True), Step("less", -3), Step("left", 7, total=True)],
            description="d",
            axis="x",
        ),
        intervals("e", [Change(HOSTILE, 1.0, 0.5, 2.0), Change("none", 0.0)], description="d", axis="x"),
    ]


def kit_page() -> str:
    return rendering.environment().from_string(PAGE).render(word=HOSTILE, plots=drawn())


def test_data_is_shown_as_text_wherever_it_stands() -> None:
    page = read_page(kit_page())
    assert page.broken == []
    assert page.text.count("<script>alert(1)</script>") >= 15
    assert "{{ 7*7 }}" in page.text
    assert "$x^2$" in page.text


@pytest.mark.parametrize(
    "bad",
    [
        '<img src="x.png">',
        '<p style="background:url(https://a.example)">',
        "<script>1</script>",
        '<a href="https://a.example">a</a>',
        '<p onclick="x">',
        "<style>@import 'x'</style>",
        "<div>",
    ],
)
def test_the_rules_find_what_a_page_may_not_have(bad: str) -> None:
    assert read_page(kit_page().replace("<main", f"{bad}<main")).broken


def test_a_plot_has_no_colour_font_or_address_of_its_own() -> None:
    for svg in drawn():
        assert not re.search(r"#[0-9a-f]{6}\b|https?:|font-family|<style|<metadata", svg.replace(HOSTILE, "")), svg
        assert "var(--quiet)" in svg
        assert ElementTree.fromstring(svg).get("role") == "img"


def test_the_same_plot_is_the_same_text() -> None:
    assert drawn() == drawn()


def test_a_waterfall_writes_every_value() -> None:
    texts = ["".join(node.itertext()) for node in ElementTree.fromstring(drawn()[3]).iter("text")]
    assert {"10", "\u22123", "7", "less", "left"} <= set(texts)


def test_plots_need_a_package_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(EnvironmentProblem, match=r"pip install 'finelake\[report\]'"):
        drawn()


def test_a_value_that_is_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        rendering.environment().from_string(PAGE).render(plots=[])


def schemes() -> list[dict[str, str]]:
    css = (files("finelake") / "report" / "page" / "style.css").read_text(encoding="utf-8")
    light, dark, printed = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part)) for part in css.split(":root {")[1:])
    return [light, light | dark, light | printed]


def luminance(colour: str) -> float:
    parts = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark", "print"])
def test_every_colour_of_text_can_be_read_on_every_ground(scheme: dict[str, str]) -> None:
    texts = ("ink", "quiet", "water", "good", "wait", "bad", "calm")
    pairs = [*product(texts, ("ground", "sheet")), *((tone, f"{tone}-wash") for tone in ("good", "wait", "bad"))]
    pairs += [("ink", f"{tone}-wash") for tone in ("good", "wait", "bad")]
    for text, ground in pairs:
        low, high = sorted((luminance(scheme[text]), luminance(scheme[ground])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (formats.number(12345.6), "12,346"),
        (formats.number(None), "\u2013"),
        (formats.signed(-0.25, 2), "\u22120.25"),
        (formats.share(1, 3), "33.3\u202f%"),
        (formats.share(1, 100_000), "<0.1\u202f%"),
        (formats.share(0, 5), "0.0\u202f%"),
        (formats.share(1, 0), "\u2013"),
        (formats.size(999), "999\u202fB"),
        (formats.size(1_234_567), "1.2\u202fMB"),
        (formats.money(0.001), "<0.01\u202fUSD"),
        (formats.money(1234.5, "EUR"), "1,234.50\u202fEUR"),
        (formats.interval(-0.1, 0.2, 1), "\u22120.1 to +0.2"),
        (formats.interval(None, 0.2), "\u2013"),
        (formats.percent_width(3, 2), "100.00%"),
        (formats.percent_width(1, 0), "0%"),
    ],
)
def test_numbers_are_written_for_people(written: str, expected: str) -> None:
    assert written == expected


def test_every_placeholder_is_a_variable_of_the_style() -> None:
    assert {value.removeprefix("var(--").removesuffix(")") for value in plots.COLOURS.values()} <= set(schemes()[0])


def test_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / "page.html", "text\n")
    assert (tmp_path / "new" / "page.html").read_bytes() == b"text\n"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["page.html"]
    with pytest.raises(OutputError, match="cannot be written"):
        write_whole(tmp_path / "new" / "page.html" / "below", "text")
