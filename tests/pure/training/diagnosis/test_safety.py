"""What the service says of its safety evaluation, in its own words (Microsoft's guide to safety evaluation)."""

from __future__ import annotations

import pytest

from finelake.training.curves import Curves
from finelake.training.diagnosis.diagnose import diagnose
from finelake.training.diagnosis.safety import safety

DATA = (
    "The provided training data failed RAI checks for harm types: [hate_fairness, self_harm]. Please fix the data and "
    "try again."
)
MODEL = (
    "This model is unable to be deployed. Model evaluation identified that this fine tuned model scores above "
    "acceptable thresholds for [Violence, Self Harm]. Please review your training data set and resubmit the job."
)


@pytest.mark.parametrize(
    ("message", "harms", "change"),
    [(DATA, "hate_fairness, self_harm", "privacy.policy"), (MODEL, "Violence, Self Harm", "threats")],
)
def test_a_failed_evaluation_names_harms_and_what_to_change(message: str, harms: str, change: str) -> None:
    finding = safety(["Job started.", message])
    assert finding.level == "severe"
    assert harms in finding.words
    assert change in finding.advice
    assert "not charged" in finding.advice


def test_a_passed_evaluation_and_none_at_all_are_told_apart() -> None:
    assert safety(["Job succeeded.", "Model Evaluation Passed."]).level == "fine"
    assert safety(["Job succeeded."]).level == "unknown"


def test_every_rule_is_in_a_diagnosis() -> None:
    rules = [finding.rule for finding in diagnose(Curves(), [MODEL])]
    assert rules == ["divergence", "flat_loss", "overfitting", "safety"]
