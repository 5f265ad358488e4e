"""Preference lines and pictures: what is right is taken, what is wrong has a code and a place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from finelake import chat, preference
from finelake.chat import encode_json
from finelake.config.models import load_catalogue
from finelake.emulator.chatfile import check_line
from finelake.emulator.problems import LineProblem
from finelake.pictures import embedded_bytes
from finelake.tokens.counter import counter_for
from finelake.training.forms.choose import form_of
from support.method_lines import data_url, pair, png, seen

REPLY = {"role": "assistant", "content": "Soon."}
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
TOOL_ANSWER = [
    {"role": "assistant", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "1"},
    {"role": "assistant", "content": "One."},
]


def codes(value: dict[str, Any]) -> list[tuple[str, str]]:
    """Give codes and places of a preference line's problems."""
    return [(problem.code, problem.place) for problem in preference.read_line(json.dumps(value))[1]]


@pytest.mark.parametrize(
    "value",
    [
        pair(1),
        pair(1, preferred_output=TOOL_ANSWER),
        pair(1, input={"messages": [{"role": "system", "content": "Be kind."}, *pair(1)["input"]["messages"]]}),
        pair(1, input={"messages": [{"role": "user", "content": "Hi"}, REPLY, {"role": "user", "content": "When?"}]}),
        pair(1, input={**pair(1)["input"], "tools": [], "parallel_tool_calls": False}),
    ],
)
def test_a_good_pair_is_taken_here_and_by_the_service(value: dict[str, Any]) -> None:
    assert codes(value) == []
    assert check_line(value) == "dpo"


WRONG = [
    (pair(1, more=1), "line_key_unknown", "more"),
    (pair(1, input={"messages": []}), "messages_missing", "input.messages"),
    (pair(1, input={"messages": [REPLY]}), "user_missing", "input.messages"),
    (pair(1, input=None), "input_missing", "input"),
    (pair(1, preferred_output=[]), "answer_missing", "preferred_output"),
    (pair(1, preferred_output="Soon."), "answer_missing", "preferred_output"),
    (
        pair(1, non_preferred_output=[{"role": "user", "content": "No"}]),
        "answer_role_unknown",
        "non_preferred_output[0].role",
    ),
    (pair(1, non_preferred_output=[{"role": "assistant"}]), "content_missing", "non_preferred_output[0].content"),
    (pair(1, preferred_output=TOOL_ANSWER[1:]), "tool_result_without_call", "messages[1]"),
]


@pytest.mark.parametrize(("value", "code", "place"), WRONG)
def test_a_wrong_pair_has_a_code_and_a_place_and_the_service_refuses_it(
    value: dict[str, Any], code: str, place: str
) -> None:
    assert (code, place) in codes(value)
    if code != "tool_result_without_call":  # the service says nothing about it
        with pytest.raises(LineProblem):
            check_line(value)


def test_old_names_are_told_apart_and_equal_answers_are_found() -> None:
    old = {"input": pair(1)["input"], "preferred_completion": [REPLY], "non_preferred_completion": [REPLY]}
    assert codes(old) == [("preference_named_completion", "write preferred_output and non_preferred_output")]
    assert codes(pair(1, preferred_output=[REPLY], non_preferred_output=[REPLY])) == [
        ("answers_identical", "non_preferred_output")
    ]


def test_a_pair_costs_its_input_once_at_least_and_twice_at_most() -> None:
    form, model = form_of("dpo"), load_catalogue().find("gpt-4.1-mini")
    encoding, overhead = model.counting()
    counts = counter_for(encoding, overhead).count(form.examples(pair(1)))
    whole = form.tokens(counts, None)
    assert whole.most == counts[0].total + counts[1].total
    assert whole.fewest == whole.most - counts[2].total
    assert whole.longest == max(counts[0].total, counts[1].total)
    assert whole.trained == counts[0].trained + counts[1].trained > 0
    assert form.tokens(counts, 10).most == 20


@pytest.mark.parametrize(
    "address",
    [
        data_url(png()),
        data_url(b"\xff\xd8\xff\xe0 jpeg", "jpeg"),
        data_url(b"RIFF\x00\x00\x00\x00WEBPVP8 ", "webp"),
        "https://shop.example/a.png",
    ],
)
def test_a_picture_of_the_user_is_taken_here_and_by_the_service(address: str) -> None:
    line = seen(address, detail="low")
    assert chat.read_line(encode_json(line))[1] == []
    assert check_line(line) == "supervised"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (seen("http://shop.example/a.png"), "picture_address_unknown"),
        (seen("/etc/passwd"), "picture_address_unknown"),
        (seen(data_url(b"GIF89a", "gif")), "picture_address_unknown"),
        (seen(data_url(b"\xff\xd8\xff", "png")), "picture_of_another_format"),
        (seen("data:image/png;base64,A"), "picture_not_base64"),
        (seen(data_url(png()), detail="best"), "picture_invalid"),
        (seen(data_url(png()), role="assistant"), "picture_not_of_user"),
    ],
)
def test_a_wrong_picture_has_a_code_and_the_service_refuses_it(line: dict[str, Any], code: str) -> None:
    assert [problem.code for problem in chat.read_line(encode_json(line))[1]] == [code]
    with pytest.raises(LineProblem):
        check_line(line)


def test_the_service_counts_pictures() -> None:
    check_line(seen(*[data_url(png())] * 64))
    with pytest.raises(LineProblem, match="more than 64 images"):
        check_line(seen(*[data_url(png())] * 65))


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_the_size_of_an_embedded_picture_is_that_of_its_bytes(size: int) -> None:
    assert embedded_bytes(data_url(b"x" * size)) == size
    assert embedded_bytes("https://shop.example/a.png") == 0
