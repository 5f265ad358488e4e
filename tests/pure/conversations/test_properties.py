"""Properties of the repair on random turns: it never raises, fates add up, kept conversations are valid lines."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from finelake.chat import parse_line
from finelake.conversations.examples import ExamplePolicy, SystemPrompt, build_example, dedup_key, normalise
from finelake.conversations.repair import repair, repair_conversation
from finelake.conversations.turns import RepairPolicy, TurnRow

NAMES = st.sampled_from(["find", "book", "not a name"])
IDS = st.sampled_from([None, "a", "b", "call_1_1", ""])
TEXTS = st.one_of(
    st.sampled_from([None, "", " ", "Hi", "Yes.", "a\x00b", "<|endoftext|>", "\ud800", "\u2028", "\x85", "\u200b"]),
    st.text(st.characters(codec=None, exclude_categories=()), max_size=8),
)
ARGUMENTS = st.one_of(
    st.sampled_from(["{}", '{"a": 1}', "[]", "", None]), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)
CALL = st.one_of(
    st.fixed_dictionaries({"id": IDS, "name": NAMES, "arguments": ARGUMENTS}, optional={"results": TEXTS}),
    st.fixed_dictionaries(
        {
            "id": IDS,
            "type": st.just("function"),
            "function": st.fixed_dictionaries({"name": NAMES, "arguments": ARGUMENTS}),
        }
    ),
)
CALLS = st.one_of(st.sampled_from([None, None, None, "", "[]", "{", "3"]), st.lists(CALL, max_size=2).map(json.dumps))
TURN = st.fixed_dictionaries(
    {
        "i": st.one_of(st.none(), st.integers(0, 12)),
        "t": st.one_of(st.none(), st.integers(0, 20_000_000)),
        "r": st.sampled_from(["user", "assistant", "assistant", "system", "tool", None, "boss"]),
        "x": TEXTS,
        "c": CALLS,
        "d": IDS,
        "w": st.sampled_from([None, 0, 1]),
    },
    optional={"u": st.booleans(), "n": NAMES},
)
POLICY = st.builds(
    RepairPolicy,
    gaps=st.sampled_from(["quarantine", "keep"]),
    clock_skew=st.sampled_from(["note", "quarantine"]),
    max_turns=st.sampled_from([3, 2048, 2048, 2048]),
    special_tokens=st.sampled_from(["quarantine", "keep"]),
    control_characters=st.sampled_from(["quarantine", "keep"]),
    assistant_leading=st.sampled_from(["trim", "keep", "quarantine"]),
)
DROPPED_BY = {
    "turn_duplicate": "duplicate",
    "turn_empty": "trimmed",
    "assistant_leading": "trimmed",
    "user_trailing": "trimmed",
    "tool_trailing": "trimmed",
    "system_prompt_repeated": "merged",
}


SYSTEM: TurnRow = {"r": "system", "x": "Be kind."}
WITH_RESULTS = [{"name": "find", "arguments": {"n": 1}, "results": [1]}, {"name": "book", "results": "ok"}]
TWO_CALLS = [{"id": "a", "name": "find"}, {"id": "b", "name": "book", "arguments": '{ "n": 2 }'}]
USERS: list[list[TurnRow]] = [
    [{"r": "user", "x": "Hi"}],
    [{"r": "user", "x": "Hi"}, {"r": "user", "x": "Any news\u2028?"}],
    [{"r": "user", "x": " "}, {"r": "user", "x": "你好"}, SYSTEM],
]
TOOLS: list[list[TurnRow]] = [
    [],
    [{"r": "assistant", "x": "Let me see.", "w": 0}],
    [{"r": "assistant", "x": None, "c": json.dumps(WITH_RESULTS)}],
    [{"r": "assistant", "c": json.dumps(TWO_CALLS)}, {"r": "tool", "x": "2", "d": "b"}, {"r": "tool", "x": None}],
    [{"r": "assistant", "c": json.dumps(TWO_CALLS[:1])}, {"r": "assistant", "x": "Wait."}, {"r": "tool", "x": "1"}],
]
REPLIES: list[list[TurnRow]] = [
    [{"r": "assistant", "x": "Yes."}],
    [{"r": "assistant", "x": "Yes."}, {"r": "assistant", "x": "\u200b"}, {"r": "assistant", "x": "Right.", "w": 0}],
    [{"r": "assistant", "x": "Found.", "c": json.dumps(WITH_RESULTS), "w": 1}],
]
ENDS: list[list[TurnRow]] = [[], [], *USERS, *TOOLS]


@st.composite
def likely_conversation(draw: st.DrawFn) -> list[TurnRow]:
    """Draw a conversation that is mostly kept, with several repairs in it."""
    turns = [*draw(st.sampled_from([[], [SYSTEM], [SYSTEM, SYSTEM]])), *draw(st.sampled_from([[], [], *REPLIES]))]
    for _ in range(draw(st.integers(1, 3))):
        for part in (USERS, TOOLS, REPLIES):
            turns += draw(st.sampled_from(part))
    turns += draw(st.sampled_from(ENDS))
    stamped = draw(st.booleans())
    numbered: list[TurnRow] = []
    for n, turn in enumerate(turns):
        placed: TurnRow = {**turn, "i": n, "t": n * 1_000_000 if stamped else None}
        numbered += [placed] * draw(st.sampled_from([1, 1, 1, 1, 2]))
    return numbered


@settings(max_examples=400, deadline=None)
@given(turns=st.one_of(st.lists(TURN, max_size=8), likely_conversation()), policy=POLICY)
def test_fates_add_up_and_agree_with_the_decisions(turns: list[TurnRow], policy: RepairPolicy) -> None:
    repaired = repair(turns, policy=policy)
    counts = repaired.counts
    assert counts.turns_in == len(turns) == len(repaired.indexes)
    if repaired.reasons:
        assert repaired.messages == []
        assert counts.quarantined == len(turns)
        return
    assert counts.quarantined == 0
    assert counts.kept + counts.merged + counts.trimmed + counts.duplicate == counts.turns_in
    heads = {positions[0] for positions in repaired.positions}
    inside = {position for positions in repaired.positions for position in positions}
    fates = {fate: {n for n, own in enumerate(repaired.fates) if own == fate} for fate in repaired.fates}
    assert fates.get("kept", set()) == heads
    dropped: dict[str, set[int]] = {}
    for decision in repaired.decisions:
        if decision.action in ("trim", "merge") and decision.reason in DROPPED_BY:
            dropped.setdefault(DROPPED_BY[decision.reason], set()).update(decision.turns)
    assert fates.get("trimmed", set()) == dropped.get("trimmed", set())
    assert fates.get("duplicate", set()) == dropped.get("duplicate", set())
    assert fates.get("merged", set()) == dropped.get("merged", set()) | (inside - heads)
    assert inside.isdisjoint(fates.get("trimmed", set()) | fates.get("duplicate", set()))


@settings(max_examples=400, deadline=None)
@given(
    turns=st.one_of(st.lists(TURN, max_size=8), likely_conversation()),
    policy=POLICY,
    train=st.sampled_from(["all", "last"]),
    prompt=st.sampled_from([SystemPrompt(), SystemPrompt(policy="replace", text="Be brief.\u2028")]),
    seed=st.integers(),
)
def test_a_kept_conversation_is_one_valid_line_for_every_arrival(
    turns: list[TurnRow], policy: RepairPolicy, train: Any, prompt: SystemPrompt, seed: int
) -> None:
    repaired = repair(turns, policy=policy)
    shuffled = list(turns)
    random.Random(seed).shuffle(shuffled)
    assert repair(shuffled, policy=policy) == repaired
    if repaired.reasons:
        return
    example = build_example(repaired, policy=ExamplePolicy(system=prompt, train=train))
    line = parse_line(example.line.encode())
    assert line["messages"] == example.messages
    assert len(example.trained) == len(example.positions) == len(example.messages)
    assert any(example.trained)
    weights = [message.get("weight", 1) == 1 and message["role"] == "assistant" for message in example.messages]
    assert weights == example.trained
    assert dedup_key(example.messages) == dedup_key(repaired.messages)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.text(max_size=20),
        st.recursive(
            st.one_of(st.none(), st.integers(), st.sampled_from(["user", "gpt", "human", "{}"])),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["messages", "conversations", "role", "content", "from", "value", "tool_calls"]),
                    inner,
                )
            ),
            max_leaves=12,
        ).map(json.dumps),
    )
)
def test_stored_messages_of_any_shape_never_raise(value: str) -> None:
    repaired = repair_conversation(value)
    assert bool(repaired.messages) != bool(repaired.reasons)


def test_the_space_is_the_only_printable_white_space() -> None:
    """`normalise` leaves a printable text without two spaces in a row as it is, but for its ends."""
    assert [chr(code) for code in range(0x110000) if chr(code).isspace() and chr(code).isprintable()] == [" "]


@given(st.text())
def test_normalise_is_stable(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert normalise(f"  {text}\u200b\n") == once
