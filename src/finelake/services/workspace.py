"""The workspace whose endpoints serve models: signed in to when it is first needed, and anew on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openai import OpenAI

from finelake.config.serving import Serving
from finelake.databricks.workspace import token_of, workspace_client
from finelake.errors import ConfigError
from finelake.services.contact import Contact
from finelake.services.credentials import place_of, resolve
from finelake.services.identity import checked_address

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

SETTING = "service.huggingface.serving"

_EXAMPLE = "https://adb-1234567890123456.7.azuredatabricks.net"
_RETRY_SECONDS = 20
"""How long databricks-sdk itself asks again; the rest of the patience is the driver's, by its clock."""


class Workspace:
    """The clients of one workspace: of its REST API, and of the models that it serves. Tokens stay inside them."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._client: WorkspaceClient | None = None
        self._chats: OpenAI | None = None

    @property
    def client(self) -> WorkspaceClient:
        """The SDK's client.

        Raises ConfigError where nothing signs in or a secret is missing, EnvironmentProblem without databricks-sdk.
        """
        if self._client is None:
            host, token = self._serving.host, None
            if host is not None and self._serving.token is not None:
                host = checked_address(host, setting=f"{SETTING}.host", example=_EXAMPLE)
                token = resolve(self._serving.token, setting=f"{SETTING}.token")
            self._client = workspace_client(needed_for=SETTING, host=host, token=token, retry_seconds=_RETRY_SECONDS)
        return self._client

    @property
    def host(self) -> str:
        """The workspace's address, without a path."""
        return str(self.client.config.host).rstrip("/")

    @property
    def credential(self) -> str:
        """Where the sign-in comes from, in words."""
        token = self._serving.token
        return place_of(token) if token is not None else "databricks-sdk's own sign-in (environment, profile, platform)"

    @property
    def chats(self) -> OpenAI:
        """The client of the served models, with a token that is valid now; `model` is an endpoint's name."""
        if self._chats is None:
            self._chats = OpenAI(
                api_key="set-before-each-request", base_url=f"{self.host}/serving-endpoints", max_retries=0
            )
        self._chats.api_key = self._token()
        return self._chats

    @property
    def contact(self) -> Contact:
        """Whom the chats go to, for messages."""
        return Contact(endpoint=self.host, credential=self.credential, kind="databricks")

    def renew(self) -> None:
        """Sign in anew before the next request."""
        self._client = None

    def close(self) -> None:
        """Close the connections of the chats; the SDK's own go with it."""
        if self._chats is not None:
            self._chats.close()

    def _token(self) -> str:
        try:
            return token_of(self.client)
        except (KeyError, OSError, ValueError) as error:
            raise ConfigError(
                f"{SETTING}: {self.credential} gave no token for {self.host} ({type(error).__name__}). Run "
                f"`databricks auth login`, set DATABRICKS_HOST and DATABRICKS_TOKEN, or set host and token there."
            ) from None
