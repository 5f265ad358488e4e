"""The doctor's checks of a workspace: every resource that the settings name, by the least privilege needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from finelake.check import Check
from finelake.config.settings import Settings
from finelake.databricks.access import Need, Principal, is_there, missing, needs_of, principal_of, secrets_of
from finelake.databricks.workspace import workspace_client, workspace_problem
from finelake.errors import FinelakeError

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

Answer = TypeVar("Answer")


def workspace_checks(settings: Settings) -> list[Check]:
    """Check access to what the settings name in a workspace; nothing where they name nothing there."""
    needs, secrets = needs_of(settings), secrets_of(settings)
    if not needs and not secrets:
        return []
    try:
        client = workspace_client(needed_for="Unity Catalog")
        principal = _asked(partial(principal_of, client), place="who is signed in", needs="a valid sign-in")
    except FinelakeError as error:
        return [Check("Workspace", False, "not reached", str(error))]
    checks = [Check("Workspace", True, f"{client.config.host} as {principal.name}")]
    checks += _privileges(client, needs, principal)
    scopes = sorted({str(reference.scope) for _, reference in secrets})
    return [*checks, *(_scope(client, scope, settings, principal) for scope in scopes)]


def _privileges(client: WorkspaceClient, needs: list[Need], principal: Principal) -> Iterator[Check]:
    for place, group in groupby(needs, key=lambda need: need.place):
        wanted = list(group)
        name, said = wanted[0].name, ", ".join(need.said for need in wanted)
        try:
            if all(need.if_there for need in wanted) and not _asked(
                partial(is_there, client, wanted[0]), place=name, needs="BROWSE"
            ):
                yield Check(place, True, "not there yet: who makes it owns it")
                continue
            lacking = _asked(partial(missing, client, wanted, principal), place=name, needs="BROWSE")
        except FinelakeError as error:
            grants = "\n".join(need.grant(principal.name) for need in wanted)
            yield Check(place, False, "its permissions cannot be read", f"{error}\n{grants}")
            continue
        if not lacking:
            yield Check(place, True, said)
            continue
        detail = f"missing: {', '.join(need.said for need in lacking)}"
        yield Check(place, False, detail, "\n".join(need.grant(principal.name) for need in lacking))


def _scope(client: WorkspaceClient, scope: str, settings: Settings, principal: Principal) -> Check:
    """Try each secret of a scope; scopes are no part of Unity Catalog, so their grant is a command."""
    from databricks.sdk.errors import NotFound
    from databricks.sdk.errors.base import DatabricksError

    absent, refused = [], ""
    keys = sorted({str(reference.key) for _, reference in secrets_of(settings) if reference.scope == scope})
    for key in keys:
        try:
            client.secrets.get_secret(scope, key)
        except NotFound:
            absent.append(key)
        except DatabricksError as error:
            refused = type(error).__name__
    if refused:
        remedy = f"databricks secrets put-acl {scope} {principal.name} READ"
        return Check(f"secret scope {scope}", False, f"cannot be read ({refused})", remedy)
    if absent:
        steps = [] if _scope_is_there(client, scope) else [f"databricks secrets create-scope {scope}"]
        detail = f"{'it is not there; ' if steps else ''}missing: {', '.join(absent)}"
        steps += [f"databricks secrets put-secret {scope} {key}" for key in absent]
        return Check(f"secret scope {scope}", False, detail, "\n".join(steps))
    return Check(f"secret scope {scope}", True, f"READ, {len(keys)} secrets")


def _scope_is_there(client: WorkspaceClient, scope: str) -> bool:
    """Tell a scope without a key from no scope: both are answered alike where a secret is asked for."""
    from databricks.sdk.errors import NotFound
    from databricks.sdk.errors.base import DatabricksError

    try:
        next(iter(client.secrets.list_secrets(scope)), None)
    except NotFound:
        return False
    except DatabricksError:
        return True
    return True


def _asked(ask: Callable[[], Answer], *, place: str, needs: str) -> Answer:
    from databricks.sdk.errors.base import DatabricksError

    try:
        return ask()
    except DatabricksError as error:
        raise workspace_problem(error, place=place, needs=needs) from None
