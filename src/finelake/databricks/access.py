"""What a run needs in the workspace, by the least privilege, and the grants that are missing as SQL.

Effective permissions come from Unity Catalog's REST API, with what is inherited. A privilege counts when the one who
runs this has it, one of the groups that the workspace names for them, or everybody (`account users`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from finelake.config.settings import SecretRef, Settings, is_path
from finelake.config.source import VOLUMES
from finelake.config.table_names import MOST_PARTS, name_parts, quoted_name
from finelake.config.walking import secret_refs, texts

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

EVERYBODY = "account users"
ALL = "ALL_PRIVILEGES"
MODEL = "function"
"""What Unity Catalog's permissions call a registered model: a specific type of function (its privileges reference)."""
_PATHS = {"catalog": "catalogs", "schema": "schemas", "table": "tables", "volume": "volumes", MODEL: "models"}
_ORDER = ("catalog", "schema", "table", "volume", MODEL, "credential")
_REGISTERED = re.compile(r"\Amodels:/([^/@]+)[/@].+\Z")
_WRITTEN = ("tables.location", "output.folder", "shards.folder", "service.huggingface.folder", "tracking.folder")
"""The settings of folders that are written; any other that names a place in a Volume is read."""


@dataclass(frozen=True, order=True, slots=True)
class Need:
    """A privilege on a securable; `name` with dots, unquoted.

    `kind` is catalog, schema, table, volume, function (a registered model) or credential. A need that is `if_there`
    only counts where the securable exists: what makes it then owns it.
    """

    kind: str
    name: str
    privilege: str
    if_there: bool = False

    @property
    def place(self) -> str:
        """The securable, for people."""
        return f"{'model' if self.kind == MODEL else self.kind} {self.name}"

    @property
    def said(self) -> str:
        """The privilege as SQL says it."""
        return self.privilege.replace("_", " ")

    def grant(self, principal: str) -> str:
        """Give the statement that grants it."""
        kind = "SERVICE CREDENTIAL" if self.kind == "credential" else self.kind.upper()
        return f"GRANT {self.said} ON {kind} {quoted_name(self.name)} TO `{principal}`;"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, and the groups that the workspace names for them."""

    name: str
    groups: frozenset[str]

    def is_one_of(self, names: set[str]) -> bool:
        """Tell whether one of the names stands for who asks."""
        return bool({self.name, EVERYBODY, *self.groups} & names)


def needs_of(settings: Settings) -> list[Need]:
    """Give what the settings need in Unity Catalog, without repetition, in the order catalog, schema, what is in it."""
    needs = set(_needs(settings))
    needs -= {replace(need, if_there=True) for need in needs if not need.if_there}
    return sorted(needs, key=lambda need: (_ORDER.index(need.kind), need))


def secrets_of(settings: Settings) -> list[tuple[str, SecretRef]]:
    """Give the settings that name a secret of a scope, with the secret."""
    return [(setting, each) for setting, each in secret_refs(settings) if each.scope is not None]


def in_workspace(settings: Settings) -> bool:
    """Tell whether the source or finelake's own tables are in a workspace: in Unity Catalog or in a Volume."""
    source, location = settings.source.table, settings.tables.location
    return (
        _catalogued(source) is not None
        or _schema(location) is not None
        or any(place.startswith(VOLUMES) for place in (source, location))
    )


def principal_of(client: WorkspaceClient) -> Principal:
    """Ask who is signed in."""
    me = client.current_user.me()
    return Principal(str(me.user_name), frozenset(str(group.display) for group in me.groups or ()))


def missing(client: WorkspaceClient, needs: list[Need], principal: Principal) -> list[Need]:
    """Give the needs that are not met; raises databricks-sdk's errors where that cannot be asked."""
    places = {(need.kind, need.name) for need in needs}
    held = {place: _held(client, *place, principal) for place in sorted(places)}
    return [need for need in needs if not {need.privilege, ALL} & held[need.kind, need.name]]


def _needs(settings: Settings) -> Iterator[Need]:
    for table in _tables_read(settings):
        parts = _catalogued(table)
        if parts is not None:
            yield from _inside(parts)
            yield Need("table", ".".join(parts), "SELECT")
    schema = _schema(settings.tables.location)
    if schema is not None:
        yield from _inside(schema)
        yield from (Need("schema", ".".join(schema), privilege) for privilege in ("CREATE_TABLE", "MODIFY", "SELECT"))
    for setting, text in texts(settings):
        parts = tuple(text.removeprefix(VOLUMES).split("/"))[:MOST_PARTS]
        if text.startswith(VOLUMES) and len(parts) == MOST_PARTS:
            yield from _inside(parts)
            yield Need("volume", ".".join(parts), "READ_VOLUME")
            if setting in _WRITTEN:
                yield Need("volume", ".".join(parts), "WRITE_VOLUME")
    yield from _models(settings)
    if settings.service.entra is not None and settings.service.entra.service_credential is not None:
        yield Need("credential", settings.service.entra.service_credential, "ACCESS")


def _tables_read(settings: Settings) -> list[str]:
    """Give each table that the settings name; one that is a folder is among them too."""
    named = [settings.source.table, settings.embeddings.table]
    named += [each.table for each in settings.decontamination.tables]
    named += [each.table for each in settings.evaluation.suites]
    return [name for name in named if name is not None]


def _models(settings: Settings) -> Iterator[Need]:
    """Give the needs of registered models: those that are trained further, and the one that versions are added to.

    MLflow asks to make the registered model before each version, so CREATE MODEL is needed even where it exists.
    """
    local = settings.service.huggingface
    if local is None:
        return
    for source in local.models.values():
        named = _REGISTERED.match(source)
        parts = _catalogued(named.group(1)) if named else None
        if parts is not None:
            yield from _inside(parts)
            yield Need(MODEL, ".".join(parts), "EXECUTE")
    parts = _catalogued(local.register_as or "")
    if parts is not None:
        yield from _inside(parts)
        yield Need("schema", ".".join(parts[:2]), "CREATE_MODEL")
        for privilege in ("CREATE_MODEL_VERSION", "EXECUTE"):
            yield Need(MODEL, ".".join(parts), privilege, if_there=True)


def _catalogued(name: str) -> tuple[str, ...] | None:
    """Give the parts of a name in Unity Catalog; None for a folder, and for a name in a session's own catalog."""
    parts = None if is_path(name) else name_parts(name)
    return parts if parts is not None and len(parts) == MOST_PARTS else None


def _schema(location: str) -> tuple[str, ...] | None:
    parts = None if is_path(location) else name_parts(location)
    return parts if parts is not None and len(parts) == MOST_PARTS - 1 else None


def _inside(parts: tuple[str, ...]) -> Iterator[Need]:
    yield Need("catalog", parts[0], "USE_CATALOG")
    yield Need("schema", ".".join(parts[:2]), "USE_SCHEMA")


def _held(client: WorkspaceClient, kind: str, name: str, principal: Principal) -> set[str]:
    """Give the privileges that somebody has on a securable: the owner has all."""
    found: set[str] = set()
    token = None
    while token != "":
        place = f"/api/2.1/unity-catalog/effective-permissions/{kind}/{quote(name, safe='.')}"
        query = {"max_results": 0, **({"page_token": token} if token else {})}
        page: Any = client.api_client.do("GET", place, query=query)
        for each in page.get("privilege_assignments", []):
            if principal.is_one_of({each.get("principal", "")}):
                found |= {item["privilege"] for item in each.get("privileges", [])}
        token = page.get("next_page_token") or ""
    if ALL not in found and kind in _PATHS and _owner(client, kind, name, principal):
        found.add(ALL)
    return found


def is_there(client: WorkspaceClient, need: Need) -> bool:
    """Tell whether a securable exists; one that may not be seen does. Raises databricks-sdk's errors."""
    from databricks.sdk.errors import NotFound, PermissionDenied

    try:
        _described(client, need.kind, need.name)
    except NotFound:
        return False
    except PermissionDenied:
        return True
    return True


def _owner(client: WorkspaceClient, kind: str, name: str, principal: Principal) -> bool:
    from databricks.sdk.errors import NotFound, PermissionDenied

    try:
        found = _described(client, kind, name)
    except (NotFound, PermissionDenied):
        return False
    return principal.is_one_of({found.get("owner", "")})


def _described(client: WorkspaceClient, kind: str, name: str) -> Any:
    return client.api_client.do("GET", f"/api/2.1/unity-catalog/{_PATHS[kind]}/{quote(name, safe='.')}")
