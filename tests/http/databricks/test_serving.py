"""Serving endpoints with the real databricks-sdk and the real openai client, against a workspace on this machine."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import openai
import pytest
from tests.pure.training.test_effects import Memory, Time, log_on

from finelake.config.serving import Serving
from finelake.config.settings import SecretRef
from finelake.errors import ConfigError, ServiceError
from finelake.services.contact import PassingError
from finelake.services.deployed import BusyError, Deployed, ModelAddress, Target
from finelake.services.serving import MODEL, OWNER, ServingEndpoints
from finelake.services.workspace import Workspace
from finelake.training.deploy import lifetime, wait_until_provisioned
from finelake.training.effects.deployment import DeploymentEffect
from finelake.training.effects.removal import remove_deployment
from finelake.training.progress import Progress
from support.serving import Endpoint, Told
from support.workspace import TOKEN, State

pytestmark = pytest.mark.http

NAME = "main.support.desk"
TUNED, OTHER, BASE = "tiny:ft-shop-1", "tiny:ft-shop-2:ckpt-step-6", "tiny"
VERSIONS = {TUNED: (NAME, "1"), OTHER: (NAME, "2"), BASE: (f"{NAME}_base", "1")}


def target(model: str = TUNED, *, name: str = "shop-0123abcd") -> Target:
    return Target(name=name, model=ModelAddress("Hugging Face", model, "1"), sku="Standard", capacity=50)


def endpoints_of(serving: Serving | None = None) -> ServingEndpoints:
    serving = serving or Serving()
    return ServingEndpoints(Workspace(serving), serving=serving, registered_as=NAME, version_of=VERSIONS.get)


@pytest.fixture
def endpoints(workspace: State) -> ServingEndpoints:
    """The endpoints of a workspace that knows three registered versions."""
    workspace.serving.versions = set(VERSIONS.values())
    return endpoints_of()


def effect_of(endpoints: ServingEndpoints, journal: Memory, hours: Time, wanted: Target) -> DeploymentEffect:
    log = log_on(journal, hours)
    log.acquire()
    return DeploymentEffect(
        deployments=endpoints,
        target=wanted,
        key="deploy",
        may_replace=True,
        log=log,
        patience=hours.patience(),
        progress=Progress(),
    )


def deploy(endpoints: ServingEndpoints, wanted: Target, *, hours: Time | None = None) -> Time:
    """Do what the driver does: ask for a deployment where it is not there, and wait until it is provisioned."""
    hours = hours or Time()
    effect = effect_of(endpoints, Memory(), hours, wanted)
    effect.ensure(deadline=hours.now + 1800)
    wait_until_provisioned(
        endpoints, wanted, deadline=hours.now + 1800, patience=effect.patience, progress=effect.progress
    )
    return hours


def found(endpoints: ServingEndpoints, name: str = "shop-0123abcd") -> Deployed:
    there = endpoints.find(name)
    assert there is not None
    return there


def test_an_endpoint_is_made_once_and_waited_for_by_our_clock(workspace: State, endpoints: ServingEndpoints) -> None:
    hours = deploy(endpoints, target())
    deploy(endpoints, target())
    (asked,) = workspace.serving.asked
    (entity,) = asked["config"]["served_entities"]
    assert {key: entity[key] for key in ("entity_name", "entity_version", "workload_type", "workload_size")} == {
        "entity_name": NAME,
        "entity_version": "1",
        "workload_type": "GPU_SMALL",
        "workload_size": "Small",
    }
    assert entity["scale_to_zero_enabled"] is True
    assert {tag["key"]: tag["value"] for tag in asked["tags"]} == {OWNER: NAME, MODEL: TUNED}
    assert hours.slept == [10.0, 10.0]
    there = found(endpoints)
    assert (there.model, there.state) == (TUNED, "Succeeded")
    assert "nothing is billed while nobody asks" in lifetime(there)[1]


def test_hardware_is_the_settings(workspace: State) -> None:
    workspace.serving.versions = set(VERSIONS.values())
    chosen = Serving(workload_type="GPU_LARGE", workload_size="Medium", scale_to_zero=False)
    endpoints = endpoints_of(chosen)
    endpoints.put(target(BASE, name="shop-base"))
    (entity,) = workspace.serving.asked[0]["config"]["served_entities"]
    assert (entity["workload_type"], entity["workload_size"], entity["scale_to_zero_enabled"]) == (
        "GPU_LARGE",
        "Medium",
        False,
    )
    assert entity["entity_name"] == f"{NAME}_base"
    assert "billed by the hour" in lifetime(found(endpoints, "shop-base"))[1]


def test_an_endpoint_that_a_dead_driver_asked_for_is_adopted(workspace: State, endpoints: ServingEndpoints) -> None:
    journal, hours = Memory(), Time()
    effect_of(endpoints, journal, hours, target()).ensure(deadline=1800)
    # The first driver ends here: its intent is written, what came of it is not.
    hours.now += 700
    hours.wall += 700
    second = effect_of(endpoints_of(), journal, hours, target())
    second.ensure(deadline=hours.now + 1800)
    wait_until_provisioned(
        second.deployments, target(), deadline=hours.now + 1800, patience=second.patience, progress=second.progress
    )
    assert len(workspace.serving.asked) == 1
    assert list(workspace.serving.endpoints) == ["shop-0123abcd"]


def test_a_failed_endpoint_says_why_and_the_next_start_mends_it(workspace: State, endpoints: ServingEndpoints) -> None:
    workspace.serving.failures = ["GPU_SMALL is not available in this region."]
    with pytest.raises(ServiceError) as raised:
        deploy(endpoints, target())
    said = str(raised.value)
    assert 'ended as Failed. It says: "GPU_SMALL is not available in this region."' in said
    assert "/ml/endpoints/shop-0123abcd. Correct what they name" in said
    assert "Run the same again" in said
    deploy(endpoints, target())
    assert found(endpoints).state == "Succeeded"
    assert list(workspace.serving.endpoints) == ["shop-0123abcd"]


def test_a_failed_update_leaves_the_old_model_and_does_not_claim_the_new(
    workspace: State, endpoints: ServingEndpoints
) -> None:
    deploy(endpoints, target())
    workspace.serving.failures = ["Out of memory."]
    with pytest.raises(ServiceError, match="Out of memory"):
        deploy(endpoints, target(OTHER))
    held = workspace.serving.endpoints["shop-0123abcd"]
    assert held.config is not None
    assert held.config["served_entities"][0]["entity_version"] == "1"
    held.pending = None  # the platform forgets what it could not bring there
    held.failed = False
    assert found(endpoints).model != OTHER
    deploy(endpoints, target(OTHER))
    assert found(endpoints).model == OTHER


def test_an_update_that_is_going_on_is_waited_out(workspace: State, endpoints: ServingEndpoints) -> None:
    endpoints.put(target())
    with pytest.raises(BusyError, match="the endpoint is being changed"):
        endpoints.put(target(OTHER))
    deploy(endpoints, target(OTHER))
    assert found(endpoints).model == OTHER
    assert len(workspace.serving.endpoints) == 1


def test_an_endpoint_of_others_is_neither_changed_nor_deleted(workspace: State, endpoints: ServingEndpoints) -> None:
    workspace.serving.endpoints["shop-0123abcd"] = Endpoint({"team": "billing"}, config={"served_entities": []})
    with pytest.raises(ConfigError, match=r"was not made by finelake, and is left as it is\. Set deployment\.name"):
        endpoints.put(target())
    with pytest.raises(ConfigError, match="was not made by finelake"):
        endpoints.delete("shop-0123abcd")
    assert endpoints.every() == []
    assert workspace.serving.asked == []
    workspace.serving.endpoints["shop-0123abcd"].tags = {OWNER: "main.other.desk"}
    with pytest.raises(ConfigError, match=r"serves main\.other\.desk"):
        endpoints.put(target())


def test_an_endpoint_is_deleted_and_again_without_harm(workspace: State, endpoints: ServingEndpoints) -> None:
    deploy(endpoints, target())
    assert [one.name for one in endpoints.every()] == ["shop-0123abcd"]
    hours = Time()
    for _ in range(2):
        remove_deployment(endpoints, "shop-0123abcd", timeout_seconds=60, patience=hours.patience())
    endpoints.delete("shop-0123abcd")
    assert workspace.serving.endpoints == {}


def test_what_cannot_be_served_is_said(workspace: State, endpoints: ServingEndpoints) -> None:
    with pytest.raises(ServiceError, match=r"stray is no version of main\.support\.desk in the registry"):
        endpoints.put(target("stray"))
    with pytest.raises(ConfigError, match=r"'shop\.desk' cannot be a serving endpoint's name"):
        endpoints.put(target(name="shop.desk"))
    workspace.faults = [("POST /api/2.0/serving-endpoints", 403, "PERMISSION_DENIED")]
    with pytest.raises(ServiceError, match="EXECUTE on the registered model"):
        endpoints.put(target())
    workspace.faults = [("GET /api/2.0/serving-endpoints/", 500, "INTERNAL_ERROR")]
    with pytest.raises(PassingError, match="refused looking up serving endpoint"):
        endpoints.find("shop-0123abcd")
    workspace.serving.versions.clear()
    with pytest.raises(ServiceError, match=r"NotFound|ResourceDoesNotExist"):
        endpoints.put(target())


def test_a_wrong_sign_in_is_said_without_the_token(
    workspace: State, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("DESK_TOKEN", "dapi-wrong-and-never-to-be-shown")
    host = os.environ["DATABRICKS_HOST"]
    serving = Serving(host=host, token=SecretRef(env="DESK_TOKEN"))
    with pytest.raises(ConfigError, match="It came from environment variable DESK_TOKEN") as raised:
        endpoints_of(serving).greet()
    monkeypatch.setenv("DESK_TOKEN", TOKEN)
    endpoints_of(serving).greet()
    for secret in ("dapi-wrong-and-never-to-be-shown", TOKEN):
        assert secret not in str(raised.value) + caplog.text
    assert workspace.requests.count("GET /api/2.0/serving-endpoints") == 2


def test_a_token_over_plain_http_stays_on_this_machine() -> None:
    serving = Serving(host="http://adb-1.azuredatabricks.net", token=SecretRef(env="PATH"))
    with pytest.raises(ConfigError, match=r"service\.huggingface\.serving\.host: found 'http://adb"):
        endpoints_of(serving).greet()


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[str]:
    """The address of a local service whose base models answer in place of a served one."""
    told = tmp_path / "rehearsal" / "service.json"
    command = [sys.executable, "-m", "finelake.emulator", "--port", "0", "--state", str(told.parent)]
    with (tmp_path / "log").open("w") as log, subprocess.Popen([*command, "--api-key", "local"], stderr=log) as process:
        try:
            deadline = time.monotonic() + 60
            while not told.exists():
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.05)
            yield json.loads(told.read_text())["url"]
        finally:
            process.terminate()


def test_a_served_model_is_asked_with_the_same_client(
    workspace: State, endpoints: ServingEndpoints, rehearsal: str, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(name: str, version: str, body: bytes) -> Told:
        assert (name, version) == (NAME, "1")
        asked = json.loads(body) | {"model": "gpt-4.1-mini-2025-04-14"}
        told = httpx.post(f"{rehearsal}/v1/chat/completions", json=asked, headers={"authorization": "Bearer local"})
        return told.status_code, told.json()

    caplog.set_level(logging.DEBUG)
    workspace.serving.answer = answer
    deploy(endpoints, target())
    place = Workspace(Serving())
    asked = {"messages": [{"role": "user", "content": "Where is my lamp?"}], "max_tokens": 8}
    done = place.chats.chat.completions.create(model="shop-0123abcd", **asked)
    assert done.choices[0].message.content
    assert done.usage is not None
    assert 0 < done.usage.completion_tokens <= 8
    with pytest.raises(openai.NotFoundError) as raised:
        place.chats.chat.completions.create(model="nobody", **asked)
    said = str(place.contact.explain(raised.value, "asking nobody"))
    assert "answered 404 (ENDPOINT_NOT_FOUND) while asking nobody. There is no serving endpoint of that name" in said
    workspace.faults = [("POST /serving-endpoints/chat", 403, "PERMISSION_DENIED")]
    with pytest.raises(openai.PermissionDeniedError) as refused:
        place.chats.chat.completions.create(model="shop-0123abcd", **asked)
    told = str(place.contact.explain(refused.value, "asking"))
    assert "CAN QUERY" in told
    assert "4111" not in told
    assert TOKEN not in caplog.text
    place.close()


def test_the_same_model_under_two_names_is_two_endpoints(endpoints: ServingEndpoints) -> None:
    for wanted in (target(), replace(target(), name="shop-production-0123abcd-global")):
        deploy(endpoints, wanted)
    assert {one.name: one.model for one in endpoints.every()} == {
        "shop-0123abcd": TUNED,
        "shop-production-0123abcd-global": TUNED,
    }
