"""Tests of finelake.evaluation.asking: the real SDK against a chat endpoint over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable

import openai
import pytest
from tests.http.evaluation.chat_server import Recorder, Response, chat_server, completion, refusal

from finelake.config.evaluation import Evaluation
from finelake.errors import ServiceError
from finelake.evaluation.asking import Answer, Pace, Question, Stopped, ask
from finelake.evaluation.replies import Reply, ToolCall

pytestmark = pytest.mark.http

QUESTION = Question("key", "tuned", {"model": "m", "messages": [{"role": "user", "content": "Hello?"}]})
SOON = {"retry_after_ms": "20"}


def put(respond: Callable[[int], Response], *, evaluation: Evaluation | None = None) -> tuple[Answer, Recorder]:
    """Ask the question of a server that answers by the number of the request."""
    requests: list[None] = []

    def by_number(_path: str, _headers: object, _body: bytes) -> Response:
        requests.append(None)
        return respond(len(requests))

    with chat_server(by_number) as recorder, openai.OpenAI(api_key="k", base_url=recorder.url) as client:
        return ask(lambda: client, QUESTION, pace=Pace(), evaluation=evaluation or Evaluation()), recorder


def test_an_answer_carries_text_tokens_and_fingerprint() -> None:
    answer, _ = put(lambda _: completion("Good day."))
    assert answer.reply == Reply("Good day.")
    assert (answer.prompt_tokens, answer.completion_tokens, answer.fingerprint) == (10, 3, "fp_test")
    assert answer.billed
    assert answer.error is None


def test_tool_calls_are_read() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": '{"q":1}'}}
    answer, _ = put(lambda _: completion(None, finish_reason="tool_calls", tool_calls=[call]))
    assert answer.reply == Reply("", (ToolCall("find", '{"q":1}'),))


def test_too_many_requests_are_waited_out_beyond_what_the_sdk_retries() -> None:
    answer, recorder = put(lambda number: completion("At last.") if number > 8 else refusal(429, "429", **SOON))
    assert answer.reply.text == "At last."
    assert recorder.statuses() == {429: 8, 200: 1}


def test_patience_ends() -> None:
    with pytest.raises(ServiceError, match="asked to wait 5 s"):
        put(
            lambda _: refusal(429, "429", retry_after="5", x_should_retry="false"),
            evaluation=Evaluation(patience_seconds=4),
        )


def test_an_exhausted_quota_is_not_waited_for() -> None:
    with pytest.raises(ServiceError, match="insufficient_quota"):
        put(lambda _: refusal(429, "insufficient_quota", x_should_retry="false"))


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (refusal(400, "content_filter"), "content_filter"),
        (refusal(422, None), "http_422"),
        (refusal(400, "two words\nand a line"), "http_400"),
        (refusal(500, None, **SOON), "http_500"),
        (Response(200, b"not json"), "answer_unreadable"),
        (Response(200, b'{"id": "x", "object": "chat.completion", "choices": []}'), "answer_unreadable"),
        (Response(200, b"<html></html>", {"content-type": "text/html"}), "answer_unreadable"),
    ],
)
def test_a_failure_of_one_question_is_an_empty_answer_with_its_code(response: Response, code: str) -> None:
    answer, _ = put(lambda _: response)
    assert answer.error == code
    assert answer.reply.is_empty
    assert not answer.billed


def test_a_filtered_completion_is_a_billed_failure() -> None:
    answer, _ = put(lambda _: completion("half a sen", finish_reason="content_filter"))
    assert (answer.error, answer.billed, answer.reply) == ("content_filter", True, Reply())


@pytest.mark.parametrize(
    ("status", "code"), [(401, "invalid_api_key"), (403, "forbidden"), (404, "DeploymentNotFound")]
)
def test_a_refusal_that_meets_every_question_ends_the_evaluation(status: int, code: str) -> None:
    with pytest.raises(ServiceError, match=rf"status {status} \({code}\)"):
        put(lambda _: refusal(status, code))


def test_a_cut_connection_is_tried_again() -> None:
    cut = Response(0, b"")
    answer, recorder = put(lambda number: completion("Back again.") if number > 3 else cut)
    assert answer.reply.text == "Back again."
    assert recorder.statuses() == {0: 3, 200: 1}


def test_one_thread_that_is_told_to_wait_holds_all() -> None:
    pace = Pace()
    pace.hold(3600)
    outcome: list[str] = []

    def wait() -> None:
        try:
            pace.wait()
            outcome.append("went on")
        except Stopped:
            outcome.append("stopped")

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    pace.stop()
    for thread in threads:
        thread.join(timeout=10)
    assert outcome == ["stopped"] * 3
