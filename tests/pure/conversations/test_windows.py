"""Windows: cuts between exchanges, context that is not trained again, and what each policy loses."""

from __future__ import annotations

import pytest

from finelake.chat import Message
from finelake.conversations.windows import Layout, Room, Span, last_window, lay_out, longest_turn_fits, windows

SYSTEM: Message = {"role": "system", "content": "s"}
USER: Message = {"role": "user", "content": "u"}
REPLY: Message = {"role": "assistant", "content": "a"}
CALL: Message = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
RESULT: Message = {"role": "tool", "content": "r", "tool_call_id": "1"}


def room(tokens: int, *, overlap: float = 0.5, messages: int = 100) -> Room:
    return Room(tokens=tokens, messages=messages, overlap=overlap)


def flat(messages: list[Message], *, each: int = 10, fixed: int = 5) -> Layout:
    return lay_out(messages, [each] * len(messages), each * len(messages) + fixed)


def test_exchanges_begin_at_the_user_turn_after_a_reply() -> None:
    made = flat([SYSTEM, USER, CALL, RESULT, REPLY, USER, REPLY])
    assert (made.lead, made.borders, made.fixed) == (1, [1, 5, 7], 15)


def test_messages_without_a_user_turn_belong_to_a_neighbour() -> None:
    assert flat([REPLY, USER, REPLY, REPLY, USER, REPLY]).borders == [0, 4, 6]


def test_context_repeats_up_to_its_share_and_is_not_fresh() -> None:
    made = flat([USER, REPLY] * 4)
    assert windows(made, room(45)) == [Span(0, 0, 4), Span(2, 4, 6), Span(4, 6, 8)]
    assert windows(made, room(45, overlap=0.0)) == [Span(0, 0, 4), Span(4, 4, 8)]
    assert windows(made, room(1000)) == [Span(0, 0, 8)]


def test_context_gives_way_to_an_exchange_that_needs_the_room() -> None:
    made = flat([USER, REPLY, USER, CALL, RESULT, REPLY])
    assert windows(made, room(45)) == [Span(0, 0, 2), Span(2, 2, 6)]


def test_an_exchange_that_fits_nowhere_cannot_be_cut() -> None:
    made = flat([USER, REPLY, USER, CALL, RESULT, REPLY])
    assert windows(made, room(44)) is None
    assert last_window(made, room(44)) is None
    assert longest_turn_fits(made, room(44))
    assert not longest_turn_fits(made, room(14))


def test_the_number_of_messages_is_a_limit_too() -> None:
    made = flat([SYSTEM, USER, REPLY, USER, REPLY])
    assert windows(made, room(1000, messages=4, overlap=0.0)) == [Span(1, 1, 3), Span(3, 3, 5)]


@pytest.mark.parametrize(("limit", "expected"), [(25, Span(4, 4, 6)), (45, Span(2, 2, 6)), (65, Span(0, 0, 6))])
def test_the_last_window_is_as_long_as_fits(limit: int, expected: Span) -> None:
    assert last_window(flat([USER, REPLY] * 3), room(limit)) == [expected]
