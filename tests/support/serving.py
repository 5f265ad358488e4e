"""Model Serving of the workspace on this machine: endpoints that become ready after some looks, fail, and answer chats.

States and bodies are those of Databricks' REST API as databricks-sdk reads them; who answers a chat is the test's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Told = tuple[int, Json]
Answerer = Callable[[str, str, bytes], Told]
"""Gives status and body for a chat, from the served model's name, its version and the request's bytes."""

ENDPOINTS, CHATS = "/api/2.0/serving-endpoints", "/serving-endpoints/chat/completions"
_NAME = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,62}\Z")


@dataclass
class Endpoint:
    """One endpoint; `looks` is how often it is still seen in work, `fails` what its update will say when it fails."""

    tags: dict[str, str]
    config: Json | None = None
    pending: Json | None = None
    looks: int = 0
    fails: str = ""
    failed: bool = False

    def look(self) -> None:
        """Go on with an update."""
        if self.pending is None or self.failed:
            return
        if self.looks > 0:
            self.looks -= 1
        elif self.fails:
            self.failed = True
        else:
            self.config, self.pending = self.pending, None


@dataclass
class ModelServing:
    """What a workspace serves; `versions` are the registered models that it knows.

    The next update takes `looks` looks, and fails with the first of `failures` where there are some.
    """

    versions: set[tuple[str, str]] = field(default_factory=set)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    answer: Answerer | None = None
    looks: int = 2
    failures: list[str] = field(default_factory=list)
    asked: list[Json] = field(default_factory=list)

    def serve(self, method: str, path: str, body: bytes) -> Told:
        """Answer one request."""
        if path == CHATS:
            return self._chat(body)
        _, _, rest = path.removeprefix(ENDPOINTS).partition("/")
        name, _, part = rest.partition("/")
        sent: Json = json.loads(body) if body else {}
        if not name:
            return self._create(sent) if method == "POST" else (200, {"endpoints": self._every()})
        if name not in self.endpoints:
            return _problem(404, "RESOURCE_DOES_NOT_EXIST", f"Endpoint with name {name} does not exist.")
        acts: dict[tuple[str, str], Callable[[str, Json], Told]] = {
            ("GET", ""): self._get,
            ("PUT", "config"): self._update,
            ("PATCH", "tags"): self._tag,
            ("DELETE", ""): self._delete,
        }
        return acts[method, part](name, sent)

    def _create(self, sent: Json) -> Told:
        name = sent["name"]
        if _NAME.match(name) is None:
            return _problem(400, "INVALID_PARAMETER_VALUE", f"Endpoint name {name} is not valid.")
        if name in self.endpoints:
            return _problem(400, "RESOURCE_ALREADY_EXISTS", f"Endpoint with name {name} already exists.")
        self.asked.append(sent)
        endpoint = Endpoint(_tags(sent.get("tags")))
        refused = self._begin(endpoint, sent["config"])
        if refused is not None:
            return refused
        self.endpoints[name] = endpoint
        return 200, self._view(name)

    def _update(self, name: str, sent: Json) -> Told:
        endpoint = self.endpoints[name]
        if endpoint.pending is not None and not endpoint.failed:
            return _problem(409, "RESOURCE_CONFLICT", f"Endpoint {name} is currently being updated.")
        self.asked.append({"name": name, "config": sent})
        return self._begin(endpoint, sent) or (200, self._view(name))

    def _begin(self, endpoint: Endpoint, config: Json) -> Told | None:
        (entity,) = config["served_entities"]
        if (entity["entity_name"], entity["entity_version"]) not in self.versions:
            return _problem(404, "RESOURCE_DOES_NOT_EXIST", f"{entity['entity_name']} has no such version.")
        shares = {one["served_model_name"]: one["traffic_percentage"] for one in config["traffic_config"]["routes"]}
        if shares != {entity["name"]: 100}:
            return _problem(400, "INVALID_PARAMETER_VALUE", "Routes do not add up to all requests.")
        endpoint.pending, endpoint.failed, endpoint.looks = config, False, self.looks
        endpoint.fails = self.failures.pop(0) if self.failures else ""
        return None

    def _get(self, name: str, sent: Json) -> Told:
        del sent
        self.endpoints[name].look()
        return 200, self._view(name)

    def _tag(self, name: str, sent: Json) -> Told:
        self.endpoints[name].tags |= _tags(sent.get("add_tags"))
        return 200, {"tags": _listed(self.endpoints[name].tags)}

    def _delete(self, name: str, sent: Json) -> Told:
        del sent
        del self.endpoints[name]
        return 200, {}

    def _every(self) -> list[Json]:
        return [self._view(name) for name in self.endpoints]

    def _view(self, name: str) -> Json:
        found = self.endpoints[name]
        update = "UPDATE_FAILED" if found.failed else "IN_PROGRESS" if found.pending else "NOT_UPDATING"
        view: Json = {
            "name": name,
            "tags": _listed(found.tags),
            "creation_timestamp": 1_780_000_000_000,
            "state": {"ready": "READY" if found.config else "NOT_READY", "config_update": update},
        }
        if found.config:
            view["config"] = _config(found.config, "DEPLOYMENT_READY", "")
        if found.pending:
            state = "DEPLOYMENT_FAILED" if found.failed else "DEPLOYMENT_CREATING"
            view["pending_config"] = _config(found.pending, state, found.fails if found.failed else "")
        return view

    def _chat(self, body: bytes) -> Told:
        name = json.loads(body)["model"]
        config = self.endpoints[name].config if name in self.endpoints else None
        if config is None or self.answer is None:
            return _problem(404, "ENDPOINT_NOT_FOUND", f"The given endpoint does not exist: {name}")
        (entity,) = config["served_entities"]
        return self.answer(entity["entity_name"], entity["entity_version"], body)


def _config(config: Json, state: str, message: str) -> Json:
    told = {"deployment": state, "deployment_state_message": message}
    return {"served_entities": [{**entity, "state": told} for entity in config["served_entities"]]}


def _tags(listed: list[Json] | None) -> dict[str, str]:
    return {one["key"]: one["value"] for one in listed or []}


def _listed(tags: dict[str, str]) -> list[Json]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _problem(status: int, code: str, message: str) -> Told:
    return status, {"error_code": code, "message": message}
