"""Which tokens are trained: compared with the text, token by token."""

from __future__ import annotations

from typing import Any

import pytest

from finelake.huggingface.fitting import Fitting
from finelake.huggingface.job import JobError
from finelake.huggingface.template import IGNORED, ChatTemplate, Refused
from finelake.huggingface.tiny import TEMPLATE, tiny_tokenizer
from support.chats_to_learn import chats, pair, plain, texts, with_tools

UNMARKED = TEMPLATE.replace("{%- generation %}\n", "").replace("{%- endgeneration %}\n", "")

# Shows the thoughts of the last reply alone, as several families of open models do.
FORGETFUL = """\
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.role == 'assistant' and loop.last %}{{- '<think>\\n</think>\\n' }}{%- endif %}
{{- message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return tiny_tokenizer(texts(chats(300)), vocabulary=600)


@pytest.fixture(params=[TEMPLATE, UNMARKED], ids=["marked", "unmarked"])
def template(request: pytest.FixtureRequest, tokenizer: Any) -> ChatTemplate:
    return ChatTemplate(tokenizer, template=request.param)


def runs(tokenizer: Any, ids: list[int], labels: list[int]) -> list[tuple[bool, str]]:
    """Give the text in runs of tokens that are all trained or all not; checks each token's label on the way."""
    found: list[tuple[bool, list[int]]] = []
    for token, label in zip(ids, labels, strict=True):
        assert label in (token, IGNORED)
        if not found or found[-1][0] != (label != IGNORED):
            found.append((label != IGNORED, []))
        found[-1][1].append(token)
    return [(trained, tokenizer.decode(tokens)) for trained, tokens in found]


def test_of_several_turns_only_what_the_assistant_says_is_trained(template: ChatTemplate, tokenizer: Any) -> None:
    messages = plain(2)["messages"]
    encoded = template.encode(messages)
    said = [message["content"] for message in messages]
    assert runs(tokenizer, encoded.input_ids, encoded.labels) == [
        (
            False,
            f"<|im_start|>system\n{said[0]}<|im_end|>\n<|im_start|>user\n{said[1]}<|im_end|>\n<|im_start|>assistant\n",
        ),
        (True, f"{said[2]}<|im_end|>"),
        (False, f"\n<|im_start|>user\n{said[3]}<|im_end|>\n<|im_start|>assistant\n"),
        (True, f"{said[4]}<|im_end|>"),
        (False, "\n"),
    ]


def test_a_turn_of_weight_0_is_not_trained(template: ChatTemplate, tokenizer: Any) -> None:
    encoded = template.encode(plain(1)["messages"])
    trained = [text for trained, text in runs(tokenizer, encoded.input_ids, encoded.labels) if trained]
    assert len(trained) == 1
    assert trained[0].startswith("The ")
    assert trained[0].endswith("すぐに。<|im_end|>")


def test_calls_are_trained_and_definitions_and_results_are_not(template: ChatTemplate, tokenizer: Any) -> None:
    example = with_tools(5)
    encoded = template.encode(example["messages"], example["tools"])
    found = runs(tokenizer, encoded.input_ids, encoded.labels)
    assert [text for trained, text in found if trained] == [
        '<tool_call>\n{"name": "track_order", "arguments": {"order": "A-0005"}}\n</tool_call><|im_end|>',
        f"{example['messages'][-1]['content']}<|im_end|>",
    ]
    untrained = "".join(text for trained, text in found if not trained)
    assert '"description": "Tell where an order is."' in untrained
    assert example["messages"][2]["content"] in untrained


def test_the_tokens_are_those_of_apply_chat_template(tokenizer: Any) -> None:
    template = ChatTemplate(tokenizer)
    for example in chats(30):
        messages = [
            {**message, "content": message["content"] or ""} | _calls_as_objects(message)
            for message in example["messages"]
        ]
        expected = tokenizer.apply_chat_template(messages, tools=example.get("tools"), return_dict=True)["input_ids"]
        assert template.encode(example["messages"], example.get("tools", ())).input_ids == expected
        assert template.count(example["messages"], example.get("tools", ())) == len(expected)


def _calls_as_objects(message: dict[str, Any]) -> dict[str, Any]:
    import json

    calls = message.get("tool_calls")
    if not calls:
        return {}
    return {
        "tool_calls": [
            {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
            for call in calls
        ]
    }


def test_a_template_that_changes_earlier_turns_and_marks_none_is_refused(tokenizer: Any) -> None:
    template = ChatTemplate(tokenizer, template=FORGETFUL)
    with pytest.raises(JobError, match="what is trained cannot be told") as caught:
        template.encode(plain(2)["messages"])
    assert caught.value.code == "template_not_prefix_stable"


def test_a_tokenizer_without_a_template_is_refused() -> None:
    bare = tiny_tokenizer(["a"], vocabulary=300, template="")
    bare.chat_template = None
    with pytest.raises(JobError, match="no chat template"):
        ChatTemplate(bare)


def long_chat(*, weights: list[int]) -> dict[str, Any]:
    turns = [
        [
            {"role": "user", "content": f"Question {n}: " + "where is it? " * 10},
            {"role": "assistant", "content": f"Answer {n}: " + "it is on its way. " * 10, "weight": weight},
        ]
        for n, weight in enumerate(weights)
    ]
    return {"messages": [{"role": "system", "content": "Be kind."}, *(message for turn in turns for message in turn)]}


def test_context_is_cut_at_exchanges_until_the_example_fits(tokenizer: Any) -> None:
    template = ChatTemplate(tokenizer)
    chat = long_chat(weights=[0, 0, 0, 1])
    whole = len(template.encode(chat["messages"]).input_ids)
    fitting = Fitting(template=template, max_length=whole - 1, too_long="cut", method="sft")

    found = fitting(chat)

    text = tokenizer.decode(found.features["input_ids"])
    assert found.cut == 2
    assert text.startswith("<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nQuestion 1:")
    assert found.features == {
        "input_ids": (shorter := template.encode([chat["messages"][0], *chat["messages"][3:]])).input_ids,
        "labels": shorter.labels,
    }


@pytest.mark.parametrize("weights", [[1, 0, 0, 1], [0, 0, 0, 1]])
def test_a_trained_reply_is_never_cut_but_the_example_refused(tokenizer: Any, weights: list[int]) -> None:
    template = ChatTemplate(tokenizer)
    chat = long_chat(weights=weights)
    first = weights.index(1)
    least = len(template.encode([chat["messages"][0], *chat["messages"][1 + 2 * first :]]).input_ids)
    Fitting(template=template, max_length=least, too_long="cut", method="sft")(chat)
    with pytest.raises(Refused, match="example_too_long"):
        Fitting(template=template, max_length=least - 1, too_long="cut", method="sft")(chat)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"messages": [*plain(2)["messages"][:2], {**plain(2)["messages"][2], "weight": 0}]}, "nothing_trained"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}, plain(2)["messages"][2]]},
            "not_text",
        ),
        ({"lines": []}, "line_invalid"),
    ],
)
def test_what_cannot_be_trained_on_has_a_reason(tokenizer: Any, line: dict[str, Any], reason: str) -> None:
    fitting = Fitting(template=ChatTemplate(tokenizer), max_length=999, too_long="cut", method="sft")
    with pytest.raises(Refused) as caught:
        fitting(line)
    assert caught.value.reason == reason


def test_a_pair_shares_its_prompt_and_learns_both_answers(tokenizer: Any) -> None:
    fitting = Fitting(template=ChatTemplate(tokenizer), max_length=999, too_long="cut", method="dpo")
    found = fitting(pair(3)).features
    assert tokenizer.decode(found["prompt_ids"]).endswith("<|im_start|>assistant\n")
    assert tokenizer.decode(found["rejected_ids"]) == "No idea, look it up.<|im_end|>\n"
    assert tokenizer.decode([token for token in found["chosen_labels"] if token != IGNORED]).endswith("<|im_end|>")


def test_results_of_tools_within_an_answer_do_not_count(tokenizer: Any) -> None:
    from finelake.huggingface.trainers import PairCollator

    chat = with_tools(5)
    line = {
        "input": {"messages": chat["messages"][:1], "tools": chat["tools"]},
        "preferred_output": chat["messages"][1:],
        "non_preferred_output": [{"role": "assistant", "content": "I do not know."}],
    }
    features = Fitting(template=ChatTemplate(tokenizer), max_length=999, too_long="cut", method="dpo")(line).features
    batch = PairCollator(pad_token_id=tokenizer.pad_token_id).torch_call([features])
    counted = [
        tokenizer.decode(ids[mask == 1]) for ids, mask in zip(batch["input_ids"], batch["completion_mask"], strict=True)
    ]
    assert counted == [
        '<tool_call>\n{"name": "track_order", "arguments": {"order": "A-0005"}}\n</tool_call><|im_end|>'
        f"{chat['messages'][-1]['content']}<|im_end|>",
        "I do not know.<|im_end|>",
    ]
