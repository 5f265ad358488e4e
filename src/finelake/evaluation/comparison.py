"""Putting answers and scores together into the evaluation and its verdict."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from finelake.config import evaluation as config_of
from finelake.evaluation.asking import Answer, Role
from finelake.evaluation.budget import Spent
from finelake.evaluation.guards import SuiteFound
from finelake.evaluation.item import TEST
from finelake.evaluation.judge import Pair
from finelake.evaluation.judgement import Judgement, judgements
from finelake.evaluation.metrics.metric import Metric
from finelake.evaluation.plan import Plan
from finelake.evaluation.results import Evaluation, ExamplesRead, InTraining, ModelAnswers, Tokens
from finelake.evaluation.score_table import Score
from finelake.evaluation.scoring import ROLES, Asked, compare_scores
from finelake.evaluation.statistics import Resampling
from finelake.evaluation.verdict import Circumstances, decide


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """What was asked, what was answered (fewer where the budget ended), the judged pairs, and what it cost."""

    asked: Sequence[Asked]
    answers: Mapping[str, Answer]
    pairs: Sequence[Pair]
    spent: Spent


def compare(
    gathered: Gathered,
    scores: Sequence[Score],
    *,
    plan: Plan,
    metrics: Mapping[str, Metric],
    config: config_of.Evaluation,
    run_id: str,
    examples: ExamplesRead,
) -> Evaluation:
    """Compare the scores suite by suite and decide."""
    gate, answers = config.gate, gathered.answers
    resampling = Resampling(confidence=gate.confidence, resamples=config.resamples, seed=config.seed)
    asked = [entry for entry in gathered.asked if entry.is_answered(answers)]
    tested = [entry for entry in asked if entry.item.suite == TEST]
    own = [score for score in scores if score.suite == TEST]
    differences = compare_scores(own, resampling=resampling, metrics=metrics, thresholds={gate.metric: gate.min_gain})
    suites = _suites(asked, scores, config=config, resampling=resampling, metrics=metrics)
    judged = _judged(gathered, config)
    circumstances = Circumstances(
        suites=suites,
        unasked=gathered.spent.unasked,
        unreliable_judge=_unreliable(judged, config),
        notes=_notes(plan.in_training, judged),
    )
    return Evaluation(
        run_id=run_id,
        evaluation_id=_evaluation_id(gathered, metrics),
        verdict=decide(differences, gate=gate, metrics=metrics, circumstances=circumstances),
        metrics=differences,
        items=len(tested),
        conversations=len({entry.item.conversation_id for entry in tested}),
        groups=len({entry.item.group_key for entry in tested}),
        examples=examples,
        answers={role: _model_answers(role, gathered) for role in (*ROLES, *(("judge",) if gathered.pairs else ()))},
        gate=gate,
        resampling=resampling,
        suites=suites,
        judgements=judged,
        in_training=plan.in_training,
        spent=gathered.spent,
        declared=metrics,
    )


def _suites(
    asked: Sequence[Asked],
    scores: Sequence[Score],
    *,
    config: config_of.Evaluation,
    resampling: Resampling,
    metrics: Mapping[str, Metric],
) -> list[SuiteFound]:
    found = []
    for suite in config.suites:
        items = [entry.item for entry in asked if entry.item.suite == suite.name]
        rows = [score for score in scores if score.suite == suite.name]
        differences = compare_scores(rows, resampling=resampling, metrics=metrics)
        found.append(SuiteFound(suite, len(items), len({item.group_key for item in items}), differences))
    return found


def _judged(gathered: Gathered, config: config_of.Evaluation) -> tuple[Judgement, ...]:
    if config.judge is None:
        return ()
    return judgements(
        gathered.pairs, gathered.answers, model=config.judge.deployment, confidence=config.gate.confidence
    )


def _unreliable(judged: Sequence[Judgement], config: config_of.Evaluation) -> str | None:
    """Say that the judge of the test split cannot be relied on, where that is so."""
    if config.judge is None:
        return None
    for found in judged:
        if found.suite == TEST and found.inconsistent_share > config.judge.max_inconsistent:
            return (
                f"The judge's verdict turned with the order of the answers in {found.inconsistent_share:.0%} of the "
                f"pairs, more than judge.max_inconsistent ({config.judge.max_inconsistent:.0%}): it is worth nothing."
            )
    return None


def _notes(in_training: Sequence[InTraining], judged: Sequence[Judgement]) -> tuple[str, ...]:
    notes = [_overlap_note(entry) for entry in in_training if not entry.checked or entry.found]
    if in_training and all(entry.checked and not entry.found for entry in in_training):
        notes.append("Overlap: 0 items are in the training file.")
    for found in judged:
        if found.is_biased and found.first_share is not None:
            notes.append(
                f"Judge: the answer that stood first won {found.first_share:.0%} of the decided verdicts on "
                f"{found.suite}; both orders were asked and verdicts that turned count as ties."
            )
    return tuple(notes)


def _overlap_note(entry: InTraining) -> str:
    if not entry.checked:
        return f"Overlap: the items of {entry.suite} were not compared with the training file."
    what = "were left out" if entry.left_out else "count all the same"
    return (
        f"Overlap: {entry.found} of {entry.items} items of {entry.suite} are in the training file "
        f"({len(entry.same_messages)} whole, {len(entry.ngrams)} by n-grams) and {what}."
    )


def _model_answers(role: Role, gathered: Gathered) -> ModelAnswers:
    if role == "judge":
        questions = [question for pair in gathered.pairs for question in pair.questions]
    else:
        questions = [entry.questions[role] for entry in gathered.asked]
    keys = {question.key for question in questions if question.key in gathered.answers}
    own = [gathered.answers[key] for key in sorted(keys)]
    return ModelAnswers(
        model=questions[0].model if questions else "",
        asked=len(own),
        failures=dict(sorted(Counter(answer.error for answer in own if answer.error is not None).items())),
        cut=sum(answer.finish_reason == "length" for answer in own),
        tokens=Tokens(
            prompt=sum(answer.prompt_tokens for answer in own),
            completion=sum(answer.completion_tokens for answer in own),
        ),
    )


def _evaluation_id(gathered: Gathered, metrics: Mapping[str, Metric]) -> str:
    """Give a digest of what was answered and how it was measured; a partial evaluation is another than the whole."""
    keys = [key for entry in gathered.asked for q in entry.questions.values() if (key := q.key) in gathered.answers]
    keys += [question.key for pair in gathered.pairs for question in pair.questions if question.key in gathered.answers]
    return _digest([*keys, *metrics])


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
