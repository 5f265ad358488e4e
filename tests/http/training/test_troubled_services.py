"""A whole run through a service that loses answers, throttles and fails, and jobs that end badly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.http.training.front import Exchange, Reply, front_of, once_each
from tests.http.training.setting import KEY, KEY_VARIABLE, publish_examples, running_service, settings_for

from finelake.errors import ServiceError
from finelake.training.driver import train

pytestmark = [pytest.mark.http, pytest.mark.spark]

CUT = Reply(0)
BUSY = Reply(
    409,
    b'{"error":{"code":"RequestConflict","message":"Another operation is being performed on the parent resource."}}',
)
THROTTLED = Reply(429, b'{"error":{"code":"tooManyRequests","message":"Slow down."}}', retry_after="0.2")
DOWN = Reply(503, b'{"error":{"code":"serviceUnavailable","message":"Try again."}}')
UNKNOWN_JOB = Reply(404, b'{"error":{"code":"notFound","message":"Could not find fine tune."}}')
DATA_RAI = "The provided training data failed RAI checks for harm types: [violence]. Please fix the data and try again."


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the service's key where the settings look for it."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)


def test_lost_answers_and_refusals_make_nothing_twice(spark: SparkSession, tmp_path: Path) -> None:
    publish_examples(tmp_path / "published")
    with running_service(tmp_path / "service") as service:
        job_path = "/openai/v1/fine_tuning/jobs"
        troubles = once_each(
            ("POST", "/openai/v1/files", CUT),
            ("POST", job_path, CUT),
            ("GET", job_path, DOWN),
            ("GET", "/events", CUT),
            ("GET", "/events", THROTTLED),
            ("GET", "/checkpoints", DOWN),
            ("PUT", "/deployments/shop-base", BUSY),
            ("POST", "/chat/completions", THROTTLED),
        )
        unknown_once = once_each(("GET", "", UNKNOWN_JOB))

        def meddle(exchange: Exchange) -> Reply | None:
            if exchange.path.rsplit("/", 1)[-1].startswith("ftjob-"):
                return unknown_once(exchange)
            return troubles(exchange)

        with front_of(service.url, meddle) as front:
            outcome = train(spark, settings_for(tmp_path, url=front.url))
            assert front.count("POST", job_path) == 1
        assert service.jobs() == [outcome.job_id]
        assert len(service.file_names()) == 2


def test_a_failed_job_is_said_again_and_not_paid_again(spark: SparkSession, tmp_path: Path) -> None:
    publish_examples(tmp_path / "published")

    def fail(exchange: Exchange) -> Reply | None:
        if exchange.method != "GET" or not exchange.path.rsplit("/", 1)[-1].startswith("ftjob-"):
            return None
        error = {"code": "data_rai", "message": DATA_RAI, "param": "training_file"}
        return Reply(200, json.dumps(json.loads(exchange.body) | {"status": "failed", "error": error}).encode())

    with running_service(tmp_path / "service") as service:
        with front_of(service.url, fail) as front:
            settings = settings_for(tmp_path, url=front.url)
            with pytest.raises(ServiceError, match=r"failed \(data_rai, training_file\): .*failed RAI checks.*Remove"):
                train(spark, settings)
            jobs = service.jobs()
            with pytest.raises(ServiceError, match="failed RAI checks"):
                train(spark, settings)
            assert (front.count("POST", "/fine_tuning/jobs"), front.count("PUT", "")) == (1, 0)
        assert service.jobs() == jobs
        assert len(jobs) == 1


def test_openai_needs_no_deployment(spark: SparkSession, tmp_path: Path) -> None:
    publish_examples(tmp_path / "published")
    service_settings = {"kind": "openai", "resource_manager_token": None, "account": None}
    with running_service(tmp_path / "service") as service:
        outcome = train(spark, settings_for(tmp_path, url=service.url, service=service_settings))
    assert outcome.deployment == outcome.fine_tuned_model
    assert outcome.deployment.startswith("ft:gpt-4.1-mini-2025-04-14:")
    assert outcome.base_deployment == "gpt-4.1-mini-2025-04-14"
