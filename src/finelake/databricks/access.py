"""What a run needs in the workspace, by the least privilege, and the grants that are missing as SQL.

Effective permissions come from Unity Catalog's REST API, with what is inherited. A privilege counts when the one who
runs this has it, one of the groups that the workspace names for them, or everybody (`account users`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from finelake.config.settings import SecretRef, Settings, is_path
from finelake.config.source import VOLUMES
from finelake.config.table_names import MOST_PARTS, name_parts, quoted_name

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

EVERYBODY = "account users"
ALL = "ALL_PRIVILEGES"
_PATHS = {"catalog": "catalogs", "schema": "schemas", "table": "tables", "volume": "volumes"}


@dataclass(frozen=True, order=True, slots=True)
class Need:
    """A privilege on a securable: `kind` catalog, schema, table, volume or credential; `name` with dots, unquoted."""

    kind: str
    name: str
    privilege: str

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
    needs = dict.fromkeys(_needs(settings))
    order = ("catalog", "schema", "table", "volume", "credential")
    return sorted(needs, key=lambda need: (order.index(need.kind), need))


def secrets_of(settings: Settings) -> list[tuple[str, SecretRef]]:
    """Give the settings that name a secret of a scope, with the secret."""
    service, entra = settings.service, settings.service.entra
    named: list[tuple[str, Any]] = [
        ("privacy.key", settings.privacy.key),
        ("service.api_key", service.api_key),
        ("service.resource_manager_token", service.resource_manager_token),
        ("training.import_from", settings.training.import_from),
    ]
    if service.huggingface is not None and service.huggingface.serving is not None:
        named.append(("service.huggingface.serving.token", service.huggingface.serving.token))
    if entra is not None:
        parts = ("tenant_id", "client_id", "client_secret")
        named += [(f"service.entra.{part}", getattr(entra, part)) for part in parts]
    return [(setting, each) for setting, each in named if isinstance(each, SecretRef) and each.scope is not None]


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
    source, location = settings.source.table, settings.tables.location
    parts = None if is_path(source) else name_parts(source)
    if parts is not None and len(parts) == MOST_PARTS:
        yield from _inside(parts)
        yield Need("table", ".".join(parts), "SELECT")
    parts = None if is_path(location) else name_parts(location)
    if parts is not None and len(parts) == MOST_PARTS - 1:
        yield from _inside(parts)
        schema = ".".join(parts)
        yield from (Need("schema", schema, privilege) for privilege in ("CREATE_TABLE", "MODIFY", "SELECT"))
        if settings.service.kind == "huggingface":
            yield Need("schema", schema, "CREATE_MODEL")
    if settings.output.folder.startswith(VOLUMES):
        parts = tuple(settings.output.folder.removeprefix(VOLUMES).split("/"))[:MOST_PARTS]
        yield from _inside(parts)
        yield from (Need("volume", ".".join(parts), privilege) for privilege in ("READ_VOLUME", "WRITE_VOLUME"))
    if settings.service.entra is not None and settings.service.entra.service_credential is not None:
        yield Need("credential", settings.service.entra.service_credential, "ACCESS")


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


def _owner(client: WorkspaceClient, kind: str, name: str, principal: Principal) -> bool:
    from databricks.sdk.errors import NotFound, PermissionDenied

    try:
        found: Any = client.api_client.do("GET", f"/api/2.1/unity-catalog/{_PATHS[kind]}/{quote(name, safe='.')}")
    except (NotFound, PermissionDenied):
        return False
    return principal.is_one_of({found.get("owner", "")})
