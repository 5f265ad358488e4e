"""Actions side by side: results in order, all ended before a failure is raised."""

from __future__ import annotations

import threading

import pytest

from finelake.tables.together import at_once


def test_results_come_in_the_order_of_the_actions_which_overlap() -> None:
    """Each action waits for the others, so none of them could end were they run in turn."""
    meeting = threading.Barrier(3, timeout=60)
    assert at_once([lambda n=n: (meeting.wait() >= 0, n) for n in range(3)]) == [(True, n) for n in range(3)]


def test_nothing_to_do_is_no_failure() -> None:
    assert at_once([]) == []


def test_a_failure_is_raised_after_the_others_have_ended() -> None:
    ended = threading.Event()

    def fails() -> None:
        raise KeyError("first")

    def ends() -> None:
        threading.Event().wait(0.05)
        ended.set()

    with pytest.raises(KeyError, match="first"):
        at_once([fails, ends])
    assert ended.is_set()
