"""The client of the workspace: made when it is needed, from the platform's own sign-in or the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finelake import __version__
from finelake.errors import ConfigError, EnvironmentProblem

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient


def workspace_client(*, needed_for: str) -> WorkspaceClient:
    """Make the client; `needed_for` says what asks for it, for messages.

    Raises EnvironmentProblem when databricks-sdk is not installed, ConfigError when nothing signs in to a workspace.
    """
    try:
        from databricks.sdk import WorkspaceClient
    except ImportError:
        raise EnvironmentProblem(
            f"{needed_for} needs databricks-sdk, which is not installed. Run `pip install 'finelake[databricks]'`."
        ) from None
    try:
        return WorkspaceClient(product="finelake", product_version=__version__)
    except ValueError as error:
        raise ConfigError(
            f"{needed_for} needs a Databricks workspace, and nothing here signs in to one ({type(error).__name__}). "
            f"Run `databricks auth login`, or set DATABRICKS_HOST and DATABRICKS_TOKEN."
        ) from None
