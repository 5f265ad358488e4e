"""The client of the workspace: made when it is needed, from the platform's own sign-in or the environment."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from finelake import __version__
from finelake.errors import ConfigError, EnvironmentProblem, FinelakeError, OutputError

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors.base import DatabricksError

logger = logging.getLogger(__name__)


def workspace_client(
    *, needed_for: str, host: str | None = None, token: str | None = None, retry_seconds: int | None = None
) -> WorkspaceClient:
    """Make the client; `needed_for` says what asks for it, for messages.

    Without `host` and `token` the platform or the environment signs in. The client asks again by itself for
    `retry_seconds`, by its own default five minutes. Raises EnvironmentProblem when databricks-sdk is not installed,
    ConfigError when nothing signs in to a workspace.
    """
    try:
        from databricks.sdk import WorkspaceClient
        from databricks.sdk.core import Config
    except ImportError:
        raise EnvironmentProblem(
            f"{needed_for} needs databricks-sdk, which is not installed. Run `pip install 'finelake[databricks]'`."
        ) from None
    try:
        config = Config(
            host=host,
            token=token,
            retry_timeout_seconds=retry_seconds,
            product="finelake",
            product_version=__version__,
            auth_type=None if token is None else "pat",
        )
        return WorkspaceClient(config=config)
    except ValueError as error:
        raise ConfigError(
            f"{needed_for} needs a Databricks workspace, and nothing here signs in to one ({type(error).__name__}). "
            f"Run `databricks auth login`, or set DATABRICKS_HOST and DATABRICKS_TOKEN."
        ) from None


def token_of(client: WorkspaceClient) -> str:
    """Give the token that a client signs in with now. Raises KeyError, OSError or ValueError where it has none."""
    return client.config.authenticate()["Authorization"].removeprefix("Bearer ")


def sign_in_environment() -> dict[str, str]:
    """Give the variables by which a process of its own signs in as this one does; empty where it can by itself.

    On Databricks the identity of a job belongs to the Python process of its task: another process needs a token.
    """
    from finelake.session import on_platform

    if not on_platform(os.environ) or "DATABRICKS_TOKEN" in os.environ:
        return {}
    try:
        client = workspace_client(needed_for="a process of its own")
        token = token_of(client)
    except (FinelakeError, KeyError, OSError, ValueError) as error:
        logger.warning("no token for a process of its own (%s); it signs in by itself", type(error).__name__)
        return {}
    return {"DATABRICKS_HOST": str(client.config.host), "DATABRICKS_TOKEN": token}


def workspace_problem(error: DatabricksError, *, place: str, needs: str) -> FinelakeError:
    """Explain what the workspace answered about a place; `needs` is the privilege that the request needs.

    The answer's own message is left out: it may quote what was sent.
    """
    from databricks.sdk.errors import NotFound, PermissionDenied, Unauthenticated

    kind = type(error).__name__
    if isinstance(error, Unauthenticated):
        return ConfigError(
            f"The workspace does not accept the sign-in ({kind}) for {place}. Run `databricks auth login` again, or "
            f"renew DATABRICKS_TOKEN."
        )
    if isinstance(error, PermissionDenied):
        return OutputError(
            f"The workspace refuses {place} ({kind}); it needs {needs}. `finelake doctor` prints the grant as SQL."
        )
    if isinstance(error, NotFound):
        return OutputError(f"{place} is not there ({kind}). Deploy the bundle, or correct the name in the settings.")
    return OutputError(f"The workspace did not do what was asked for {place} ({kind}). Run the same again.")
