"""What an evaluation measures and asks, settled and checked before anything is paid."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession

from finelake.config.evaluation import Evaluation
from finelake.config.settings import Settings
from finelake.errors import ConfigError, InputError
from finelake.evaluation.guards import REFUSAL
from finelake.evaluation.item import TEST, Item
from finelake.evaluation.judge import PREFERENCE
from finelake.evaluation.metrics.metric import Metric
from finelake.evaluation.metrics.registry import find, metrics_of
from finelake.evaluation.overlap import find_overlap
from finelake.evaluation.prompts import read_items
from finelake.evaluation.results import InTraining
from finelake.evaluation.suites import read_suite, training_system_prompt
from finelake.tables.names import TableRef

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """The items to ask, without those that are in the training file where these are left out."""

    items: Sequence[Item]
    in_training: Sequence[InTraining]


def declared_metrics(evaluation: Evaluation) -> dict[str, Metric]:
    """Give every metric that the settings allow, the judge's preference among them where there is a judge.

    Raises ConfigError when one cannot be loaded, or the gate, a guard or a suite names one that is not there.
    """
    metrics = metrics_of(evaluation.metrics)
    if evaluation.judge is not None:
        metrics[PREFERENCE.name] = PREFERENCE
    gate = find(metrics, evaluation.gate.metric, key="evaluation.gate.metric")
    if gate.better != "higher":
        raise ConfigError(f"evaluation.gate.metric is {gate.name}, of which more is not better. Name another metric.")
    if gate is PREFERENCE and TEST not in (evaluation.judge.suites if evaluation.judge else ()):
        raise ConfigError("evaluation.gate.metric is judge_preference, but judge.suites lacks test. Add it there.")
    for name in evaluation.gate.guards:
        find(metrics, name, key="evaluation.gate.guards")
    for suite in evaluation.suites:
        for name in (*suite.metrics, *((REFUSAL,) if suite.kind == "refusals" else ())):
            find(metrics, name, key=f"evaluation.suites: {suite.name}")
    return metrics


def plan_items(
    spark: SparkSession, settings: Settings, examples: TableRef, *, version: int, train_files: Sequence[Path]
) -> Plan:
    """Read the test split and the suites, and compare them with the training files.

    Raises InputError when one of them has no items, or none is left.
    """
    evaluation = settings.evaluation
    items = read_items(spark, examples, limit=evaluation.max_examples, version=version)
    if evaluation.suites:
        prompt = training_system_prompt(settings.examples.system_prompt, train_files)
        for suite in evaluation.suites:
            items += read_suite(spark, suite, system_prompt=prompt)
    return _without_trained(items, train_files, evaluation)


def _without_trained(items: Sequence[Item], train_files: Sequence[Path], evaluation: Evaluation) -> Plan:
    config = evaluation.overlap
    checked = config.policy != "ignore" and bool(train_files)
    found = find_overlap(items, train_files, config=config) if checked else []
    kinds = {entry.item: entry.kind for entry in found}
    left_out = checked and config.policy == "leave_out"
    suites: Mapping[str, list[int]] = {}
    suites = {suite: [at for at, item in enumerate(items) if item.suite == suite] for suite in _suites(items)}
    in_training = [
        InTraining(
            suite=suite,
            checked=checked,
            items=len(places),
            same_messages=tuple(_name(items[at]) for at in places if kinds.get(at) == "same_messages"),
            ngrams=tuple(_name(items[at]) for at in places if kinds.get(at) == "ngrams"),
            left_out=left_out,
        )
        for suite, places in suites.items()
    ]
    kept = [item for at, item in enumerate(items) if not (left_out and at in kinds)]
    if not any(item.suite == TEST for item in kept):
        raise InputError(
            f"All {len(suites[TEST])} items of the test split are in the training file, so nothing is left to compare "
            f"on. Curate again with duplicates removed, or set evaluation.overlap.policy to report."
        )
    return Plan(items=kept, in_training=in_training)


def _suites(items: Sequence[Item]) -> list[str]:
    return list(dict.fromkeys(item.suite for item in items))


def _name(item: Item) -> str:
    return f"{item.conversation_id}/{item.window}/{item.message}"
