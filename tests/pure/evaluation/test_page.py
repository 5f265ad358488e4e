"""Tests of the evaluation's page and card: what they show, and that markup in answers stays text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from finelake.config.evaluation import Evaluation as Config
from finelake.config.evaluation import Suite
from finelake.evaluation.asking import Answer, Question
from finelake.evaluation.budget import Spent
from finelake.evaluation.comparison import Gathered, compare
from finelake.evaluation.item import Item
from finelake.evaluation.metrics.registry import BUILT_IN
from finelake.evaluation.page.card import model_card
from finelake.evaluation.page.render import html
from finelake.evaluation.page.samples import Part, parts_to_show
from finelake.evaluation.plan import Plan
from finelake.evaluation.replies import Reply
from finelake.evaluation.results import Evaluation, ExamplesRead, InTraining
from finelake.evaluation.score_table import Score
from finelake.evaluation.scoring import Asked, score_items

HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(2)> ```\n# heading\n````` [x](javascript:alert(3))"


class Elements(HTMLParser):
    """Collects the names of elements and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


def gathered() -> Gathered:
    """Forty prompts in two parts, each with a tuned answer that is better but for two; one tuned answer is hostile."""
    asked, answers = [], {}
    for at in range(40):
        suite = "test" if at < 30 else "faq"
        request = {"messages": [{"role": "user", "content": f"Question {at} {HOSTILE if at == 3 else ''}"}]}
        reference = Reply(f"The train number {at} leaves at nine from platform {at % 7}.")
        item = Item(f"c{at}<b>`", 0, 1, f"g{at % 20}", request, reference, suite)
        own = {role: Question(f"{role}{at}", role, {"model": f"{role}-model"}) for role in ("base", "tuned")}
        worse = at in (3, 5)
        said = {"base": "The train number leaves at nine." if worse else "Tell me more.", "tuned": reference.text}
        said["tuned"] = HOSTILE if worse else said["tuned"]
        for role, text in said.items():
            answers[f"{role}{at}"] = Answer(
                f"{role}{at}", role, f"{role}-model", Reply(text), "stop", None, True, 9, 3, 0.2, None
            )
        asked.append(Asked(item, own))
    return Gathered(asked=asked, answers=answers, pairs=(), spent=Spent(720, 240, 0.0012, "USD"))


@pytest.fixture(scope="module")
def shown() -> tuple[Evaluation, list[Score], tuple[Part, ...]]:
    whole = gathered()
    scores = score_items(whole.asked, whole.answers, metrics=BUILT_IN, by_suite={})
    in_training = [InTraining(suite="test", checked=True, items=30)]
    evaluation = compare(
        whole,
        scores,
        plan=Plan([entry.item for entry in whole.asked], in_training),
        metrics=BUILT_IN,
        config=Config(resamples=200, suites=(Suite(name="faq", jsonl="x", guard=True, min_examples=10),)),
        run_id="run-1",
        examples=ExamplesRead("a.b.examples", 4),
    )
    return evaluation, scores, parts_to_show(evaluation, whole, scores, most=6, characters=300)


def test_worst_come_first_and_texts_are_cut(shown: tuple[Evaluation, list[Score], tuple[Part, ...]]) -> None:
    evaluation, _, parts = shown
    assert evaluation.verdict.decision == "promote"
    test, faq = parts
    assert {sample.name for sample in test.lost} == {"c3<b>`", "c5<b>`"}
    assert [len(part.won) for part in parts] == [4, 6]
    assert float(test.lost[0].change) <= float(test.lost[1].change) < 0 < float(test.won[0].change)
    assert (test.suite, faq.suite, faq.lost) == ("test", "faq", ())
    assert all(len(sample.tuned) <= 302 for sample in test.won)


def test_markup_in_answers_stays_text(shown: tuple[Evaluation, list[Score], tuple[Part, ...]]) -> None:
    page = html(*shown)
    elements = Elements()
    elements.feed(page)
    assert "script" not in elements.names
    assert "img" not in elements.names
    assert not {name for name in elements.attributes if name.startswith("on")}
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not re.search(r"(?:src|href)=\"(?!#)", page)
    assert page.count("<svg") == 3


def test_no_text_in_the_card_ends_its_fence(shown: tuple[Evaluation, list[Score], tuple[Part, ...]]) -> None:
    evaluation, _, parts = shown
    fence, outside = None, []
    for line in model_card(evaluation, parts).splitlines():
        opened = re.fullmatch(r"(`{3,})text", line)
        if fence is None and opened:
            fence = opened[1]
        elif fence is not None and set(line) == {"`"} and len(line) >= len(fence):
            fence = None
        elif fence is None:
            outside.append(line)
    assert fence is None
    told = "\n".join(outside)
    assert "# heading" not in told
    assert "<script>" not in told
    assert "## Answers of test: worst changes by chrF (0-100)" in told
    assert "chrF (0-100)" in model_card(evaluation, parts)


def test_no_answers_are_shown_where_none_are_asked_for(
    shown: tuple[Evaluation, list[Score], tuple[Part, ...]],
) -> None:
    evaluation, scores, _ = shown
    assert parts_to_show(evaluation, gathered(), scores, most=0, characters=300) == ()
    page = html(evaluation, scores, ())
    assert "Question 7" not in page
    assert "platform" not in page
    assert "platform" not in model_card(evaluation, ())
