"""What an evaluation found, as one frozen value that reports and terminals read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from finelake.config.settings import Gate
from finelake.evaluation.asking import Role
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
class Evaluation:
    """The comparison of a tuned with its base model.

    `metrics` maps a metric's name to the difference on the items it applies to; `evaluation_id` is a digest of
    the questions, so the same questions always have the same id.
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

    def as_dict(self) -> dict[str, Any]:
        """Give all of it as plain JSON values."""
        return {
            "run_id": self.run_id,
            "evaluation_id": self.evaluation_id,
            "verdict": self.verdict.decision,
            "exit_code": self.verdict.exit_code,
            "reasons": list(self.verdict.reasons),
            "items": self.items,
            "conversations": self.conversations,
            "groups": self.groups,
            "metrics": {name: asdict(difference) for name, difference in self.metrics.items()},
            "answers": {role: asdict(answers) for role, answers in self.answers.items()},
            "examples": asdict(self.examples),
            "gate": self.gate.model_dump(mode="json"),
            "bootstrap": {"method": "BCa, by group", **asdict(self.resampling)},
        }
