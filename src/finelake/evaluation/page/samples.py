"""Which answers are shown side by side: the worst and the best changes of each part, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from finelake.evaluation.asking import Answer
from finelake.evaluation.comparison import Gathered
from finelake.evaluation.item import TEST, Item
from finelake.evaluation.metrics.case import Case
from finelake.evaluation.metrics.metric import Metric
from finelake.evaluation.replies import rendered
from finelake.evaluation.results import Evaluation
from finelake.evaluation.score_table import Score


@dataclass(frozen=True, slots=True)
class Sample:
    """Both answers to one prompt, beside its question and reference, with their scores. Texts are cut to a length."""

    name: str
    question: str
    reference: str
    base: str
    tuned: str
    base_score: str
    tuned_score: str
    change: str


@dataclass(frozen=True, slots=True)
class Part:
    """The samples of the test split or a suite by one metric: those that lost, worst first, and those that won."""

    suite: str
    metric: str
    lost: tuple[Sample, ...]
    won: tuple[Sample, ...]


def parts_to_show(
    evaluation: Evaluation, gathered: Gathered, scores: Sequence[Score], *, most: int, characters: int
) -> tuple[Part, ...]:
    """Give at most `most` samples for the test split and for each suite, half of them lost and half won."""
    if not most:
        return ()
    items = {_place(entry.item): entry.item for entry in gathered.asked}
    parts = []
    for suite, metric in _chosen(evaluation):
        rows = [score for score in scores if score.suite == suite and score.metric == metric.name]
        ordered = sorted(rows, key=lambda score: (_gain(score, metric), score.conversation_id, score.message))
        lost = [score for score in ordered if _gain(score, metric) < 0][: max(1, most // 2)]
        won = [score for score in reversed(ordered) if _gain(score, metric) > 0][: max(1, most - len(lost))]
        shown = [
            tuple(_sample(score, items[_of(score)], gathered.answers, metric, characters) for score in chosen)
            for chosen in (lost, won)
        ]
        parts.append(Part(suite, metric.title, *shown))
    return tuple(part for part in parts if part.lost or part.won)


def _chosen(evaluation: Evaluation) -> Iterator[tuple[str, Metric]]:
    """Give each part with the metric that decides on it: the gate's, or the first that the suite guards."""
    gate = evaluation.declared[evaluation.gate.metric]
    yield TEST, gate
    for found in evaluation.suites:
        names = [*found.guarded(evaluation.gate), gate.name, *found.metrics]
        name = next((name for name in names if name in found.metrics), None)
        if name is not None:
            yield found.suite.name, evaluation.declared[name]


def _sample(score: Score, item: Item, answers: Mapping[str, Answer], metric: Metric, characters: int) -> Sample:
    case = Case(answer=answers[score.base_answer].reply, request=item.request)
    return Sample(
        name=score.conversation_id if not score.window else f"{score.conversation_id}, window {score.window}",
        question=_cut(case.question, characters),
        reference="" if item.reference is None else _cut(rendered(item.reference), characters),
        base=_said(answers[score.base_answer], characters),
        tuned=_said(answers[score.tuned_answer], characters),
        base_score=f"{score.base:.{metric.digits}f}",
        tuned_score=f"{score.tuned:.{metric.digits}f}",
        change=f"{score.tuned - score.base:+.{metric.digits}f}",
    )


def _said(answer: Answer, characters: int) -> str:
    if answer.error is not None:
        return f"(no answer: {answer.error})"
    return _cut(rendered(answer.reply), characters) or "(empty)"


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[:characters]} \u2026"


def _gain(score: Score, metric: Metric) -> float:
    return (score.base - score.tuned) if metric.better == "lower" else (score.tuned - score.base)


def _place(item: Item) -> tuple[str, str, int, int]:
    return item.suite, item.conversation_id, item.window, item.message


def _of(score: Score) -> tuple[str, str, int, int]:
    return score.suite, score.conversation_id, score.window, score.message
