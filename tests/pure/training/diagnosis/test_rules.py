"""What losses mean, on the curves of real trainings: each rule where it holds, where it does not, and too early."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from tests.pure.training.diagnosis.real_training import Recipe, curves_of

from finelake.training.curves import Curves
from finelake.training.diagnosis.divergence import divergence
from finelake.training.diagnosis.finding import Finding
from finelake.training.diagnosis.flat import flat_loss
from finelake.training.diagnosis.overfitting import HEALTHY_RATIO, SEVERE_RATIO, overfitting

HEALTHY = Recipe(0.5, steps=600)
SOME_OVERFITTING = Recipe(0.5, windows=6000, steps=1500)
BY_HEART = Recipe(0.5, windows=150, steps=1500)
HARDLY_ANY_STEP = Recipe(1e-5)
TOO_LARGE_STEPS = Recipe(10.0)
NO_NUMBER = Recipe(200.0)

measured = cache(curves_of)


@pytest.mark.parametrize(
    ("recipe", "level"),
    [(HEALTHY, "fine"), (SOME_OVERFITTING, "warning"), (BY_HEART, "severe"), (HARDLY_ANY_STEP, "fine")],
)
def test_over_fitting_is_judged_by_the_ratio(recipe: Recipe, level: str) -> None:
    finding = overfitting(measured(recipe))
    assert finding.level == level
    assert ("deployment.checkpoint: best" in finding.advice) == finding.needs_attention


def test_over_fitting_names_the_step_at_which_validation_was_best() -> None:
    curves = measured(BY_HEART)
    step, lowest = min(curves.valid, key=lambda point: point[1])
    assert f"It was lowest, {lowest:.4f}, at step {step}." in overfitting(curves).words


@pytest.mark.parametrize(
    ("ratio", "level"),
    [(HEALTHY_RATIO - 0.01, "fine"), (HEALTHY_RATIO + 0.01, "warning"), (SEVERE_RATIO + 0.01, "severe")],
)
def test_the_lines_between_levels_are_those_of_the_source(ratio: float, level: str) -> None:
    train = tuple((step, 0.5) for step in range(1, 9))
    whole = ((4, 0.9), (8, 0.5 * ratio))
    assert overfitting(Curves(train, valid=((1, 5.0), (8, 5.0)), full_valid=whole)).level == level


@pytest.mark.parametrize(
    ("recipe", "level"),
    [
        (HEALTHY, "fine"),
        (BY_HEART, "fine"),
        (HARDLY_ANY_STEP, "fine"),
        (TOO_LARGE_STEPS, "severe"),
        (NO_NUMBER, "severe"),
    ],
)
def test_divergence_is_seen(recipe: Recipe, level: str) -> None:
    assert divergence(measured(recipe)).level == level


def test_a_job_that_diverges_late_is_seen_without_any_validation() -> None:
    curves = measured(HEALTHY)
    last = curves.train[-1][0]
    later = tuple((last + 10 * at, 2.0 + at) for at in range(1, 20))
    finding = divergence(Curves(curves.train + later))
    assert finding.level == "severe"
    assert "the training loss grew from a median of" in finding.words


def test_one_easy_batch_at_the_start_is_no_divergence() -> None:
    curves = measured(HEALTHY)
    lucky = replace(curves, train=((1, 0.01), *curves.train[1:]))
    assert divergence(lucky).level == "fine"


@pytest.mark.parametrize(
    ("recipe", "level"),
    [(HEALTHY, "fine"), (BY_HEART, "fine"), (HARDLY_ANY_STEP, "warning")],
)
def test_a_flat_loss_is_seen(recipe: Recipe, level: str) -> None:
    finding = flat_loss(measured(recipe))
    assert finding.level == level
    assert ("learning_rate_multiplier" in finding.advice) == (level == "warning")


@pytest.mark.parametrize("rule", [overfitting, divergence, flat_loss])
@pytest.mark.parametrize("points", [0, 1, 4])
def test_too_little_data_is_said(rule: Callable[[Curves], Finding], points: int) -> None:
    curves = measured(BY_HEART)
    early = Curves(curves.train[:points], curves.valid[:points])
    finding = rule(early)
    assert finding.level == "unknown"
    assert not finding.needs_attention


def test_without_validation_over_fitting_is_not_judged() -> None:
    assert overfitting(Curves(measured(BY_HEART).train)).level == "unknown"


def test_losses_that_are_no_numbers_are_not_counted() -> None:
    curves = Curves(((1, math.nan), (2, math.inf)), ((1, math.nan),))
    assert overfitting(curves).level == "unknown"
    assert divergence(curves).level == "severe"
