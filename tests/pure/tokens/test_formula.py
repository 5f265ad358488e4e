"""The token formula against published figures, and against a plain count of one message after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finelake.config.models import TokenOverhead, load_catalogue
from finelake.tokens.counter import TokenCounter, counter_for
from finelake.tokens.engine import TokenEngine, ToktokEngine, select_engine
from finelake.tokens.formula import ExampleTokens, plan_counts
from finelake.tokens.tools import ToolCounts

# The example of OpenAI's notebook; it prints 129 for the cl100k_base models, as its API did, and 124 for gpt-4o.
JARGON = [
    (
        "system",
        None,
        "You are a helpful, pattern-following assistant that translates corporate jargon into plain English.",
    ),
    ("system", "example_user", "New synergies will help drive top-line growth."),
    ("system", "example_assistant", "Things working well together will increase revenue."),
    (
        "system",
        "example_user",
        "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
    ),
    ("system", "example_assistant", "Let's talk later when we're less busy about how to do better."),
    ("user", None, "This late pivot means we don't have time to boil the ocean for the client deliverable."),
]
# Its example with a tool; the notebook and the API both gave 101 for gpt-4o and 105 for gpt-4 and gpt-3.5-turbo.
WEATHER = [
    {"role": "system", "content": "You are a helpful assistant that can answer to questions about the weather."},
    {"role": "user", "content": "What's the weather like in San Francisco?"},
]
WEATHER_FUNCTION = {
    "name": "get_current_weather",
    "description": "Get the current weather in a given location",
    "parameters": {
        "type": "object",
        "properties": {
            "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
            "unit": {
                "type": "string",
                "description": "The unit of temperature to return",
                "enum": ["celsius", "fahrenheit"],
            },
        },
        "required": ["location"],
    },
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"city":"K\u00f6ln"}'}}


class CountingEngine(ToktokEngine):
    """The real engine, which also remembers what it was asked."""

    def __init__(self, encoding: str) -> None:
        super().__init__(encoding)
        self.asked: list[list[str]] = []

    def count_batch(self, texts: Sequence[str]) -> list[int]:
        self.asked.append(list(texts))
        return super().count_batch(texts)


@cache
def counting(model: str) -> tuple[TokenEngine, TokenOverhead]:
    encoding, overhead = load_catalogue().find(model).counting()
    return select_engine(encoding), overhead


def counted(messages: Sequence[dict[str, Any]], *, model: str = "gpt-4o", **rest: Any) -> ExampleTokens:
    engine, overhead = counting(model)
    (result,) = TokenCounter(engine, overhead).count([{"messages": messages, **rest}])
    return result


def tokens(text: str) -> int:
    return select_engine("o200k_base").count_batch([text])[0]


@pytest.mark.parametrize(("model", "printed"), [("gpt-35-turbo", 129), ("gpt-4o", 124), ("gpt-4o-mini", 124)])
def test_published_message_count(model: str, printed: int) -> None:
    messages = [{"role": r, "content": c} | ({"name": n} if n else {}) for r, n, c in JARGON]
    result = counted(messages, model=model)
    assert result.total == printed
    assert sum(result.per_message) == printed - 3


@pytest.mark.parametrize(("model", "printed"), [("gpt-4o", 101), ("gpt-4o-mini", 101), ("gpt-35-turbo", 105)])
def test_published_tool_count(model: str, printed: int) -> None:
    result = counted(WEATHER, model=model, tools=[{"type": "function", "function": WEATHER_FUNCTION}])
    assert result.total == printed
    assert result.total - result.tools == counted(WEATHER, model=model).total
    assert counted(WEATHER, model=model, functions=[WEATHER_FUNCTION]) == result


def test_values_of_a_message_are_counted_one_by_one() -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": " two"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "[]"},
        {"role": "assistant", "refusal": "I cannot."},
        {"role": "assistant", "name": "helper", "content": "Done.", "weight": 1},
    ]
    call = tokens(json.dumps([CALL], ensure_ascii=False, separators=(",", ":")))
    said = [tokens("one") + tokens(" two"), call, tokens("[]"), tokens("I cannot."), tokens("Done.")]
    framing = [tokens("user"), tokens("assistant"), tokens("tool") + tokens("call_1"), tokens("assistant")]
    framing.append(tokens("assistant") + tokens("helper") + 1)
    result = counted(messages)
    assert result.per_message == tuple(3 + own + frame for own, frame in zip(said, framing, strict=True))
    assert result.assistant == result.trained == said[1] + said[3] + said[4]


def test_weight_costs_nothing_and_takes_a_message_out_of_training() -> None:
    def messages(*weights: int | None) -> list[dict[str, Any]]:
        turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello there."}]
        turns += [{"role": "user", "content": "Bye"}, {"role": "assistant", "content": "Goodbye, come back."}]
        for turn, weight in zip(turns[1::2], weights, strict=True):
            turn.update({} if weight is None else {"weight": weight})
        return turns

    plain, weighted, none = (counted(messages(*w)) for w in [(None, None), (0, 1), (0, 0)])
    assert plain.total == weighted.total == none.total
    assert plain.assistant == weighted.assistant == plain.trained
    assert weighted.trained == tokens("Goodbye, come back.")
    assert none.trained == 0


def test_tools_without_description_type_or_parameters_are_tolerated() -> None:
    bare = counted(WEATHER, tools=[{"type": "function", "function": {"name": "ping"}}])
    assert bare.tools == 7 + tokens("ping:") + 12
    odd = {"name": "f", "description": None, "parameters": {"properties": {"x": {"enum": [1, None]}, "y": True}}}
    two = counted(WEATHER, tools=[{"function": odd}, {"function": {"name": "ping", "description": "Pings."}}])
    of_x = 3 - 3 + 2 * 3 + tokens("1") + tokens("") + tokens("x::")
    assert two.tools == 7 + tokens("f:") + 3 + of_x + 3 + tokens("y::") + 7 + tokens("ping:Pings") + 12
    union = {"name": "f", "parameters": {"properties": {"x": {"type": ["string", "null"]}}}}
    assert counted(WEATHER, tools=[{"function": union}]).tools == 7 + tokens("f:") + 6 + tokens("x:string|null:") + 12
    assert counted(WEATHER, tools=[]).tools == counted(WEATHER, tools=None).tools == 0


def test_each_definition_list_is_counted_once_in_a_process() -> None:
    overhead = counting("gpt-4o")[1]
    engine = CountingEngine("o200k_base")
    counter = TokenCounter(engine, overhead)
    fresh = [{"messages": WEATHER, "tools": json.loads(json.dumps([{"function": WEATHER_FUNCTION}]))} for _ in range(3)]
    first, again = counter.count(fresh), counter.count(fresh)
    assert first == again
    line = "get_current_weather:Get the current weather in a given location"
    assert [texts.count(line) for texts in engine.asked] == [1, 0]


def test_remembered_tools_are_bounded_and_forgetting_changes_nothing() -> None:
    known = ToolCounts(limit=2)
    engine, overhead = counting("gpt-4o")
    examples = [{"messages": WEATHER, "tools": [{"function": {"name": f"f{i % 5}"}}]} for i in range(20)]
    for _ in range(2):
        plan = plan_counts(examples, overhead=overhead, tool_counts=known)
        results = plan.fold(engine.count_batch(plan.texts))
        assert [result.tools for result in results] == [7 + tokens(f"f{i % 5}:") + 12 for i in range(20)]
    assert len(known) == 2


def test_empty_batches_and_examples() -> None:
    engine, overhead = counting("gpt-4o")
    assert TokenCounter(engine, overhead).count([]) == []
    assert counted([]) == ExampleTokens((), 0, 3, 0, 0)


def test_a_wrong_number_of_counts_is_an_error() -> None:
    plan = plan_counts([{"messages": WEATHER}], overhead=counting("gpt-4o")[1])
    with pytest.raises(ValueError, match="got 1 counts"):
        plan.fold([1])


def test_the_counter_of_a_process_is_built_once() -> None:
    encoding, overhead = load_catalogue().find("gpt-4.1-mini").counting()
    assert counter_for(encoding, overhead) is counter_for(encoding, overhead)
    assert counter_for(encoding, overhead).count([{"messages": WEATHER}]) == [counted(WEATHER)]


MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool"])},
    optional={
        "content": st.one_of(
            st.none(),
            st.text(max_size=20),
            st.lists(st.builds(lambda t: {"type": "text", "text": t}, st.text(max_size=8)), max_size=3),
        ),
        "name": st.text(min_size=1, max_size=8),
        "tool_calls": st.just([CALL]),
        "tool_call_id": st.sampled_from(["call_1", "call_2"]),
        "weight": st.sampled_from([0, 1]),
    },
)


def slowly(messages: list[dict[str, Any]]) -> tuple[list[int], int, int]:
    """Count message by message, value by value, as the cookbook's loop does; return messages, assistant, trained."""
    per_message, assistant, trained = [], 0, 0
    for message in messages:
        costs = {}
        for key, value in message.items():
            if key == "weight" or value is None:
                continue
            if key == "content" and isinstance(value, list):
                costs[key] = sum(tokens(part["text"]) for part in value)
            elif isinstance(value, str):
                costs[key] = tokens(value) + (key == "name")
            else:
                costs[key] = tokens(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
        per_message.append(3 + sum(costs.values()))
        said = costs.get("content", 0) + costs.get("tool_calls", 0)
        assistant += said * (message["role"] == "assistant")
        trained += said * (message["role"] == "assistant" and message.get("weight", 1) == 1)
    return per_message, assistant, trained


@given(batch=st.lists(st.lists(MESSAGES, max_size=5), max_size=5))
@settings(max_examples=150, deadline=None)
def test_a_batch_counts_as_its_messages_do_one_by_one(batch: list[list[dict[str, Any]]]) -> None:
    engine, overhead = counting("gpt-4o")
    results = TokenCounter(engine, overhead).count([{"messages": messages} for messages in batch])
    assert len(results) == len(batch)
    for result, messages in zip(results, batch, strict=True):
        per_message, assistant, trained = slowly(messages)
        assert result == ExampleTokens(tuple(per_message), 0, sum(per_message) + 3, assistant, trained)


@pytest.mark.shared_data
def test_real_conversations_in_one_batch(real_turns: Callable[..., list[dict[str, Any]]]) -> None:
    conversations: dict[str, list[dict[str, Any]]] = {}
    for turn in real_turns("sgd_turns.jsonl.gz", limit=2000):
        role = "user" if turn["author"] == "USER" else "assistant"
        conversations.setdefault(turn["conversation_id"], []).append({"role": role, "content": turn["text"]})
    engine, overhead = counting("gpt-4o")
    results = TokenCounter(engine, overhead).count([{"messages": messages} for messages in conversations.values()])
    assert [list(result.per_message) for result in results] == [slowly(m)[0] for m in conversations.values()]
