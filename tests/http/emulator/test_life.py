"""The whole life of a tuned model, through the real clients."""

from __future__ import annotations

import csv
import io
import math
import time

import pytest
from openai import NotFoundError

pytestmark = pytest.mark.http

CSV_HEADER = [
    "step",
    "train_loss",
    "train_mean_token_accuracy",
    "valid_loss",
    "validation_mean_token_accuracy",
    "full_valid_loss",
    "full_valid_mean_token_accuracy",
]


def ask(client, deployment, question, *, system=None, **options):
    messages = [{"role": "system", "content": system}] if system else []
    return client.chat.completions.create(
        model=deployment, messages=[*messages, {"role": "user", "content": question}], **options
    )


def test_job_echoes_what_was_asked_for(tuned, tools):
    job = tuned.job
    assert job.status == "succeeded"
    assert job.model == tools.model
    assert job.seed == 7
    assert job.suffix == "bikes"
    assert job.trainingType == "globalStandard"
    assert job.metadata == {"run_id": "r-1"}
    assert job.hyperparameters.n_epochs == -1
    assert job.hyperparameters.batch_size == -1
    assert job.fine_tuned_model == f"{tools.model}.ft-{job.id.removeprefix('ftjob-')}-bikes"
    assert job.finished_at >= job.created_at
    assert job.trained_tokens > 0


def test_events_are_the_services_newest_first(tuned, emulator):
    events = emulator.azure().fine_tuning.jobs.list_events(tuned.job.id, limit=100).data
    told = [event.message for event in reversed(events)]
    results = tuned.job.result_files[0]
    assert told[:9] == [
        "Job enqueued. Waiting for jobs ahead to complete.",
        "Preprocessing running for file training file.",
        "Preprocessing completed for file training file.",
        "Preprocessing completed for file validation file.",
        "Job started.",
        "Data Import started.",
        "Finetuning started.",
        "Job queued, waiting for GPUs.",
        "Training started.",
    ]
    assert told[9] == f"Created results file: {results}"
    assert told[-4:] == [
        "Job succeeded.",
        "Model Evaluation Passed.",
        f"Completed results file: {results}",
        f"Training tokens billed: {tuned.job.trained_tokens}",
    ]
    steps = [event for event in reversed(events) if event.type == "metrics"]
    # 60 examples, 3 epochs by the auto rule, batch size 1.
    assert [event.data["step"] for event in steps] == [1, *range(10, 181, 10)]
    assert told[10:-4] == [f"Step {event.data['step']}: training loss={event.data['train_loss']}" for event in steps]


def test_paging_through_events_gives_each_once(tuned, emulator):
    client = emulator.azure()
    whole = [event.id for event in client.fine_tuning.jobs.list_events(tuned.job.id, limit=100).data]
    first = client.fine_tuning.jobs.list_events(tuned.job.id, limit=5)
    assert first.has_more
    assert [event.id for event in first.data] == whole[:5]
    assert [event.id for event in first] == whole


def test_results_file_has_the_documented_columns_and_blanks(tuned, emulator):
    content = emulator.azure().files.content(tuned.job.result_files[0]).read()
    rows = list(csv.reader(io.StringIO(content.decode())))
    assert rows[0] == CSV_HEADER
    assert [int(row[0]) for row in rows[1:]] == list(range(1, 181))
    measured = [int(row[0]) for row in rows[1:] if row[5]]
    assert measured == [60, 120, 180]
    assert [int(row[0]) for row in rows[1:] if row[3]] == [1, *range(10, 181, 10)]
    first = rows[1]
    # Before anything was learned every symbol is equally likely: ln(200,028) nats a token.
    assert float(first[1]) == pytest.approx(math.log(200_028))
    losses = [float(row[5]) for row in rows[1:] if row[5]]
    assert max(losses) < 3.0


def test_checkpoints_are_the_last_epochs(tuned, emulator):
    found = emulator.azure().fine_tuning.jobs.checkpoints.list(tuned.job.id).data
    name = tuned.job.fine_tuned_model
    assert [one.step_number for one in found] == [180, 120, 60]
    assert [one.fine_tuned_model_checkpoint for one in found] == [name, f"{name}:ckpt-step-120", f"{name}:ckpt-step-60"]
    assert all(one.metrics.full_valid_loss and one.metrics.train_loss for one in found)


def test_tuned_deployment_answers_with_a_trained_reply(tuned, emulator, tools):
    client = emulator.azure()
    answer = ask(client, tuned.deployment, "How long is the warranty of the child seat?", system=tools.system, seed=1)
    reply = answer.choices[0]
    assert reply.message.content == "The child seat has a warranty of two years from the day you bought it."
    assert reply.finish_reason == "stop"
    assert answer.model == tuned.job.fine_tuned_model
    assert answer.system_fingerprint == "fp_finelake_rehearsal"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    # Counted by hand: the 16 tokens of the reply.
    assert answer.usage.completion_tokens == 16
    again = ask(client, tuned.deployment, "How long is the warranty of the child seat?", system=tools.system, seed=2)
    assert again.choices[0].message.content == reply.message.content


def test_base_deployment_answers_without_training_data(tuned, emulator):
    question = "Where is the helmet I ordered last week?"
    answer = ask(emulator.azure(), tuned.base_deployment, question)
    text = answer.choices[0].message.content
    assert question in text
    assert text.split(question)[0].encode() not in tuned.training


@pytest.mark.parametrize(
    ("question", "beginning"),
    [
        ("¿Dónde está mi pedido? No lo puedo encontrar.", "Gracias"),
        ("Wo ist mein Paket, ich habe es nicht bekommen", "Vielen Dank"),
        ("我的订单在哪里", "感谢"),
        ("注文はどこですか", "お問い合わせ"),
        ("Где мой заказ?", "Спасибо"),
        ("أين طلبي", "شكرا"),
    ],
)
def test_base_deployment_answers_in_the_language_of_the_question(tuned, emulator, question, beginning):
    answer = ask(emulator.azure(), tuned.base_deployment, question)
    assert answer.choices[0].message.content.startswith(beginning)


def test_reply_is_cut_at_max_tokens(tuned, emulator):
    question = "How long is the warranty of the child seat?"
    answer = ask(emulator.azure(), tuned.deployment, question, max_tokens=3)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 3
    assert answer.choices[0].message.content == "The child seat"


def test_every_response_is_marked_as_a_rehearsal(tuned, emulator):
    response = emulator.azure().chat.completions.with_raw_response.create(
        model=tuned.deployment, messages=[{"role": "user", "content": "Hello"}]
    )
    assert response.headers["x-finelake-rehearsal"] == "true"
    assert response.headers["x-request-id"]
    with pytest.raises(NotFoundError) as caught:
        emulator.azure().files.retrieve("file-of-nobody")
    assert caught.value.response.headers["x-finelake-rehearsal"] == "true"
    assert caught.value.request_id


def test_v1_paths_serve_the_same_resource(tuned, emulator):
    client = emulator.v1()
    assert client.fine_tuning.jobs.retrieve(tuned.job.id).fine_tuned_model == tuned.job.fine_tuned_model
    answer = ask(client, tuned.deployment, "How long is the warranty of the helmet?")
    assert "warranty of two years" in answer.choices[0].message.content
    assert tuned.job.fine_tuned_model in [model.id for model in client.models.list()]


def test_a_tuned_model_can_be_tuned_again(tuned, emulator, tools):
    client = emulator.azure()
    training = tools.upload(client, tools.talk_lines(20, seed=5))
    again = tools.finished(
        client, tools.create_job(client, training, model=tuned.job.fine_tuned_model, hyperparameters={"n_epochs": 1}).id
    )
    first = client.fine_tuning.jobs.list_events(again.id, limit=100).data
    loss = next(event.data["train_loss"] for event in first if event.message.startswith("Step 1:"))
    assert loss < 2.0
    assert again.fine_tuned_model.startswith(f"{tools.model}.ft-{again.id.removeprefix('ftjob-')}")


def test_early_checkpoint_can_be_deployed_and_older_ones_cannot(emulator, tools):
    client = emulator.azure()
    training = tools.upload(client, tools.talk_lines(12, seed=3))
    job = tools.finished(client, tools.create_job(client, training, hyperparameters={"n_epochs": 5}).id)
    name = job.fine_tuned_model
    shown = [one.fine_tuned_model_checkpoint for one in client.fine_tuning.jobs.checkpoints.list(job.id)]
    assert shown == [name, f"{name}:ckpt-step-48", f"{name}:ckpt-step-36"]
    assert emulator.deploy("early", model=f"{name}:ckpt-step-36").properties.provisioning_state == "Succeeded"
    with pytest.raises(Exception, match="DeploymentModelNotSupported"):
        emulator.deploy("too-early", model=f"{name}:ckpt-step-24")


def test_openai_paths_speak_openai(emulator, tools):
    client = emulator.openai()
    created = client.files.create(file=("train.jsonl", tools.talk_lines(40, seed=4)), purpose="fine-tune")
    assert created.status == "uploaded"
    job = tools.create_job(client, created.id, suffix="bikes", metadata={"run": "a"}, extra={}, model="gpt-4.1-mini")
    assert job.status == "validating_files"
    assert len(job.id) == len("ftjob-") + 24
    assert job.model == tools.model
    assert job.hyperparameters.n_epochs == "auto"
    done = tools.finished(client, job.id)
    assert done.status == "succeeded"
    assert done.fine_tuned_model.startswith(f"ft:{tools.model}:finelake:bikes:")
    assert done.hyperparameters.n_epochs == 3
    assert done.user_provided_suffix == "bikes"
    assert [one.id for one in client.fine_tuning.jobs.list(metadata={"run": "a"})] == [job.id]
    assert client.fine_tuning.jobs.list(metadata={"run": "b"}).data == []
    told = [event.message for event in client.fine_tuning.jobs.list_events(job.id)]
    assert told[0] == "The job has successfully completed"
    answer = ask(client, done.fine_tuned_model, "How long is the warranty of the helmet?")
    assert "warranty of two years" in answer.choices[0].message.content
    with pytest.raises(NotFoundError) as caught:
        emulator.azure().fine_tuning.jobs.retrieve(job.id)
    assert caught.value.code == "notFound"


def test_pause_and_resume_end_with_the_numbers_of_an_unbroken_job(emulator, own_emulator, tools):
    running = own_emulator(training_seconds=3.0)
    clients = [running.azure(), emulator.azure()]
    files = [tools.talk_lines(40, seed=1), tools.talk_lines(10, seed=2)]
    first, second = (tools.create_job(one, *[tools.upload(one, content) for content in files]) for one in clients)
    client = clients[0]

    def steps(job, client=client):
        events = client.fine_tuning.jobs.list_events(job.id, limit=100).data
        return [event.data for event in events if event.type == "metrics"]

    tools.until(lambda: steps(first), what="the first step")
    client.fine_tuning.jobs.pause(first.id)
    tools.until(lambda: client.fine_tuning.jobs.retrieve(first.id).status == "paused", what="the pause")
    paused_at = client.fine_tuning.jobs.checkpoints.list(first.id).data[0]
    assert 1 <= paused_at.step_number < 120
    assert paused_at.metrics.full_valid_loss
    running.deploy("paused", model=paused_at.fine_tuned_model_checkpoint)
    client.fine_tuning.jobs.resume(first.id)
    done = [tools.finished(one, job.id) for one, job in zip(clients, (first, second), strict=True)]
    assert [job.status for job in done] == ["succeeded", "succeeded"]
    assert [one["train_loss"] for one in steps(first)] == [one["train_loss"] for one in steps(second, clients[1])]


def test_cancelled_job_stops_and_leaves_no_model(shared_emulator, tools):
    running = shared_emulator(training_seconds=60.0)
    client = running.azure()
    training = tools.upload(client, tools.talk_lines(40, seed=1))
    job = tools.create_job(client, training)
    tools.until(lambda: client.fine_tuning.jobs.retrieve(job.id).status == "running", what="the start")
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    time.sleep(1.0)
    after = client.fine_tuning.jobs.retrieve(job.id)
    assert after.status == "cancelled"
    assert after.fine_tuned_model is None
    assert client.fine_tuning.jobs.list_events(job.id).data[0].message == "Job cancelled."


def test_deleting_the_files_of_a_running_job_does_not_end_it(shared_emulator, tools):
    client = shared_emulator(training_seconds=60.0).openai()
    training = tools.upload(client, tools.talk_lines(40, seed=1))
    job = tools.create_job(client, training, extra={})
    tools.until(lambda: client.fine_tuning.jobs.retrieve(job.id).status == "running", what="the start")
    client.files.delete(training)
    assert client.fine_tuning.jobs.retrieve(job.id).status == "running"
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"


def test_three_jobs_run_at_once_and_the_fourth_waits(shared_emulator, tools):
    running = shared_emulator(training_seconds=60.0)
    client = running.azure()
    training = tools.upload(client, tools.talk_lines(20, seed=1))
    jobs = [tools.create_job(client, training) for _ in range(4)]

    def states():
        return [client.fine_tuning.jobs.retrieve(job.id).status for job in jobs]

    tools.until(lambda: states()[:3] == ["running"] * 3, what="three running jobs")
    assert states() == ["running", "running", "running", "pending"]
    client.fine_tuning.jobs.cancel(jobs[1].id)
    tools.until(lambda: states()[3] == "running", what="the fourth job")
