"""Answer the test split with the base and the tuned model, compare, and give a verdict."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pyspark.sql import SparkSession

from finelake.config.settings import Settings
from finelake.errors import ConfigError
from finelake.evaluation.answer_table import AnswerTable
from finelake.evaluation.answers import AnswerObserver, collect_answers
from finelake.evaluation.asking import Answer, ClientSource, Role
from finelake.evaluation.prompts import read_items
from finelake.evaluation.report import write_reports
from finelake.evaluation.results import Evaluation, ExamplesRead, ModelAnswers, Tokens
from finelake.evaluation.score_table import Score, record_scores
from finelake.evaluation.scoring import ROLES, Asked, ask_models, compare_scores, score_items
from finelake.evaluation.statistics import Resampling
from finelake.evaluation.verdict import decide
from finelake.tables.names import ANSWERS, EXAMPLES, SCORES, table_ref
from finelake.tables.reading import latest_version


def evaluate(
    spark: SparkSession,
    settings: Settings,
    *,
    client: ClientSource,
    tuned: str,
    base: str,
    run_id: str,
    observer: AnswerObserver | None = None,
    examples_version: int | None = None,
) -> Evaluation:
    """Compare the deployments `tuned` and `base` (model names at OpenAI) on the test split.

    `client` gives the SDK's client and is called before each request.
    Reads the examples table (at `examples_version`, else the newest); writes the tables `answers` and `scores`
    and `comparison.json` and `comparison.md` in the output folder. Called again with the same run id it asks only
    what has no recorded answer yet, and gives the same result.

    Raises ConfigError when both names are the same, InputError when there is nothing to answer, ServiceError when
    the service refuses or too many answers fail, OutputError when tables or reports cannot be written.
    """
    if tuned == base:
        raise ConfigError(
            f"The tuned and the base model are both {tuned!r}. Expected two deployments: set deployment.name and "
            f"deployment.base_name to different names."
        )
    examples = table_ref(settings.tables, EXAMPLES)
    version = latest_version(spark, examples) if examples_version is None else examples_version
    items = read_items(spark, examples, limit=settings.evaluation.max_examples, version=version)
    models: dict[Role, str] = {"base": base, "tuned": tuned}
    asked = [ask_models(item, models=models, evaluation=settings.evaluation) for item in items]
    answers = collect_answers(
        client,
        [entry.questions[role] for entry in asked for role in ROLES],
        store=AnswerTable(spark, table_ref(settings.tables, ANSWERS), run_id=run_id),
        evaluation=settings.evaluation,
        observer=observer,
    )
    scores = score_items(asked, answers)
    evaluation = compare(
        asked, answers, scores, settings=settings, run_id=run_id, examples=ExamplesRead(str(examples), version)
    )
    scores_table = table_ref(settings.tables, SCORES)
    record_scores(spark, scores_table, scores, run_id=run_id, evaluation_id=evaluation.evaluation_id)
    write_reports(evaluation, Path(settings.output.folder))
    return evaluation


def compare(
    asked: Sequence[Asked],
    answers: Mapping[str, Answer],
    scores: Sequence[Score],
    *,
    settings: Settings,
    run_id: str,
    examples: ExamplesRead,
) -> Evaluation:
    """Put scores and answers together into the evaluation and its verdict."""
    gate = settings.evaluation.gate
    resampling = Resampling(
        confidence=gate.confidence, resamples=settings.evaluation.resamples, seed=settings.evaluation.seed
    )
    metrics = compare_scores(scores, resampling=resampling)
    return Evaluation(
        run_id=run_id,
        evaluation_id=_digest(question.key for entry in asked for question in entry.questions.values()),
        verdict=decide(metrics, gate=gate),
        metrics=metrics,
        items=len(asked),
        conversations=len({entry.item.conversation_id for entry in asked}),
        groups=len({entry.item.group_key for entry in asked}),
        examples=examples,
        answers={role: _model_answers(role, asked, answers) for role in ROLES},
        gate=gate,
        resampling=resampling,
    )


def _model_answers(role: Role, asked: Sequence[Asked], answers: Mapping[str, Answer]) -> ModelAnswers:
    keys = {entry.questions[role].key for entry in asked}
    own = [answers[key] for key in sorted(keys)]
    return ModelAnswers(
        model=own[0].model,
        asked=len(own),
        failures=dict(sorted(Counter(answer.error for answer in own if answer.error is not None).items())),
        cut=sum(answer.finish_reason == "length" for answer in own),
        tokens=Tokens(
            prompt=sum(answer.prompt_tokens for answer in own),
            completion=sum(answer.completion_tokens for answer in own),
        ),
    )


def _digest(keys: Iterable[str]) -> str:
    return hashlib.sha256("".join(keys).encode("ascii")).hexdigest()[:16]
