"""Where a job stands by its own events: pace, steps, tokens; when it is stopped; and what a terminal shows of it."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from tests.pure.training.diagnosis.real_training import Recipe, curves_of

from finelake.config.early_stop import EarlyStop
from finelake.training.curves import Curves
from finelake.training.display.plot import loss_plot
from finelake.training.display.terminal import TerminalProgress
from finelake.training.early_stop import reason_to_stop
from finelake.training.events import Event, Measurement
from finelake.training.history import History, Trained
from finelake.training.pace import seconds_a_step, seconds_left
from finelake.training.progress import JobReport

BEGAN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def step_event(step: int, *, seconds: float, valid: float | None = None) -> Event:
    measured = Measurement(step=step, train_loss=2.0 / step**0.25, valid_loss=valid)
    return Event(f"ftevent-{step}", BEGAN + timedelta(seconds=seconds), "info", f"Step {step}", measured)


def job(status: str = "running", *, epochs: int = -1, batch: int = -1, **fields: Any) -> Any:
    return SimpleNamespace(status=status, hyperparameters=SimpleNamespace(n_epochs=epochs, batch_size=batch), **fields)


def history(*, now: Callable[[], float] = lambda: 0.0, examples: int = 400, tokens: int = 1000) -> History:
    return History("ftjob-1", Trained(examples, tokens), now=now)


def test_the_pace_is_that_of_the_steps_and_a_pause_is_left_out() -> None:
    steady = [(step, 2.0 * step) for step in range(10, 110, 10)]
    assert seconds_a_step(steady) == 2.0
    paused = [*steady, (110, 4000.0), (120, 4020.0)]
    assert seconds_a_step(paused) == 2.0
    assert seconds_left(paused, steps=200) == 160.0
    assert seconds_left(paused, steps=200, since_last=100.0) == 60.0
    assert seconds_left(paused, steps=200, since_last=500.0) == 0.0


@pytest.mark.parametrize(
    ("moments", "steps"), [([], 100), ([(1, 5.0)], 100), ([(1, 5.0), (10, 9.0)], None), ([(1, 5.0), (90, 9.0)], 50)]
)
def test_what_is_not_known_is_not_told(moments: list[tuple[int, float]], steps: int | None) -> None:
    assert seconds_left(moments, steps=steps) is None


def test_whole_seconds_of_a_fast_job_do_not_stop_the_clock() -> None:
    assert seconds_a_step([(1, 0.0), (10, 0.0), (20, 0.0), (30, 1.0)]) == pytest.approx(1 / 29)


def test_a_report_has_time_left_by_measured_speed_and_not_by_the_services_promise() -> None:
    moment = [0.0]
    told = history(now=lambda: moment[0])
    told.take([step_event(step, seconds=3.0 * step) for step in (1, 10, 20)])
    moment[0] = 15.0
    found = told.report(job(epochs=2, batch=8, estimated_finish=4_000_000_000), elapsed=75.0)
    assert (found.step, found.steps, found.estimated) == (20, 100, False)
    assert found.seconds_left == pytest.approx(80 * 3.0 - 15.0)
    assert (found.trained, found.billed) == (400, None)


def test_steps_that_the_service_keeps_to_itself_are_estimated_until_they_are_passed() -> None:
    told = history(examples=1000)
    told.take([step_event(10, seconds=1.0)])
    found = told.report(job(), elapsed=1.0)
    assert (found.steps, found.estimated) == (1500, True)
    told.take([step_event(1510, seconds=100.0)])
    assert told.report(job(), elapsed=1.0).steps is None


def test_billed_tokens_come_from_the_event_or_the_job() -> None:
    told = history()
    message = Event("e", BEGAN, "info", "Training tokens billed: 7223000", None)
    assert told.take([message]) == ["Training tokens billed: 7223000"]
    assert told.report(job("succeeded"), elapsed=1.0).billed == 7_223_000
    assert told.report(job("succeeded", trained_tokens=5), elapsed=1.0).billed == 5


def test_a_job_that_learns_by_heart_is_stopped_and_a_healthy_one_is_not() -> None:
    stop = EarlyStop(patience=5)
    by_heart = curves_of(Recipe(0.5, windows=150, steps=1500))
    assert "validation batches has not improved by 1.0% in 5 measurements" in str(reason_to_stop(by_heart, stop))
    lowest = min(range(len(by_heart.valid)), key=lambda at: by_heart.valid[at][1])
    assert reason_to_stop(Curves(by_heart.train[:lowest], by_heart.valid[:lowest]), stop) is None
    assert reason_to_stop(Curves(by_heart.train, by_heart.valid[:5]), stop) is None


def test_the_whole_validation_file_counts_from_its_second_measurement() -> None:
    batches = tuple((step, 1.0) for step in range(1, 30))
    assert reason_to_stop(Curves(valid=batches, full_valid=((10, 0.9),)), EarlyStop(patience=2)) is not None
    falling = Curves(valid=batches, full_valid=((10, 0.9), (20, 0.8), (30, 0.7)))
    assert reason_to_stop(falling, EarlyStop(patience=2)) is None
    risen = Curves(valid=batches, full_valid=((10, 0.9), (20, 0.895), (30, 0.93)))
    assert "whole validation file" in str(reason_to_stop(risen, EarlyStop(patience=2)))


def test_a_diverging_job_is_stopped_unless_told_otherwise() -> None:
    curves = curves_of(Recipe(10.0))
    assert "Divergence" in str(reason_to_stop(Curves(curves.train, curves.valid[:1]), EarlyStop()))
    assert reason_to_stop(Curves(curves.train), EarlyStop(on_divergence=False)) is None


@pytest.mark.parametrize("width", [80, 160])
def test_a_terminal_shows_losses_as_a_plot_and_what_they_mean(width: int) -> None:
    told = history(examples=1500, tokens=300_000)
    curves = curves_of(Recipe(0.5, windows=150, steps=1500))
    valid = dict(curves.valid)
    told.take(
        Event(str(step), BEGAN + timedelta(seconds=step), "info", "", Measurement(step, None, loss, None, valid[step]))
        for step, loss in curves.train
    )
    out = io.StringIO()
    console = Console(file=out, width=width, height=60, color_system=None)
    view = TerminalProgress(console)
    view.started("watch", "watch the job")
    view.noted("Training started.")
    view.job_changed(told.report(job(epochs=2, batch=1), elapsed=1500.0))
    view.deployment_changed("shop", "Creating")
    console.print(view.view())
    lines = out.getvalue().splitlines()
    assert max(len(line) for line in lines) <= width
    shown = "\n".join(lines)
    for text in ("1500/3000", "0:25:00", "~300,000 so far", "+ train loss", "x validation loss", "deployment shop: "):
        assert text in shown
    assert shown.index("Over-fitting: validation loss") < shown.index("Training started.")
    assert sum("+" in line for line in lines) > 3
    assert sum("x" in line for line in lines) > 3


def test_the_plot_waits_for_a_second_measurement() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, color_system=None)
    view = TerminalProgress(console)
    view.job_changed(JobReport("ftjob-1", "running", 1.0, step=1, train_loss=2.0, curves=Curves(((1, 2.0),))))
    console.print(view.view())
    assert "train loss" in out.getvalue()
    assert "steps" not in out.getvalue()


@pytest.mark.parametrize(
    "curves",
    [
        curves_of(Recipe(200.0)),
        Curves(((1, math.nan), (2, math.inf), (3, 1.0), (4, 2.0))),
        Curves(((1, math.nan), (2, math.inf))),
        Curves(((1, 1.0), (2, 1.0)), ((1, 1.0),), ((2, 1.0),)),
        Curves(((1, 0.0), (2, 0.0))),
    ],
)
@pytest.mark.parametrize("colours", [True, False])
def test_no_curve_breaks_the_view(curves: Curves, *, colours: bool) -> None:
    drawn = loss_plot(curves, width=80, colours=colours)
    assert drawn is None or "train loss" in drawn.plain
