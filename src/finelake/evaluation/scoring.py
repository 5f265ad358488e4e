"""From answers to scores, and from scores to differences between the two models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from finelake.config.settings import Evaluation
from finelake.evaluation.asking import Answer, Question, Role
from finelake.evaluation.metrics import METRICS
from finelake.evaluation.prompts import Item, payload, payload_key
from finelake.evaluation.score_table import Score
from finelake.evaluation.statistics import PairedDifference, Resampling, paired_difference

ROLES: tuple[Role, Role] = ("base", "tuned")


@dataclass(frozen=True, slots=True)
class Asked:
    """An item with the questions that both models get about it."""

    item: Item
    questions: Mapping[Role, Question]


def ask_models(item: Item, *, models: Mapping[Role, str], evaluation: Evaluation) -> Asked:
    """Turn an item into one question a model; `models` gives each role its deployment or model name."""
    questions: dict[Role, Question] = {}
    for role, model in models.items():
        request = payload(item, model=model, evaluation=evaluation)
        questions[role] = Question(key=payload_key(request), role=role, payload=request)
    return Asked(item=item, questions=questions)


def score_items(asked: Sequence[Asked], answers: Mapping[str, Answer]) -> list[Score]:
    """Measure every metric that applies, on both models' answers to each item."""
    return [score for entry in asked for score in _scores(entry, answers)]


def compare_scores(scores: Sequence[Score], *, resampling: Resampling) -> dict[str, PairedDifference]:
    """Give the difference of each metric that has scores, in the order of `METRICS`."""
    differences = {}
    for name in METRICS:
        rows = [score for score in scores if score.metric == name]
        if rows:
            differences[name] = paired_difference(
                [row.base for row in rows],
                [row.tuned for row in rows],
                [row.group_key for row in rows],
                resampling=resampling,
            )
    return differences


def _scores(entry: Asked, answers: Mapping[str, Answer]) -> Iterable[Score]:
    base, tuned = (answers[entry.questions[role].key] for role in ROLES)
    reference = entry.item.reference
    for name, metric in METRICS.items():
        before, after = metric.measure(base.reply, reference), metric.measure(tuned.reply, reference)
        if before is not None and after is not None:
            yield Score(
                conversation_id=entry.item.conversation_id,
                window=entry.item.window,
                message=entry.item.message,
                group_key=entry.item.group_key,
                metric=name,
                base=before,
                tuned=after,
                base_answer=base.key,
                tuned_answer=tuned.key,
            )
