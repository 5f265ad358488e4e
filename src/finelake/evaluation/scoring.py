"""From answers to scores, and from scores to differences between the two models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from finelake.config.evaluation import Evaluation, Suite
from finelake.evaluation.asking import Answer, Question, Role
from finelake.evaluation.item import Item
from finelake.evaluation.metrics.case import Case
from finelake.evaluation.metrics.metric import Metric
from finelake.evaluation.prompts import payload, payload_key
from finelake.evaluation.score_table import Score
from finelake.evaluation.significance import holm
from finelake.evaluation.statistics import PairedDifference, Resampling, paired_difference

ROLES: tuple[Role, Role] = ("base", "tuned")


@dataclass(frozen=True, slots=True)
class Asked:
    """An item with the questions that both models get about it."""

    item: Item
    questions: Mapping[Role, Question]

    def is_answered(self, answers: Mapping[str, Answer]) -> bool:
        """Whether both models' answers are there."""
        return all(question.key in answers for question in self.questions.values())


def ask_models(item: Item, *, models: Mapping[Role, str], evaluation: Evaluation) -> Asked:
    """Turn an item into one question a model; `models` gives each role its deployment or model name."""
    questions: dict[Role, Question] = {}
    for role, model in models.items():
        request = payload(item, model=model, evaluation=evaluation)
        questions[role] = Question(payload_key(request), role, request, may_be_filtered=item.expects_refusal)
    return Asked(item=item, questions=questions)


def metrics_by_suite(suites: Sequence[Suite], metrics: Mapping[str, Metric]) -> dict[str, Mapping[str, Metric]]:
    """Give the metrics that each suite wants measured; a suite that names none wants all."""
    return {suite.name: {name: metrics[name] for name in suite.metrics} or metrics for suite in suites}


def score_items(
    asked: Sequence[Asked],
    answers: Mapping[str, Answer],
    *,
    metrics: Mapping[str, Metric],
    by_suite: Mapping[str, Mapping[str, Metric]],
) -> list[Score]:
    """Measure every metric that applies, on both models' answers to each item that has both.

    `by_suite` gives other metrics for the suites it names.
    """
    answered = (entry for entry in asked if entry.is_answered(answers))
    return [score for entry in answered for score in _scores(entry, answers, by_suite.get(entry.item.suite, metrics))]


def compare_scores(
    scores: Sequence[Score],
    *,
    resampling: Resampling,
    metrics: Mapping[str, Metric],
    thresholds: Mapping[str, float] | None = None,
) -> dict[str, PairedDifference]:
    """Give the difference of each metric that has scores, in the order of `metrics`.

    p-values are corrected (Holm) over the metrics for which higher or lower is better. `thresholds` gives the gain
    that a metric is tested against besides 0.
    """
    differences = {}
    for name, metric in metrics.items():
        rows = [score for score in scores if score.metric == name]
        if rows:
            differences[name] = paired_difference(
                [row.base for row in rows],
                [row.tuned for row in rows],
                [row.group_key for row in rows],
                resampling=resampling,
                pass_fail=metric.pass_fail,
                threshold=(thresholds or {}).get(name),
            )
    p_values = {
        name: found.p_value
        for name, found in differences.items()
        if found.p_value is not None and metrics[name].better != "neither"
    }
    adjusted = holm(p_values)
    return {name: replace(found, p_adjusted=adjusted.get(name)) for name, found in differences.items()}


def _scores(entry: Asked, answers: Mapping[str, Answer], metrics: Mapping[str, Metric]) -> Iterable[Score]:
    base, tuned = (answers[entry.questions[role].key] for role in ROLES)
    before_case, after_case = _case(entry.item, base), _case(entry.item, tuned)
    for name, metric in metrics.items():
        before, after = metric.measure(before_case), metric.measure(after_case)
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
                suite=entry.item.suite,
            )


def _case(item: Item, answer: Answer) -> Case:
    return Case(
        answer=answer.reply,
        reference=item.reference,
        request=item.request,
        schema=item.schema,
        expects_refusal=item.expects_refusal,
        finish_reason=answer.finish_reason,
        failure=answer.error,
        seconds=answer.seconds,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
    )
