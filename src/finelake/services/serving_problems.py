"""What a workspace answers about serving endpoints, as this package's errors. Tokens are in none of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from finelake.errors import ConfigError, ServiceError
from finelake.services.contact import PassingError, UnreadableError
from finelake.services.deployed import BusyError, UnreachedError
from finelake.services.workspace import SETTING, Workspace

if TYPE_CHECKING:
    from databricks.sdk.errors.base import DatabricksError

_LONGEST = 300


@contextmanager
def explained(workspace: Workspace, action: str) -> Iterator[None]:
    """Turn the SDK's errors into PassingError, BusyError, ConfigError or ServiceError.

    What the workspace said about a configuration is quoted: only names and settings were sent.
    """
    from databricks.sdk.errors.base import DatabricksError

    try:
        yield
    except DatabricksError as error:
        raise _problem(error, workspace, action) from None
    except OSError as error:
        raise UnreachedError(
            f"The workspace {workspace.host} cannot be reached while {action} ({type(error).__name__}). Check "
            f"DATABRICKS_HOST or {SETTING}.host, network and proxy, and run the same again; what is done stays done."
        ) from None
    except (AttributeError, KeyError, TypeError) as error:
        raise UnreadableError(
            f"What {workspace.host} answered while {action} is not the workspace's ({type(error).__name__})."
        ) from None


def _problem(error: DatabricksError, workspace: Workspace, action: str) -> Exception:
    from databricks.sdk.errors import (
        DeadlineExceeded,
        InternalError,
        PermissionDenied,
        ResourceConflict,
        TemporarilyUnavailable,
        TooManyRequests,
        Unauthenticated,
    )

    said = f"{workspace.host} refused {action} ({type(error).__name__}): {str(error)[:_LONGEST]}"
    if isinstance(error, Unauthenticated):
        return ConfigError(
            f"{workspace.host} does not accept the sign-in while {action}. It came from {workspace.credential}. Run "
            f"`databricks auth login` again, or renew the token there."
        )
    if isinstance(error, PermissionDenied):
        return ServiceError(
            f"{said} Making an endpoint needs the workspace's right to create one, EXECUTE on the registered model and "
            f"USE on its catalog and schema; changing or deleting one needs CAN MANAGE on it."
        )
    if isinstance(error, ResourceConflict):
        return BusyError(f"{workspace.host}: the endpoint is being changed ({type(error).__name__}).")
    if isinstance(error, TooManyRequests | TemporarilyUnavailable | InternalError | DeadlineExceeded):
        return PassingError(said)
    return ServiceError(f"{said} Correct what it names ({SETTING} and register_as) and run the same again.")
