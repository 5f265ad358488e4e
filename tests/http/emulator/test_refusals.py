"""What the service refuses, in the envelope and the words that its clients know."""

from __future__ import annotations

import json
from io import BytesIO

import pytest
from azure.core.exceptions import HttpResponseError
from openai import AuthenticationError, BadRequestError, NotFoundError, OpenAI

pytestmark = pytest.mark.http

USER = {"role": "user", "content": "Where is my helmet?"}
REPLY = {"role": "assistant", "content": "It comes tomorrow."}


@pytest.fixture(scope="module")
def training(emulator, tools):
    """A processed training file."""
    return tools.upload(emulator.azure(), tools.talk_lines(12, seed=1))


@pytest.mark.parametrize("surface", ["azure", "v1", "openai"])
def test_wrong_key_is_refused(emulator, surface):
    client = getattr(emulator, surface)().with_options(api_key="wrong")
    with pytest.raises(AuthenticationError) as caught:
        client.files.list()
    assert caught.value.code == ("invalid_api_key" if surface == "openai" else "401")


def test_key_is_accepted_in_either_header(emulator, tools):
    with OpenAI(
        base_url=f"{emulator.url}/openai", api_key=tools.key, default_query={"api-version": "2024-10-21"}
    ) as bearer:
        assert bearer.files.list().object == "list"


def test_dated_version_is_needed_on_dated_paths_and_refused_on_v1(emulator):
    v1 = emulator.v1()
    with pytest.raises(BadRequestError, match="not allowed when using /v1"):
        v1.with_options(default_query={"api-version": "2024-10-21"}).files.list()
    assert v1.with_options(default_query={"api-version": "preview"}).files.list().data is not None
    with pytest.raises(BadRequestError, match="api-version"):
        v1.with_options(base_url=f"{emulator.url}/openai").files.list()


def test_uploads_are_not_offered_on_v1(emulator):
    with pytest.raises(NotFoundError):
        emulator.v1().uploads.create(bytes=10, filename="a.jsonl", mime_type="application/jsonl", purpose="fine-tune")


def test_other_host_names_are_refused(emulator):
    client = emulator.v1()
    with pytest.raises(BadRequestError):
        client.with_options(default_headers={"Host": "example.com"}).files.list()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"suffix": "x" * 41}, "suffix"),
        ({"suffix": "two.parts"}, "suffix"),
        ({"model": "gpt-9"}, "model"),
        ({"seed": 2**31}, "seed"),
        ({"extra": {}}, "model"),
        ({"extra": {"trainingType": "Cheap"}}, "trainingType"),
        ({"hyperparameters": {"n_epochs": 51}}, "hyperparameters.n_epochs"),
        ({"hyperparameters": {"batch_size": 0}}, "hyperparameters.batch_size"),
        ({"hyperparameters": {"learning_rate_multiplier": 0}}, "hyperparameters.learning_rate_multiplier"),
        ({"method": {"type": "reinforcement"}}, "method"),
        ({"metadata": {"k": "v" * 513}}, "metadata"),
        ({"validation": "file-of-nobody"}, "validation_file"),
    ],
)
def test_wrong_job_is_refused(emulator, tools, training, options, named):
    with pytest.raises(BadRequestError) as caught:
        tools.create_job(emulator.azure(), training, **options)
    assert caught.value.code == "invalidPayload"
    assert caught.value.body["target"] == named


def test_missing_training_type_gives_the_misleading_error(emulator, tools, training):
    with pytest.raises(BadRequestError, match="base model does not support fine-tuning"):
        tools.create_job(emulator.azure(), training, extra={})


@pytest.mark.parametrize(
    ("given", "echoed"),
    [("GLOBALSTANDARD", "globalStandard"), ("developerTier", "developerTier"), ("Standard", "standard")],
)
def test_training_type_is_read_in_any_case(emulator, tools, training, given, echoed):
    client = emulator.azure()
    job = tools.create_job(client, training, extra={"trainingType": given})
    assert job.trainingType == echoed
    assert job.status == "pending"
    tools.finished(client, job.id)


def test_file_that_is_not_processed_is_refused_on_azure(emulator, tools):
    client = emulator.azure()
    waiting = tools.upload(client, tools.talk_lines(12, seed=1), wait=False)
    with pytest.raises(BadRequestError, match="must be processed"):
        tools.create_job(client, waiting)


def test_nine_examples_are_refused(emulator, tools):
    client = emulator.azure()
    few = tools.upload(client, tools.talk_lines(9, seed=1))
    with pytest.raises(BadRequestError, match=r"9 example.*at least 10") as caught:
        tools.create_job(client, few)
    assert caught.value.code == "jsonlValidationFailed"


def test_openai_job_with_nine_examples_fails_later(emulator, tools):
    client = emulator.openai()
    job = tools.create_job(client, tools.upload(client, tools.talk_lines(9, seed=1), wait=False), extra={})
    failed = tools.finished(client, job.id)
    assert failed.status == "failed"
    assert failed.error.param == "training_file"
    assert "at least 10 examples" in failed.error.message


def test_wrong_purpose_is_refused(emulator, tools):
    client = emulator.azure()
    other = client.files.create(file=("a.jsonl", BytesIO(b"{}\n")), purpose="batch")
    client.files.wait_for_processing(other.id, poll_interval=0.05)
    with pytest.raises(BadRequestError, match="purpose"):
        tools.create_job(client, other.id)
    with pytest.raises(BadRequestError, match="purpose"):
        client.files.create(file=("a.jsonl", BytesIO(b"{}\n")), purpose="fine-tune-results")


def test_file_name_and_empty_file_are_refused(emulator, tools):
    client = emulator.azure()
    with pytest.raises(BadRequestError, match=r"\.jsonl"):
        tools.upload(client, b"{}\n", name="train.json")
    with pytest.raises(BadRequestError, match="empty"):
        tools.upload(client, b"")


def test_bad_line_makes_the_file_an_error_with_its_place(emulator, tools):
    client = emulator.azure()
    bad = {"messages": [USER, {"role": "assistant", "content": "It is <|fim_suffix|> here."}]}
    content = tools.talk_lines(6173, seed=1) + json.dumps(bad).encode() + b"\n"
    file = client.files.retrieve(tools.upload(client, content))
    assert file.status == "error"
    assert file.status_details == "Invalid file format. Example 6174 message contains an invalid token: <|fim_suffix|>"
    with pytest.raises(BadRequestError, match="status error"):
        tools.create_job(client, file.id)


def test_job_that_is_not_over_has_no_model_to_deploy(shared_emulator, tools):
    running = shared_emulator(queue_seconds=600.0)
    client = running.azure()
    job = tools.create_job(client, tools.upload(client, tools.talk_lines(12, seed=1)))
    with pytest.raises(HttpResponseError, match="not supported"):
        running.deploy("bikes", model=f"{tools.model}.ft-{job.id.removeprefix('ftjob-')}")
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"


def test_twenty_jobs_wait_and_the_next_is_refused(shared_emulator, tools):
    running = shared_emulator(queue_seconds=600.0)
    client = running.azure()
    training = tools.upload(client, tools.talk_lines(10, seed=1))
    for _ in range(21):
        tools.create_job(client, training)
    with pytest.raises(Exception, match="jobs are waiting") as caught:
        tools.create_job(client, training)
    assert caught.value.status_code == 429


def test_job_that_is_over_cannot_be_cancelled_or_paused(tuned, emulator):
    jobs = emulator.azure().fine_tuning.jobs
    for act in (jobs.cancel, jobs.pause, jobs.resume):
        with pytest.raises(BadRequestError) as caught:
            act(tuned.job.id)
        assert caught.value.code == "unexpectedEntityState"


@pytest.mark.parametrize(
    "options",
    [
        {"stream": True},
        {"n": 2},
        {"messages": []},
        {"temperature": 3},
        {"max_tokens": 0},
        {"messages": [USER, {"role": "tool", "tool_call_id": "call_1", "content": "{}"}]},
        {
            "messages": [
                USER,
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                },
                USER,
            ]
        },
        {"messages": [{"role": "robot", "content": "hello"}]},
        {"messages": [{"role": "user", "content": None}]},
    ],
)
def test_wrong_chat_is_refused(tuned, emulator, options):
    with pytest.raises(BadRequestError) as caught:
        emulator.azure().chat.completions.create(**{"model": tuned.deployment, "messages": [USER], **options})
    assert caught.value.code == "invalidPayload"


def test_unknown_names_are_not_found(emulator):
    client = emulator.azure()
    with pytest.raises(NotFoundError) as caught:
        client.chat.completions.create(model="nobody", messages=[USER])
    assert caught.value.code == "DeploymentNotFound"
    for look in (client.files.retrieve, client.fine_tuning.jobs.retrieve, client.fine_tuning.jobs.list_events):
        with pytest.raises(NotFoundError):
            look("nothing-of-that-name")
    with pytest.raises(NotFoundError) as caught:
        emulator.openai().chat.completions.create(model="gpt-9", messages=[USER])
    assert caught.value.code == "model_not_found"


def test_listing_files_ends(emulator, training):
    listed = emulator.azure().files.list()
    assert listed.has_more is False
    assert training in [file.id for file in listed]


def test_wrong_page_is_refused(tuned, emulator):
    jobs = emulator.azure().fine_tuning.jobs
    with pytest.raises(BadRequestError, match="limit"):
        jobs.list_events(tuned.job.id, limit=1000)
    with pytest.raises(BadRequestError, match="after"):
        jobs.list_events(tuned.job.id, after="ftevent-nobody")
