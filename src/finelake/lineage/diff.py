"""What changed from one run to another: data, configuration, code and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pyspark.sql import SparkSession

from finelake.config.settings import Settings
from finelake.errors import InputError
from finelake.lineage.configuration import Change, changes
from finelake.lineage.examples import ExamplesChanged, compare_examples
from finelake.lineage.thread import Thread, find_thread


@dataclass(frozen=True, kw_only=True, slots=True)
class RunDiff:
    """The differences, each list empty where there is none, None where a run has no such part.

    examples: counts by kind and split, or why they cannot be counted · scores: metric: each run's own difference
    between tuned and base model with its interval, whether it changed or not.
    """

    before: str
    after: str
    data: Sequence[Change] | None
    examples: Sequence[ExamplesChanged] | str | None
    configuration: Sequence[Change]
    code: Sequence[Change]
    training: Sequence[Change] | None
    verdict: Sequence[Change] | None
    scores: Mapping[str, Sequence[Mapping[str, Any] | None]] | None

    def as_dict(self) -> dict[str, Any]:
        """Give all of it as plain JSON values."""
        return asdict(self)


def diff(spark: SparkSession, settings: Settings, before: str, after: str) -> RunDiff:
    """Compare two runs of any kind with all that they hang on. Raises InputError when one of them is not recorded."""
    old, new = find_thread(spark, settings, before), find_thread(spark, settings, after)
    curations = (old.curation, new.curation)
    if curations[0] is None and old.latest.get("config") is None:
        raise InputError(f"Run {before} was begun before origins were recorded, so nothing can be said of it.")
    return RunDiff(
        before=before,
        after=after,
        data=_between(old.curation, new.curation, _data),
        examples=compare_examples(spark, *_both(old, new)) if old.curation and new.curation else None,
        configuration=changes(old.latest.get("config") or {}, new.latest.get("config") or {}),
        code=changes(old.latest.get("code") or {}, new.latest.get("code") or {}),
        training=_between(old.training, new.training, _training),
        verdict=_between(old.evaluation, new.evaluation, _verdict),
        scores=_scores(old.evaluation, new.evaluation),
    )


def _both(old: Thread, new: Thread) -> tuple[dict[str, Any], dict[str, Any]]:
    return old.curation or {}, new.curation or {}


def _between(old: dict[str, Any] | None, new: dict[str, Any] | None, select: Any) -> list[Change] | None:
    return None if old is None or new is None else changes(select(old), select(new))


def _data(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Take table versions, counts by rule and outcome, files by split, and what else the data depend on."""
    rules = {code: entry["count"] for code, entry in manifest["rules"].items()}
    fingerprints = {code: entry.get("fingerprint") for code, entry in manifest["rules"].items()}
    return {
        "source": manifest["source"],
        "tables": {name: f"{item['table']} at version {item['version']}" for name, item in manifest["tables"].items()},
        "balance": manifest["balance"],
        "rules": rules,
        "rule fingerprints": fingerprints,
        "files": manifest["files"],
        "pins": manifest.get("assignments"),
        "inputs": manifest.get("inputs"),
    }


def _training(training: Mapping[str, Any]) -> dict[str, Any]:
    """Take what was made at the service, without how long it took."""
    steps = {
        step: {name: value for name, value in payload.items() if name != "seconds"}
        for step, payload in training["steps"].items()
    }
    return {"run_id": training["run_id"], "curation": training.get("curation"), "steps": steps}


def _verdict(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("evaluation_id", "verdict", "items", "conversations", "groups", "partial", "examples")
    return {name: evaluation.get(name) for name in kept}


def _scores(
    old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
) -> dict[str, list[Mapping[str, Any] | None]] | None:
    if old is None or new is None:
        return None
    of_old, of_new = _metrics(old), _metrics(new)
    return {name: [of_old.get(name), of_new.get(name)] for name in dict.fromkeys([*of_old, *of_new])}


def _metrics(evaluation: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Give every metric of the test split, and those of suites as `suite: metric`."""
    found: dict[str, Mapping[str, Any]] = dict(evaluation["metrics"])
    for suite, entry in evaluation["suites"].items():
        found |= {f"{suite}: {name}": difference for name, difference in entry["metrics"].items()}
    return found
