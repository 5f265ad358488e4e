"""Deployments through the real management client: states, conflicts, quota, readiness, expiry."""

from __future__ import annotations

import pytest
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from openai import AuthenticationError, NotFoundError, Omit, RateLimitError

pytestmark = pytest.mark.http

ASK = [{"role": "user", "content": "How long is the warranty of the helmet?"}]
BASE = {"model": "gpt-4.1-mini", "version": "2025-04-14"}


def body(name="gpt-4.1-mini", version="2025-04-14", sku="GlobalStandard", capacity=1):
    """Return the body of a PUT."""
    model = {"format": "OpenAI", "name": name, "version": version}
    return {"sku": {"name": sku, "capacity": capacity}, "properties": {"model": model}}


def begin(running, tools, name, content, **options):
    """Begin to deploy without waiting."""
    return running.arm().deployments.begin_create_or_update(
        tools.group, tools.account, name, content, polling=False, enforce_https=False, **options
    )


def tune(running, tools):
    """Train a small job and return its model."""
    client = running.azure()
    training = tools.upload(client, tools.talk_lines(12, seed=1))
    return tools.finished(client, tools.create_job(client, training).id).fine_tuned_model


def test_states_follow_the_clock_and_other_writes_conflict(own_emulator, tools):
    running = own_emulator(deployment_seconds=600.0)
    seen = [begin(running, tools, "one", body()).result().properties.provisioning_state]
    with pytest.raises(ResourceExistsError) as caught:
        begin(running, tools, "two", body())
    assert caught.value.error.code == "RequestConflict"
    assert "Another operation is being performed on the parent resource" in caught.value.message
    with pytest.raises(ResourceExistsError):
        running.arm().deployments.begin_delete(tools.group, tools.account, "one", enforce_https=False)
    for seconds in (200.0, 600.0):
        running.advance(seconds)
        found = running.arm().deployments.get(tools.group, tools.account, "one", enforce_https=False)
        seen.append(found.properties.provisioning_state)
    assert seen == ["Accepted", "Creating", "Succeeded"]
    assert begin(running, tools, "two", body()).result().name == "two"


def test_tuned_deployment_answers_only_after_the_readiness_gap(clocked, tools):
    running, client = clocked, clocked.azure()
    deployed = running.deploy("bikes", model=tune(running, tools), account="gap")
    assert deployed.properties.provisioning_state == "Succeeded"
    with pytest.raises(NotFoundError) as caught:
        client.chat.completions.create(model="bikes", messages=ASK)
    assert caught.value.code == "DeploymentNotFound"
    running.advance(600.0)
    assert client.chat.completions.create(model="bikes", messages=ASK).choices


def test_capacity_limits_tokens_a_minute_and_names_the_wait(clocked):
    running, client = clocked, clocked.azure()
    running.deploy("small", capacity=1, account="capacity", **BASE)
    long = [{"role": "user", "content": "warranty " * 1200}]
    assert client.chat.completions.create(model="small", messages=long).usage.total_tokens > 1000
    with pytest.raises(RateLimitError) as caught:
        client.chat.completions.create(model="small", messages=ASK)
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 60
    running.advance(61.0)
    assert client.chat.completions.create(model="small", messages=ASK).choices


def test_quota_is_named_and_counts_what_is_deployed(clocked, tools):
    running, options = clocked, {"sku": "Standard", "account": "quota", **BASE}
    running.deploy("first", capacity=990, **options)
    with pytest.raises(HttpResponseError) as caught:
        running.deploy("second", capacity=14, **options)
    assert caught.value.status_code == 400
    assert caught.value.error.code == "InsufficientQuota"
    assert "require 14 new capacity" in caught.value.message
    assert "available capacity 10" in caught.value.message
    running.deploy("first", capacity=1000, **options)
    found = running.arm().deployments.list(tools.group, "quota", enforce_https=False)
    assert [(one.name, one.sku.capacity) for one in found] == [("first", 1000)]


def test_developer_tier_ends_after_a_day_and_unused_deployments_after_fifteen(clocked, tools):
    running, model = clocked, tune(clocked, tools)
    running.deploy("developer", model=model, sku="DeveloperTier", account="expiry")
    running.deploy("tuned", model=model, account="expiry")
    running.deploy("base", account="expiry", **BASE)

    def names():
        return [one.name for one in running.arm().deployments.list(tools.group, "expiry", enforce_https=False)]

    assert names() == ["developer", "tuned", "base"]
    running.advance(24 * 3600.0)
    assert names() == ["tuned", "base"]
    running.advance(10 * 24 * 3600.0)
    running.azure().chat.completions.create(model="tuned", messages=ASK)
    running.advance(10 * 24 * 3600.0)
    assert names() == ["tuned", "base"]
    running.advance(5 * 24 * 3600.0)
    assert names() == ["base"]
    assert running.deploy("again", model=model, account="expiry").properties.model.name == model


def test_delete_takes_a_while_and_nothing_is_left(clocked, tools):
    clocked.deploy("gone", account="delete", **BASE)
    operations = clocked.arm().deployments
    operations.begin_delete(tools.group, "delete", "gone", polling_interval=0.1, enforce_https=False).result()
    with pytest.raises(ResourceNotFoundError) as caught:
        operations.get(tools.group, "delete", "gone", enforce_https=False)
    assert caught.value.error.code == "ResourceNotFound"
    operations.begin_delete(tools.group, "delete", "gone", enforce_https=False).result()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (body(name="gpt-4.1-mini-2025-04-14.ft-0000"), "DeploymentModelNotSupported"),
        (body(name="gpt-4.1-mini-2025-04-14"), "DeploymentModelNotSupported"),
        (body(version="2001-01-01"), "DeploymentModelNotSupported"),
        (body(sku="Gold"), "InvalidSku"),
        (body(capacity=0), "InvalidCapacity"),
        ({"sku": {"name": "Standard", "capacity": 1}}, "InvalidRequestContent"),
    ],
)
def test_wrong_deployment_is_refused(emulator, tools, content, code):
    with pytest.raises(HttpResponseError) as caught:
        begin(emulator, tools, "wrong", content)
    assert caught.value.status_code == 400
    assert caught.value.error.code == code


def test_account_names_this_address_as_its_endpoint(emulator, tools):
    account = emulator.arm().accounts.get(tools.group, tools.account, enforce_https=False)
    assert account.name == tools.account
    assert account.properties.endpoint == f"{emulator.url}/"


def test_control_plane_needs_a_bearer_token(emulator, tools):
    path = (
        f"/subscriptions/s/resourceGroups/{tools.group}/providers/Microsoft.CognitiveServices"
        f"/accounts/nobody/deployments"
    )
    anyone = emulator.v1().with_options(base_url=emulator.url)
    version = {"params": {"api-version": "2025-09-01"}}
    assert anyone.get(path, cast_to=object, options=version) == {"value": []}
    with pytest.raises(AuthenticationError) as caught:
        anyone.with_options(default_headers={"Authorization": Omit()}).get(path, cast_to=object, options=version)
    assert caught.value.code == "AuthenticationFailed"
