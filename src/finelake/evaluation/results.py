"""What an evaluation found, as one frozen value that reports and terminals read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from finelake.config.evaluation import Gate
from finelake.evaluation.asking import Role
from finelake.evaluation.budget import Spent
from finelake.evaluation.guards import SuiteFound
from finelake.evaluation.item import TEST
from finelake.evaluation.judgement import Judgement
from finelake.evaluation.metrics.metric import Metric
from finelake.evaluation.metrics.registry import BUILT_IN
from finelake.evaluation.statistics import PairedDifference, Resampling
from finelake.evaluation.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens that the service billed."""

    prompt: int
    completion: int


@dataclass(frozen=True, slots=True)
class ModelAnswers:
    """One model's part: how many of its answers failed, by code, were cut at the length limit, and the tokens."""

    model: str
    asked: int
    failures: Mapping[str, int]
    cut: int
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class ExamplesRead:
    """Which examples were answered: the Delta table and its version."""

    table: str
    version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class InTraining:
    """Items of one suite that are in the training file, by id.

    `checked` is False where no training file was there to look into or the policy ignores it. Where `left_out`,
    the items were not asked.
    """

    suite: str
    checked: bool
    items: int
    same_messages: tuple[str, ...] = ()
    ngrams: tuple[str, ...] = ()
    left_out: bool = False

    @property
    def found(self) -> int:
        return len(self.same_messages) + len(self.ngrams)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The comparison of a tuned with its base model.

    `metrics` maps a metric's name to the difference on the items of the test split that it applies to, `suites` has
    the same of each suite, `declared` what the names mean. `evaluation_id` is a digest of the questions and
    metrics, so the same evaluation always has the same id.
    """

    run_id: str
    evaluation_id: str
    verdict: Verdict
    metrics: Mapping[str, PairedDifference]
    items: int
    conversations: int
    groups: int
    examples: ExamplesRead
    answers: Mapping[Role, ModelAnswers]
    gate: Gate
    resampling: Resampling
    suites: Sequence[SuiteFound] = ()
    judgements: Sequence[Judgement] = ()
    in_training: Sequence[InTraining] = ()
    spent: Spent | None = None
    declared: Mapping[str, Metric] = field(default_factory=lambda: BUILT_IN)

    @property
    def is_partial(self) -> bool:
        """Whether the budget ended before everything was asked."""
        return self.spent is not None and self.spent.unasked > 0

    def as_dict(self) -> dict[str, Any]:
        """Give all of it as plain JSON values."""
        return {
            "run_id": self.run_id,
            "evaluation_id": self.evaluation_id,
            "verdict": self.verdict.decision,
            "exit_code": self.verdict.exit_code,
            "reasons": list(self.verdict.reasons),
            "partial": self.is_partial,
            "items": self.items,
            "conversations": self.conversations,
            "groups": self.groups,
            "metrics": _differences(self.metrics),
            "suites": {found.suite.name: self._suite(found) for found in self.suites},
            "judge": [_judgement(judgement) for judgement in self.judgements],
            "in_training": [{**asdict(entry), "found": entry.found} for entry in self.in_training],
            "answers": {role: asdict(answers) for role, answers in self.answers.items()},
            "spent": None if self.spent is None else {**asdict(self.spent), "tokens": self.spent.tokens},
            "examples": asdict(self.examples),
            "gate": self.gate.model_dump(mode="json"),
            "bootstrap": {"method": "BCa and cluster-robust t, by group", **asdict(self.resampling)},
        }

    def _suite(self, found: SuiteFound) -> dict[str, Any]:
        return {
            "settings": found.suite.model_dump(mode="json"),
            "items": found.items,
            "groups": found.groups,
            "guarded": list(found.guarded(self.gate)),
            "metrics": _differences(found.metrics),
        }

    def titles(self, names: Sequence[str]) -> str:
        """Join the titles of metrics."""
        return ", ".join(self.declared[name].title for name in names)

    @property
    def parts(self) -> list[tuple[str, Mapping[str, PairedDifference]]]:
        """The test split and each suite, with their differences."""
        return [(TEST, self.metrics), *((found.suite.name, found.metrics) for found in self.suites)]


def _differences(metrics: Mapping[str, PairedDifference]) -> dict[str, Any]:
    return {name: asdict(difference) for name, difference in metrics.items()}


def _judgement(found: Judgement) -> dict[str, Any]:
    return {**asdict(found), "inconsistent_share": found.inconsistent_share, "is_biased": found.is_biased}
