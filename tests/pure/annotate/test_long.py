"""Long conversations through the whole pass: no reply is lost or trained twice without a decision that says so."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finelake.annotate.one_pass import Annotation, Worker, to_frame
from finelake.annotate.plan import PassPlan, plan_pass
from finelake.chat import read_line
from finelake.config.models import load_catalogue
from finelake.config.settings import Settings
from finelake.tokens.counter import counter_for
from support.quiet import NO_REPLY_RULES

Policy = Literal["window", "keep_last", "drop"]
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
CALLS = json.dumps([{"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}])


def plan(limit: int, long: Policy = "window", **examples: Any) -> PassPlan:
    given = {
        "project": "test",
        "model": "gpt-4.1-mini-2025-04-14",
        "source": {"table": "t", "columns": {"turn_index": "turn_index"}},
        "tokens": {"max_per_example": limit},
        "examples": {"long": long, "overlap": 0.3} | examples,
        "replies": NO_REPLY_RULES,
    }
    return plan_pass(Settings.model_validate(given), load_catalogue(), {"look_up": TOOL})


def annotated(turns: list[dict[str, Any]], chosen: PassPlan) -> Annotation:
    (item,) = Worker.start(chosen).annotate([json.dumps(turns)], [None])
    return item


def numbered(*turns: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"i": n} | turn for n, turn in enumerate(turns)]


def words(count: int, word: str = "word") -> str:
    return " ".join([word] * count)


def trained_texts(item: Annotation) -> Counter[str]:
    messages = [message for each, _ in item.windows for message in json.loads(each.line)["messages"]]
    return Counter(
        message["content"] or message["tool_calls"][0]["id"]
        for message in messages
        if message["role"] == "assistant" and message.get("weight", 1) == 1
    )


TURN = st.one_of(
    st.builds(lambda size: {"r": "user", "x": words(size)}, st.integers(1, 30)),
    st.builds(
        lambda size, weight: {"r": "assistant", "size": size, "w": weight},
        st.integers(1, 30),
        st.sampled_from([None, None, None, 0, 1]),
    ),
    st.just({"r": "assistant", "c": CALLS}),
    st.just({"r": "tool", "x": "a result of some length", "d": "c1"}),
    st.just({"r": "system", "x": "Be brief."}),
)


@settings(max_examples=300, deadline=None)
@given(
    drawn=st.lists(TURN, min_size=2, max_size=16),
    limit=st.integers(60, 200),
    long=st.sampled_from(["window", "keep_last", "drop"]),
    train=st.sampled_from(["all", "all", "last"]),
)
def test_every_reply_is_trained_once_or_a_decision_says_why_not(
    drawn: list[dict[str, Any]], limit: int, long: Policy, train: str
) -> None:
    turns = numbered(*drawn)
    for turn in turns:
        if "size" in turn:
            turn["x"] = f"reply{turn['i']} " + words(turn.pop("size"))
    item = annotated(turns, plan(limit, long, train=train))
    if item.example is None:
        assert item.repaired.reasons
        return
    explained = {
        position for made in item.repaired.decisions for position in made.turns if made.reason != "turn_merged"
    }
    learnt = trained_texts(item)
    for turn in turns:
        if turn["r"] == "assistant" and "c" not in turn:
            times = sum(count for text, count in learnt.items() if f"reply{turn['i']} " in text)
            assert times == (0 if turn["i"] in explained else 1), (turn["i"], item.repaired.decisions)
    for each, tokens in item.windows:
        assert read_line(each.line)[1] == []
        assert tokens.total <= limit
        assert tokens.trained > 0
    counts = item.repaired.counts
    assert counts.kept + counts.merged + counts.trimmed + counts.duplicate == counts.turns_in


def test_a_window_counts_system_prompt_and_tools_and_carries_both() -> None:
    exchanges = [turn for n in range(6) for turn in ({"r": "user", "x": words(12)}, {"r": "assistant", "x": f"r{n}"})]
    exchanges[1:1] = [{"r": "assistant", "c": CALLS}, {"r": "tool", "x": "found", "d": "c1"}]
    chosen = plan(120)
    item = annotated(numbered({"r": "system", "x": "Be brief."}, *exchanges), chosen)
    assert len(item.windows) > 1
    counter = counter_for(chosen.encoding, chosen.overhead, "auto")
    for each, tokens in item.windows:
        line = json.loads(each.line)
        assert line["messages"][0] == {"role": "system", "content": "Be brief."}
        assert line["tools"] == [TOOL]
        assert counter.count([line]) == [tokens]
    assert trained_texts(item) == Counter(["c1", *(f"r{n}" for n in range(6))])
    assert [made.reason for made in item.repaired.decisions] == ["conversation_windowed"]
    repeated = [message for each, _ in item.windows for message in each.messages if message.get("weight") == 0]
    assert repeated, "no window repeats context, though there is room for it"


def test_keep_last_says_which_turns_it_left_out() -> None:
    turns = numbered(*({"r": ("user", "assistant")[n % 2], "x": words(20)} for n in range(8)))
    item = annotated(turns, plan(70, "keep_last"))
    (window,) = item.windows
    assert len(window[0].messages) == 2
    (made,) = item.repaired.decisions
    assert (made.reason, made.action, made.turns, made.value) == ("context_dropped", "trim", [0, 1, 2, 3, 4, 5], "3")
    assert item.repaired.counts.trimmed == 6


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [((5, 200), "turn_too_long"), ((60, 60), "exchange_too_long"), ((5, 5, 60, 60), "exchange_too_long")],
)
def test_what_is_longer_than_the_limit_by_itself_is_set_aside(sizes: tuple[int, ...], reason: str) -> None:
    turns = numbered(*({"r": ("user", "assistant")[n % 2], "x": words(size)} for n, size in enumerate(sizes)))
    item = annotated(turns, plan(100))
    assert item.example is None
    assert item.repaired.reasons == (reason,)


def test_a_long_conversation_says_what_each_policy_would_keep() -> None:
    turns = numbered(*({"r": ("user", "assistant")[n % 2], "x": words(20)} for n in range(8)))
    found = [annotated(turns, plan(70, policy)) for policy in ("window", "keep_last", "drop")]
    rows = to_frame(found, side="reply")
    compared = ["whole_tokens", "window_tokens", "window_replies", "last_tokens", "last_replies"]
    assert len({tuple(row) for row in rows[compared].itertuples(index=False)}) == 1
    assert rows.at[0, "window_replies"] == sum(rows.at[0, "trained_tokens"]) // 20 == 4
    assert sum(rows.at[0, "tokens"]) == rows.at[0, "window_tokens"]
    assert sum(rows.at[1, "tokens"]) == rows.at[1, "last_tokens"]
    assert rows.at[1, "last_replies"] == 1
    assert found[2].repaired.reasons == ("example_too_long",)
