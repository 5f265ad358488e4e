"""Answer the test split and the suites with the base and the tuned model, compare, and give a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import SparkSession

from finelake.config.catalogue import catalogue_of
from finelake.config.settings import Settings
from finelake.errors import ConfigError
from finelake.evaluation.answer_table import AnswerTable
from finelake.evaluation.answers import AnswerObserver, AnswerSpool, Batches, collect_answers
from finelake.evaluation.asking import ClientSource, Role
from finelake.evaluation.budget import Purse, estimator
from finelake.evaluation.comparison import Gathered, compare
from finelake.evaluation.holding import holding, record_evaluation
from finelake.evaluation.judge import pairs_to_judge
from finelake.evaluation.judgement import judge_scores
from finelake.evaluation.metrics.metric import Metric
from finelake.evaluation.page.render import write_pages
from finelake.evaluation.page.samples import parts_to_show
from finelake.evaluation.plan import Plan, declared_metrics, plan_items
from finelake.evaluation.report import write_reports
from finelake.evaluation.results import Evaluation, ExamplesRead
from finelake.evaluation.score_table import Score, record_scores
from finelake.evaluation.scoring import ROLES, Asked, ask_models, metrics_by_suite, score_items
from finelake.evaluation.spool import SpooledAnswers
from finelake.tables.names import ANSWERS, EXAMPLES, SCORES, table_ref
from finelake.tables.reading import latest_version
from finelake.training.effects.batch import QuestionBatches


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
    train_files: Sequence[Path] = (),
    take_over: bool = False,
) -> Evaluation:
    """Compare the deployments `tuned` and `base` (model names at OpenAI) on the test split and the suites.

    `client` gives the SDK's client and is called before each request.
    Reads the examples table (at `examples_version`, else the newest), the suites, and `train_files` to find items
    that were trained on; writes the tables `answers` and `scores` and the reports in the output folder. Called again
    with the same run id it asks only what has no recorded answer yet, and gives the same result.

    Raises RunBusyError when another driver evaluates the run (`take_over` takes it from one that only seems alive),
    ConfigError when both names are the same or a metric is not there, InputError when there is nothing to answer,
    ServiceError when the service refuses or too many answers fail, OutputError when tables or reports cannot be
    written.
    """
    _check_names(tuned, base)
    config = settings.evaluation
    metrics = declared_metrics(config)
    examples = table_ref(settings.tables, EXAMPLES)
    version = latest_version(spark, examples) if examples_version is None else examples_version
    plan = plan_items(spark, settings, examples, version=version, train_files=train_files)
    models: dict[Role, str] = {"base": base, "tuned": tuned}
    asked = [ask_models(item, models=models, evaluation=config) for item in plan.items]
    table = AnswerTable(spark, table_ref(settings.tables, ANSWERS), run_id=run_id)
    store = SpooledAnswers(table, settings.output.path / f".answers-{run_id}")
    with holding(spark, settings, run_id=run_id, take_over=take_over) as log:
        gathered = _gather(
            asked, client=client, store=store, batches=QuestionBatches(log), settings=settings, observer=observer
        )
        evaluation, scores = _compared(gathered, plan, metrics, settings, run_id, ExamplesRead(str(examples), version))
        scores_table = table_ref(settings.tables, SCORES)
        record_scores(spark, scores_table, scores, run_id=run_id, evaluation_id=evaluation.evaluation_id)
        record_evaluation(log, evaluation, settings)
    folder = settings.output.path
    write_reports(evaluation, folder)
    shown = config.page
    parts = parts_to_show(evaluation, gathered, scores, most=shown.answers, characters=shown.characters)
    write_pages(evaluation, scores, parts, folder)
    return evaluation


def _compared(
    gathered: Gathered,
    plan: Plan,
    metrics: dict[str, Metric],
    settings: Settings,
    run_id: str,
    examples: ExamplesRead,
) -> tuple[Evaluation, list[Score]]:
    """Score the answers and compare the scores."""
    config = settings.evaluation
    by_suite = metrics_by_suite(config.suites, metrics)
    scores = score_items(gathered.asked, gathered.answers, metrics=metrics, by_suite=by_suite)
    scores += judge_scores(gathered.pairs, gathered.answers)
    evaluation = compare(
        gathered,
        scores,
        plan=plan,
        metrics=metrics,
        config=config,
        run_id=run_id,
        examples=examples,
    )
    return evaluation, scores


def _gather(
    asked: Sequence[Asked],
    *,
    client: ClientSource,
    store: AnswerSpool,
    batches: Batches,
    settings: Settings,
    observer: AnswerObserver | None,
) -> Gathered:
    """Have both models answer, then the judge compare, out of one purse."""
    config = settings.evaluation
    purse = _purse(settings)
    answers = collect_answers(
        client,
        [entry.questions[role] for entry in asked for role in ROLES],
        store=store,
        batches=batches,
        evaluation=config,
        observer=observer,
        purse=purse,
    )
    pairs = pairs_to_judge(asked, answers, evaluation=config)
    questions = [question for pair in pairs for question in pair.questions]
    if questions:
        answers |= collect_answers(
            client, questions, store=store, batches=batches, evaluation=config, observer=observer, purse=purse
        )
    return Gathered(asked=asked, answers=answers, pairs=pairs, spent=purse.spent)


def _purse(settings: Settings) -> Purse:
    budget = settings.evaluation.budget
    if budget.max_tokens is None and budget.max_cost is None:
        return Purse(budget)
    catalogue = catalogue_of(settings)
    return Purse(budget, estimate=estimator(catalogue.find(settings.model), settings.evaluation))


def _check_names(tuned: str, base: str) -> None:
    if tuned == base:
        raise ConfigError(
            f"The tuned and the base model are both {tuned!r}. Expected two deployments: set deployment.name and "
            f"deployment.base_name to different names."
        )
