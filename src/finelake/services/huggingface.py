"""The service on this machine that trains open models: the Azure protocol, started where it does not run."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openai import OpenAI

from finelake.config.local_service import LocalService
from finelake.config.serving import Serving
from finelake.config.settings import SecretRef, Service, Tracking, Training
from finelake.databricks.workspace import sign_in_environment
from finelake.emulator.transformer.models import MODELS_FILE, add_model
from finelake.errors import ConfigError
from finelake.huggingface.registry import version_of
from finelake.services.azure_openai import AzureOpenAIService, connect_azure
from finelake.services.contact import Contact
from finelake.services.identity import place_digest
from finelake.services.local import Running, ensure_service
from finelake.services.serving import ServingEndpoints
from finelake.services.workspace import Workspace

logger = logging.getLogger(__name__)

OWN = {
    "tuning",
    "hyperparameters",
    "context",
    "checkpoint_steps",
    "keep_checkpoints",
    "processes",
    "spread",
    "shards",
}
"""What of the section a job is asked for."""

_OPTIONS = {
    "file_seconds": 0.0,
    "queue_seconds": 0.0,
    "training_seconds": 0.0,
    "deployment_seconds": 0.0,
    "readiness_seconds": 0.0,
    "quota": 1_000_000,
    "inactive_seconds": 10.0 * 365 * 24 * 3600,
}


class HuggingFaceService(AzureOpenAIService):
    """Fine-tuning of models with weights; `revive` starts the service again where it has ended."""

    def __init__(
        self, *, local: LocalService, revive: Callable[[], object], workspace: Workspace | None = None, **parts: Any
    ) -> None:
        super().__init__(**parts)
        self._local = local
        self._revive = revive
        self._workspace = workspace

    @property
    def client(self) -> OpenAI:
        """The SDK's client; a service that was killed is started again before it is used."""
        self._revive()
        return super().client

    @property
    def chat_client(self) -> OpenAI:
        """The client of the endpoints where a workspace serves, else the service's own."""
        return self.client if self._workspace is None else self._workspace.chats

    @property
    def chat_contact(self) -> Contact:
        """Whom `chat_client` talks to."""
        return self.contact if self._workspace is None else self._workspace.contact

    @property
    def may_sleep(self) -> bool:
        """Whether endpoints serve: one that nobody asked for a while has no machine."""
        return self._workspace is not None

    def renew(self) -> bool:
        """Read the key anew, and sign in to the workspace again; True, as asking again then makes sense."""
        if self._workspace is not None:
            self._workspace.renew()
        return super().renew()

    def address_of(self, path: Path) -> str | None:
        """Give a file's address: the service is on the same machine, and links the file in place of taking it in."""
        return path.absolute().as_uri()

    def job_body(self, training: Training) -> dict[str, Any]:
        """Give the method, and what only models with weights have."""
        own = self._local.model_dump(mode="json", include=OWN, exclude_defaults=True)
        if self._local.shards is not None:
            own["shards"] = str(Path(self._local.shards).absolute())
        return super().job_body(training) | {"trainingType": "globalStandard", "transformers": own}


def connect_huggingface(service: Service, *, tracking: Tracking | None = None) -> AzureOpenAIService:
    """Start the service where it does not run, name the models to it, and prepare its clients.

    With `service.huggingface.serving` deployments are endpoints of a workspace, whose versions are looked for in the
    registry that `tracking` names. Raises ConfigError without `service.huggingface`, EnvironmentProblem when the
    service does not start.
    """
    local = service.huggingface
    if local is None:
        raise ConfigError("service.huggingface is not set, and service.kind huggingface needs it: folder and models.")
    state = Path(local.folder).absolute() / "service"
    for name, source in local.models.items():
        add_model(state / MODELS_FILE, name, source=source, context=local.context, serve=local.command)
    variable, running = f"FINELAKE_LOCAL_KEY_{place_digest(service).upper()}", start(local)
    os.environ[variable] = _key(state)
    port = int(running.url.rpartition(":")[2])
    derived = Service(
        kind="azure",
        endpoint=running.url,
        api_key=SecretRef(env=variable),
        resource_manager=running.url,
        resource_manager_token=SecretRef(env=variable),
        subscription_id="00000000-0000-0000-0000-000000000000",
        resource_group="local",
        account="local",
    )

    def build(**parts: Any) -> HuggingFaceService:
        if local.serving is None or local.register_as is None:
            return HuggingFaceService(local=local, revive=lambda: start(local, port=port), **parts)
        parts["deployments"].close()
        workspace = Workspace(local.serving)
        parts["deployments"] = _endpoints(workspace, local.serving, local.register_as, tracking or Tracking())
        return HuggingFaceService(local=local, revive=lambda: start(local, port=port), workspace=workspace, **parts)

    return connect_azure(derived, build=build)


def _endpoints(workspace: Workspace, serving: Serving, name: str, tracking: Tracking) -> ServingEndpoints:
    return ServingEndpoints(
        workspace,
        serving=serving,
        registered_as=name,
        version_of=lambda model: version_of(model, registered_as=name, tracking=tracking),
    )


def start(local: LocalService, *, port: int = 0) -> Running:
    """See that the service runs. Raises EnvironmentProblem when it does not start."""
    state = Path(local.folder).absolute() / "service"
    options = {**_OPTIONS, "idle_seconds": local.idle_minutes * 60.0}
    registered = any(source.startswith("models:/") for source in local.models.values())
    return ensure_service(
        port=port,
        state=state,
        api_key=_key(state),
        options=options,
        environment=sign_in_environment if registered else dict,
    )


def _key(state: Path) -> str:
    """Give the key of this machine's service; it is made once, for its owner alone."""
    place = state / "key"
    state.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return place.read_text(encoding="ascii")
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(secrets.token_urlsafe(32))
    return place.read_text(encoding="ascii")
