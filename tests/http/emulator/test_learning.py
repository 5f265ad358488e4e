"""The learner is honest: true cross-entropies, checked against a count by hand, and dirty data shows."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from finelake.emulator.learner import NgramModel
from finelake.emulator.plan import Plan
from finelake.emulator.tokens import ALPHABET, END, count_example, encoder, stream
from finelake.training.epochs import auto_batch_size

TEXTS = ("the cat sat on the mat", "the dog sat on the cat", "a dog and a cat and a mat")


def examples(texts=TEXTS):
    """Make one example of each text."""
    return [[{"role": "user", "content": "Tell me more."}, {"role": "assistant", "content": text}] for text in texts]


def streams(texts=TEXTS):
    """Lay the examples out."""
    return [stream(messages, encoding=encoder(), limit=1000) for messages in examples(texts)]


def by_hand(learned, token, context):
    """Compute the interpolated probability from a plain list of (two tokens before, one before, token)."""
    chance = 1.0 / ALPHABET
    for order in range(3):
        tail = context[2 - order :]
        followers = Counter(third for *before, third in learned if tuple(before[2 - order :]) == tail)
        if followers:
            kinds, total = len(followers), followers.total()
            chance = (followers[token] + kinds * chance) / (total + kinds)
    return chance


def triples(laid_out):
    """List the trained tokens with the two before them."""
    return [
        (one.ids[place - 2], one.ids[place - 1], one.ids[place])
        for one in laid_out
        for start, stop in one.spans
        for place in range(start, stop)
    ]


def test_cross_entropy_is_that_of_a_count_by_hand():
    model, laid_out = NgramModel(), streams()
    model.learn([*laid_out[:2], laid_out[0]])
    learned = triples([*laid_out[:2], laid_out[0]])
    expected = [-math.log(by_hand(learned, token, (first, second))) for first, second, token in triples(laid_out)]
    score = model.score(laid_out)
    assert score.tokens == len(expected)
    assert score.loss == pytest.approx(sum(expected) / len(expected), rel=1e-12)


def test_probabilities_of_all_tokens_sum_to_one():
    model, laid_out = NgramModel(), streams()
    model.learn(laid_out)
    for context in [(END, END), *[triple[:2] for triple in triples(laid_out)[:4]]]:
        assert math.fsum(model.probability(*context, token) for token in range(ALPHABET)) == pytest.approx(1.0)


def test_nothing_learned_means_every_token_is_equally_likely():
    score = NgramModel().score(streams())
    assert score.loss == pytest.approx(math.log(ALPHABET))
    assert score.accuracy == 0.0


def test_accuracy_counts_tokens_that_were_the_likeliest():
    model, laid_out = NgramModel(), streams(["one two three", "one two three", "one two four"])
    model.learn(laid_out)
    whole = model.score(laid_out)
    # Four trained tokens each, the end among them; only " four" is less likely than " three".
    assert (whole.tokens, whole.right) == (12, 11)


def test_messages_of_weight_zero_are_not_trained():
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "skip this", "weight": 0},
        {"role": "user", "content": "And now?"},
        {"role": "assistant", "content": "learn this", "weight": 1},
    ]
    laid_out = stream(messages, encoding=encoder(), limit=1000)
    ((start, stop),) = laid_out.spans
    assert encoder().decode(list(laid_out.ids[start : stop - 1])) == "learn this"
    assert laid_out.trained == stop - start


def test_tool_calls_are_trained_and_long_examples_are_cut():
    call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": '{"a": 1}'}}
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": None, "tool_calls": [call]}]
    whole = stream(messages, encoding=encoder(), limit=1000)
    expected = len(encoder().encode_ordinary("find")) + len(encoder().encode_ordinary('{"a": 1}')) + 3
    assert whole.trained == expected
    assert stream(messages, encoding=encoder(), limit=len(whole.ids) - 4).trained == expected - 2
    assert stream(messages, encoding=encoder(), limit=2).spans == ()


@pytest.mark.parametrize(("count", "size"), [(10, 1), (999, 1), (1000, 2), (5000, 10), (1_000_000, 256)])
def test_auto_batch_is_a_fifth_of_a_percent(count, size):
    assert auto_batch_size(count) == size


@pytest.mark.parametrize(("count", "epochs", "batch"), [(10, 3, 4), (10, 10, 1), (7, 2, 7), (33, 3, 10)])
def test_every_epoch_learns_each_example_once_in_a_new_order(count, epochs, batch):
    plan = Plan(count, epochs, batch, 5)
    steps = list(plan.batches())
    assert len(steps) == plan.total_steps == math.ceil(count * epochs / batch)
    flat = [place for step in steps for place in step]
    parts = [flat[start : start + count] for start in range(0, len(flat), count)]
    assert [sorted(part) for part in parts] == [list(range(count))] * epochs
    assert len({tuple(part) for part in parts}) == epochs
    assert steps == list(Plan(count, epochs, batch, 5).batches())
    assert steps != list(Plan(count, epochs, batch, 6).batches())
    assert [sum(map(len, steps[:end])) >= count * (place + 1) for place, end in enumerate(plan.epoch_ends())] == [
        True
    ] * epochs
    assert plan.seen_by(1) == frozenset(steps[0])


def test_billed_tokens_follow_the_published_formula():
    def size(text):
        return len(encoder().encode_ordinary(text))

    messages = [{"role": "user", "content": "Hello there", "name": "Ann"}, {"role": "assistant", "content": "Hi"}]
    expected = 3 + (3 + size("user") + size("Hello there") + 1 + size("Ann")) + (3 + size("assistant") + size("Hi"))
    assert count_example({"messages": messages}, encoding=encoder()) == expected
    parameters = {
        "type": "object",
        "properties": {"unit": {"type": "string", "description": "Unit.", "enum": ["C", "F"]}},
    }
    tool = {"type": "function", "function": {"name": "heat", "description": "Heat now.", "parameters": parameters}}
    tools = 7 + size("heat:Heat now") + 3 + 3 + size("unit:string:Unit") - 3 + (3 + size("C")) + (3 + size("F")) + 12
    assert count_example({"messages": messages, "tools": [tool]}, encoding=encoder()) == expected + tools


@pytest.mark.http
def test_dirty_training_data_gives_worse_losses_on_clean_validation(emulator, tools):
    client = emulator.azure()
    validation = tools.upload(client, tools.talk_lines(30, seed=2))
    losses, accuracies = {}, {}
    for shuffled in (False, True):
        training = tools.upload(client, tools.talk_lines(80, seed=1, shuffled=shuffled))
        job = tools.finished(client, tools.create_job(client, training, validation).id)
        metrics = client.fine_tuning.jobs.checkpoints.list(job.id).data[0].metrics
        losses[shuffled] = metrics.full_valid_loss
        accuracies[shuffled] = metrics.full_valid_mean_token_accuracy
    assert losses[True] > 2 * losses[False]
    assert accuracies[True] < accuracies[False] / 2
