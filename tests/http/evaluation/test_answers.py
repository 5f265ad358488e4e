"""Tests of finelake.evaluation.answers: what is asked, recorded, and kept when things end early."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import openai
import pytest
from tests.http.evaluation.chat_server import Recorder, Responder, Response, chat_server, completion, refusal

from finelake.config.evaluation import Evaluation
from finelake.errors import ServiceError
from finelake.evaluation.answers import AnswerProgress, collect_answers
from finelake.evaluation.asking import Answer, Question
from finelake.evaluation.prompts import payload_key

pytestmark = pytest.mark.http

EVALUATION = Evaluation(record_every=5, concurrency=3, max_failed_share=0.1)


class MemoryStore:
    """Answers kept in the test's memory, and the size of each record."""

    def __init__(self) -> None:
        self.kept: dict[str, Answer] = {}
        self.sizes: list[int] = []

    def read(self) -> dict[str, Answer]:
        return dict(self.kept)

    def record(self, answers: Sequence[Answer]) -> None:
        assert not self.kept.keys() & {answer.key for answer in answers}
        self.kept |= {answer.key: answer for answer in answers}
        self.sizes.append(len(answers))

    def keep(self, answer: Answer) -> None:
        assert answer.billed


class Free:
    """Batches that nobody else may want, and what was begun and ended of them."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ended = 0

    def begin(self, keys: Sequence[str], *, at_once: int) -> str:
        assert at_once > 0
        self.begun.append(len(keys))
        return "batch"

    def stay(self) -> None:
        assert len(self.begun) > self.ended, "a question goes out without a batch"

    def end(self, name: str) -> None:
        assert name == "batch"
        self.ended += 1


def questions(count: int) -> list[Question]:
    payloads = [{"model": "m", "messages": [{"role": "user", "content": f"Question {at}"}]} for at in range(count)]
    return [Question(payload_key(payload), "tuned", payload) for payload in payloads]


def place(body: bytes) -> int:
    return int(json.loads(body)["messages"][0]["content"].split()[1])


def collect(
    respond: Responder, asked: Sequence[Question], store: MemoryStore, *, evaluation: Evaluation = EVALUATION
) -> tuple[dict[str, Answer], Recorder, list[AnswerProgress]]:
    progress: list[AnswerProgress] = []
    with chat_server(respond) as recorder, openai.OpenAI(api_key="k", base_url=recorder.url) as client:
        answers = collect_answers(
            lambda: client, asked, store=store, batches=Free(), evaluation=evaluation, observer=progress.append
        )
    return answers, recorder, progress


def echo(_path: str, _headers: Mapping[str, str], body: bytes) -> Response:
    return completion(f"Answer {place(body)}")


def test_every_question_gets_its_own_answer_and_all_are_recorded() -> None:
    store, asked = MemoryStore(), questions(23)
    answers, recorder, progress = collect(echo, asked, store)
    assert [answers[question.key].reply.text for question in asked] == [f"Answer {at}" for at in range(23)]
    assert store.kept == answers
    assert all(size >= 5 for size in store.sizes[:-1])
    assert recorder.statuses() == {200: 23}
    assert (progress[0].done, progress[-1].done, progress[-1].total) == (0, 23, 23)


def test_equal_questions_are_asked_once() -> None:
    answers, recorder, _ = collect(echo, questions(4) * 3, MemoryStore())
    assert len(answers) == 4
    assert recorder.statuses() == {200: 4}


def test_recorded_answers_are_not_asked_again() -> None:
    store, asked = MemoryStore(), questions(12)
    collect(echo, asked[:7], store)
    _, recorder, progress = collect(echo, asked, store)
    assert recorder.answered().keys() == {question.key for question in asked[7:]}
    assert progress[-1].reused == 7


def test_few_failures_are_recorded_as_empty_answers() -> None:
    def one_filtered(path: str, headers: Mapping[str, str], body: bytes) -> Response:
        return refusal(400, "content_filter") if place(body) == 3 else echo(path, headers, body)

    store, asked = MemoryStore(), questions(20)
    answers, _, progress = collect(one_filtered, asked, store)
    assert answers[asked[3].key].error == "content_filter"
    assert answers[asked[3].key].reply.is_empty
    assert store.kept == answers
    assert progress[-1].failed == 1


def test_too_many_failures_end_it_early_and_only_they_are_asked_again() -> None:
    def third_filtered(path: str, headers: Mapping[str, str], body: bytes) -> Response:
        return refusal(400, "content_filter") if place(body) % 3 == 0 else echo(path, headers, body)

    store, asked = MemoryStore(), questions(60)
    with pytest.raises(ServiceError, match=r"of 60 test prompts \(content_filter: \d+\)"):
        collect(third_filtered, asked, store)
    kept = set(store.kept)
    assert 0 < len(kept) < 40
    assert all(answer.error is None for answer in store.kept.values())
    answers, recorder, _ = collect(echo, asked, store)
    assert recorder.answered().keys() == {question.key for question in asked} - kept
    assert len(answers) == 60


def test_billed_answers_survive_a_refusal_that_ends_everything() -> None:
    def deleted_midway(path: str, headers: Mapping[str, str], body: bytes) -> Response:
        return refusal(404, "DeploymentNotFound") if place(body) >= 9 else echo(path, headers, body)

    store, asked = MemoryStore(), questions(30)
    with chat_server(deleted_midway) as recorder, openai.OpenAI(api_key="k", base_url=recorder.url) as client:
        with pytest.raises(ServiceError, match="DeploymentNotFound"):
            collect_answers(lambda: client, asked, store=store, batches=Free(), evaluation=EVALUATION)
        assert recorder.answered().keys() == store.kept.keys()
    assert store.kept


def test_an_interruption_keeps_what_was_paid() -> None:
    store, asked = MemoryStore(), questions(30)

    def interrupt(progress: AnswerProgress) -> None:
        if progress.done >= 8:
            raise KeyboardInterrupt

    with chat_server(echo) as recorder, openai.OpenAI(api_key="k", base_url=recorder.url) as client:
        with pytest.raises(KeyboardInterrupt):
            collect_answers(
                lambda: client, asked, store=store, batches=Free(), evaluation=EVALUATION, observer=interrupt
            )
        assert recorder.answered().keys() == store.kept.keys()
    assert len(store.kept) >= 8
