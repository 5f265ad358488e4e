"""Deployments of registered models as Databricks Model Serving endpoints, one endpoint a deployment.

An endpoint is known by its name, and as ours by a tag that holds the registered model's name. What it serves is told
by its served entity, whose name is derived from the deployed model: it is part of the configuration, so that an
endpoint never claims to serve what an update has not brought there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from finelake.config.serving import Serving
from finelake.errors import ConfigError, ServiceError
from finelake.services.deployed import Deployed, Target
from finelake.services.serving_problems import explained
from finelake.services.workspace import Workspace

if TYPE_CHECKING:
    from databricks.sdk.service.serving import ServedEntityInput

OWNER, MODEL = "finelake", "finelake_model"
"""Tags of an endpoint: the registered model's name, and the deployed model's as the training service names it."""

# https://docs.databricks.com/api/workspace/servingendpoints/create
_NAME = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,62}\Z")
_LONGEST_REASON = 300

VersionOf = Callable[[str], tuple[str, str] | None]
"""Gives the registered model and version of a deployed model's name; None where it was not registered."""


class ServingEndpoints:
    """The endpoints of one workspace that serve versions of `registered_as` and of its base."""

    def __init__(self, workspace: Workspace, *, serving: Serving, registered_as: str, version_of: VersionOf) -> None:
        self._workspace = workspace
        self._serving = serving
        self._registered_as = registered_as
        self._version_of = version_of

    def greet(self) -> None:
        """List the endpoints, so that a wrong sign-in or address is known before anything is done."""
        self.every()

    def find(self, name: str) -> Deployed | None:
        """Look an endpoint up; None when there is none of that name, or when it is another's."""
        found = self._get(_checked(name))
        return None if found is None else self._deployed(found)

    def every(self) -> list[Deployed]:
        """Give the endpoints of this registered model; the state of each is what the list tells of it."""
        with explained(self._workspace, "listing serving endpoints"):
            found = list(self._workspace.client.serving_endpoints.list())
        return [self._deployed(one) for one in found if _tags(one).get(OWNER) == self._registered_as]

    def put(self, target: Target) -> None:
        """Ask for an endpoint that serves a model; it is made, or changed, after this returns.

        Raises BusyError while it is being changed, ConfigError for a name that is another's, ServiceError for a model
        that is not registered or what the workspace refuses.
        """
        from databricks.sdk.service.serving import EndpointCoreConfigInput, EndpointTag, Route, TrafficConfig

        name, entity = _checked(target.name), self._entity(target.model.name)
        traffic = TrafficConfig(routes=[Route(served_model_name=entity.name, traffic_percentage=100)])
        tags = [EndpointTag(OWNER, self._registered_as), EndpointTag(MODEL, target.model.name)]
        found = self._get(name)
        if found is not None:
            self._require_own(found, name)
        with explained(self._workspace, f"writing serving endpoint {name}"):
            endpoints = self._workspace.client.serving_endpoints
            if found is None:
                config = EndpointCoreConfigInput(name=name, served_entities=[entity], traffic_config=traffic)
                endpoints.create(name, config=config, tags=tags)
                return
            endpoints.update_config(name, served_entities=[entity], traffic_config=traffic)
            endpoints.patch(name, add_tags=tags)

    def delete(self, name: str) -> None:
        """Ask for the end of an endpoint. Raises ConfigError where it is another's."""
        found = self._get(_checked(name))
        if found is None:
            return
        self._require_own(found, name)
        with explained(self._workspace, f"deleting serving endpoint {name}"):
            self._workspace.client.serving_endpoints.delete(name)

    def close(self) -> None:
        """Close all connections."""
        self._workspace.close()

    def _get(self, name: str) -> Any | None:
        from databricks.sdk.errors import NotFound

        with explained(self._workspace, f"looking up serving endpoint {name}"):
            try:
                return self._workspace.client.serving_endpoints.get(name)
            except NotFound:
                return None

    def _entity(self, model: str) -> ServedEntityInput:
        from databricks.sdk.service.serving import ServedEntityInput, ServingModelWorkloadType

        version = self._version_of(model)
        if version is None:
            raise ServiceError(
                f"{model} is no version of {self._registered_as} in the registry, so it cannot be served. Run "
                f"`finelake train` with the same configuration: it registers the model before it is deployed."
            )
        return ServedEntityInput(
            name=_marker(model),
            entity_name=version[0],
            entity_version=version[1],
            workload_type=ServingModelWorkloadType(self._serving.workload_type),
            workload_size=self._serving.workload_size,
            scale_to_zero_enabled=self._serving.scale_to_zero,
        )

    def _require_own(self, found: Any, name: str) -> None:
        owner = _tags(found).get(OWNER)
        if owner != self._registered_as:
            whose = f"serves {owner}" if owner else "was not made by finelake"
            raise ConfigError(
                f"Serving endpoint {name} of {self._workspace.host} {whose}, and is left as it is. Set deployment.name "
                f"or deployment.base_name to another name."
            )

    def _deployed(self, found: Any) -> Deployed:
        entity = _wanted_entity(found)
        tagged = _tags(found).get(MODEL, "")
        serves_it = tagged and str(getattr(entity, "name", None)) == _marker(tagged)
        truly = f"{getattr(entity, 'entity_name', None)}/{getattr(entity, 'entity_version', None)}"
        state = _state(found)
        made = found.creation_timestamp
        return Deployed(
            name=str(found.name),
            model=tagged if serves_it else truly,
            version="",
            state=state,
            sku=self._serving.workload_type,
            created_at=datetime.fromtimestamp(made / 1000, UTC) if made else None,
            reason=self._reason(found) if state in {"Failed", "Canceled"} else "",
            life="stays until it is deleted; "
            + ("nothing is billed while nobody asks" if self._serving.scale_to_zero else "billed by the hour"),
        )

    def _reason(self, found: Any) -> str:
        said = [message for message in map(_message, _entities(found)) if message]
        shown = f'It says: "{said[0][:_LONGEST_REASON]}".' if said else "It gives no reason."
        return (
            f"{shown} Build and server logs are at {self._workspace.host}/ml/endpoints/{found.name}. Correct what they "
            f"name (service.huggingface.serving.workload_type, packages of the model, rights on "
            f"{self._registered_as})."
        )


def _checked(name: str) -> str:
    if _NAME.match(name) is None:
        raise ConfigError(
            f"{name!r} cannot be a serving endpoint's name: expected letters, digits, - and _, at most 63. Set "
            f"deployment.name or deployment.base_name to such a name."
        )
    return name


def _marker(model: str) -> str:
    """Derive the served entity's name from the deployed model's."""
    return f"model-{hashlib.sha256(model.encode()).hexdigest()[:16]}"


def _tags(found: Any) -> dict[str, str]:
    return {str(tag.key): str(tag.value or "") for tag in found.tags or ()}


def _entities(found: Any) -> list[Any]:
    """Give the served entities, first those of an update that is not done."""
    configs = (getattr(found, "pending_config", None), found.config)
    return [entity for config in configs if config is not None for entity in config.served_entities or ()]


def _wanted_entity(found: Any) -> Any | None:
    return next(iter(_entities(found)), None)


def _message(entity: Any) -> str:
    state = getattr(entity, "state", None)
    failed = getattr(getattr(state, "deployment", None), "value", "") in {"DEPLOYMENT_FAILED", "DEPLOYMENT_ABORTED"}
    return str(getattr(state, "deployment_state_message", None) or "").strip() if failed else ""


def _state(found: Any) -> str:
    """Tell an endpoint's two states in one word of the resource manager's."""
    update = getattr(getattr(found.state, "config_update", None), "value", "")
    ready = getattr(getattr(found.state, "ready", None), "value", "")
    if update == "UPDATE_FAILED":
        return "Failed"
    if update == "UPDATE_CANCELED":
        return "Canceled"
    if ready == "READY" and update != "IN_PROGRESS":
        return "Succeeded"
    return "Updating" if update == "IN_PROGRESS" else "Waiting"
