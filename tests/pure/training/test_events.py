"""Measurements from events and result files, in every spelling that services use."""

from __future__ import annotations

import base64
from types import SimpleNamespace

import pytest
from openai.types.fine_tuning import FineTuningJobEvent

from finelake.errors import ServiceError
from finelake.services.paging import walk
from finelake.training.events import _event, measurement
from finelake.training.results import parse_results

CSV = (
    "step,train_loss,train_mean_token_accuracy,valid_loss,{spelling},full_valid_loss,full_valid_mean_token_accuracy\n"
    "1,2.5,0.5,2.75,0.25,,\n"
    "2,1.5,0.625,,,1.75,0.75\n"
)


@pytest.mark.parametrize("spelling", ["validation_mean_token_accuracy", "valid_mean_token_accuracy"])
@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("marked", [False, True])
def test_a_result_file_is_read_in_both_spellings(spelling: str, *, wrapped: bool, marked: bool) -> None:
    content = CSV.format(spelling=spelling).encode("utf-8-sig" if marked else "utf-8")
    first, second = parse_results(base64.b64encode(content) if wrapped else content)
    assert (first.step, first.train_loss, first.valid_accuracy, first.full_valid_loss) == (1, 2.5, 0.25, None)
    assert (second.valid_loss, second.valid_accuracy, second.full_valid_loss) == (None, None, 1.75)
    assert second.full_valid_accuracy == 0.75


@pytest.mark.parametrize("content", [b"", b"not a table", b"a,b\n1,2\n", b"\xff\xfe,\x00"])
def test_a_file_without_steps_is_said(content: bytes) -> None:
    with pytest.raises(ServiceError, match="no column named step"):
        parse_results(content)


def event(**values: object) -> FineTuningJobEvent:
    base = {"id": "ftevent-1", "created_at": 1760000000, "level": "info", "object": "fine_tuning.job.event"}
    return FineTuningJobEvent.construct(**{**base, **values})


def test_metrics_are_read_from_data_before_the_message() -> None:
    found = _event(
        event(message="Step 3/9: training loss=1.00", type="metrics", data={"step": 3, "train_loss": 0.5})
    ).measured
    assert found is not None
    assert (found.step, found.train_loss, found.valid_loss) == (3, 0.5, None)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Step 131/303: training loss=0.25, validation loss=0.37", (131, 303, 0.25, 0.37)),
        ("Step 10: training loss=0.678", (10, None, 0.678, None)),
        ("Step 1: training loss=1e-3", (1, None, 0.001, None)),
    ],
)
def test_metrics_are_read_from_a_message_without_data(message: str, expected: tuple[object, ...]) -> None:
    found = _event(event(message=message, type="message")).measured
    assert found is not None
    assert (found.step, found.steps, found.train_loss, found.valid_loss) == expected


def test_a_message_is_not_a_measurement() -> None:
    assert _event(event(message="Training tokens billed: 7223000", type="message", data={})).measured is None
    assert measurement({"train_loss": 1.0}) is None
    assert measurement({"step": "", "train_loss": "1.0"}) is None


def page(ids: list[str], *, has_more: bool | None) -> SimpleNamespace:
    return SimpleNamespace(data=[SimpleNamespace(id=name) for name in ids], has_more=has_more)


def test_pages_are_walked_by_the_last_id() -> None:
    pages = {None: page(["c", "b"], has_more=True), "b": page(["b", "a"], has_more=False)}
    assert [item.id for item in walk(lambda after: pages[after])] == ["c", "b", "a"]


@pytest.mark.parametrize("has_more", [True, False, None])
def test_a_list_that_ignores_after_ends(has_more: bool | None) -> None:
    asked = []

    def fetch(after: str | None) -> SimpleNamespace:
        asked.append(after)
        return page(["b", "a"], has_more=has_more)

    assert [item.id for item in walk(fetch)] == ["b", "a"]
    assert len(asked) <= 2
