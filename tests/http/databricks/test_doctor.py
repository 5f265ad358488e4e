"""The doctor in a workspace: what is missing is told by the statement that grants it."""

from __future__ import annotations

from typing import Any

import pytest

from finelake.check import Check
from finelake.config.settings import Settings
from finelake.databricks.access import needs_of
from finelake.databricks.doctor import workspace_checks
from support.workspace import TOKEN, USER, State

pytestmark = pytest.mark.http

SECRET = {"scope": "finelake", "key": "azure-client-secret"}
ENTRA = {"tenant_id": {"scope": "finelake", "key": "azure-tenant-id"}, "client_id": "c", "client_secret": SECRET}

OPEN = {"models": {"open": "/models/open"}, "register_as": "models.support.desk"}


def settings_for(**sections: Any) -> Settings:
    """Give settings that name a table, a schema, a volume and a scope."""
    given: dict[str, Any] = {
        "project": "desk",
        "model": "gpt-4.1-mini",
        "source": {"table": "raw-data.support.turns", "layout": "conversations"},
        "tables": {"location": "main.finelake"},
        "output": {"folder": "/Volumes/main/finelake/published/desk"},
        "service": {"entra": ENTRA},
    }
    return Settings.model_validate(given | sections)


@pytest.fixture
def granted(workspace: State) -> State:
    """A workspace in which everything that is needed is granted, and no more."""
    for need in needs_of(settings_for()):
        workspace.grants.setdefault((need.kind, need.name), []).append(need.privilege)
    workspace.secrets = {("finelake", "azure-tenant-id"): "t", ("finelake", "azure-client-secret"): "s3cret"}
    return workspace


def failed(checks: list[Check]) -> dict[str, str]:
    return {check.name: check.remedy for check in checks if not check.ok}


def test_the_least_that_is_needed_is_enough(granted: State) -> None:
    checks = workspace_checks(settings_for())
    assert failed(checks) == {}
    assert [check.name for check in checks] == [
        "Workspace",
        "catalog main",
        "catalog raw-data",
        "schema main.finelake",
        "schema raw-data.support",
        "table raw-data.support.turns",
        "volume main.finelake.published",
        "secret scope finelake",
    ]
    assert USER in checks[0].detail
    assert all("POST" not in asked and "PUT" not in asked for asked in granted.requests)


WITHOUT = [
    ("catalog", "raw-data", "USE_CATALOG", f"GRANT USE CATALOG ON CATALOG `raw-data` TO `{USER}`;"),
    ("schema", "raw-data.support", "USE_SCHEMA", f"GRANT USE SCHEMA ON SCHEMA `raw-data`.`support` TO `{USER}`;"),
    ("table", "raw-data.support.turns", "SELECT", f"GRANT SELECT ON TABLE `raw-data`.`support`.`turns` TO `{USER}`;"),
    ("schema", "main.finelake", "CREATE_TABLE", f"GRANT CREATE TABLE ON SCHEMA `main`.`finelake` TO `{USER}`;"),
    ("schema", "main.finelake", "MODIFY", f"GRANT MODIFY ON SCHEMA `main`.`finelake` TO `{USER}`;"),
    (
        "volume",
        "main.finelake.published",
        "WRITE_VOLUME",
        f"GRANT WRITE VOLUME ON VOLUME `main`.`finelake`.`published` TO `{USER}`;",
    ),
]


@pytest.mark.parametrize(("kind", "name", "privilege", "grant"), WITHOUT)
def test_a_missing_privilege_is_told_as_its_grant(
    granted: State, kind: str, name: str, privilege: str, grant: str
) -> None:
    granted.grants[kind, name].remove(privilege)
    assert failed(workspace_checks(settings_for())) == {f"{kind} {name}": grant}


def test_an_owner_needs_no_grant(granted: State) -> None:
    granted.grants["schema", "main.finelake"] = []
    assert failed(workspace_checks(settings_for()))
    granted.owners["schemas", "main.finelake"] = USER
    assert failed(workspace_checks(settings_for())) == {}


def test_all_privileges_are_enough(granted: State) -> None:
    granted.grants["schema", "main.finelake"] = ["ALL_PRIVILEGES"]
    assert failed(workspace_checks(settings_for())) == {}


def test_what_is_not_there_or_may_not_be_seen_is_told_with_every_grant(granted: State) -> None:
    del granted.grants["volume", "main.finelake.published"]
    remedy = failed(workspace_checks(settings_for()))["volume main.finelake.published"]
    assert remedy.startswith("main.finelake.published is not there")
    assert "GRANT READ VOLUME ON VOLUME" in remedy
    assert "GRANT WRITE VOLUME ON VOLUME" in remedy
    granted.faults = [("GET /api/2.1/unity-catalog/effective-permissions/volume", 403, "PERMISSION_DENIED")]
    assert "PermissionDenied" in failed(workspace_checks(settings_for()))["volume main.finelake.published"]


def test_secrets_are_tried_and_never_shown(granted: State) -> None:
    del granted.secrets["finelake", "azure-tenant-id"]
    checks = workspace_checks(settings_for())
    assert failed(checks) == {"secret scope finelake": "databricks secrets put-secret finelake azure-tenant-id"}
    granted.faults = [("GET /api/2.0/secrets/get", 403, "PERMISSION_DENIED")]
    refused = workspace_checks(settings_for())
    assert failed(refused) == {"secret scope finelake": f"databricks secrets put-acl finelake {USER} READ"}
    assert not [word for word in ("s3cret", TOKEN, "4111") if word in str([*checks, *refused])]


def test_a_scope_that_is_not_there_is_made_first(granted: State) -> None:
    granted.secrets.clear()
    remedy = failed(workspace_checks(settings_for()))["secret scope finelake"]
    put = "databricks secrets put-secret finelake azure-"
    assert remedy.splitlines() == [
        "databricks secrets create-scope finelake",
        f"{put}client-secret",
        f"{put}tenant-id",
    ]
    granted.scopes.add("finelake")
    assert "create-scope" not in failed(workspace_checks(settings_for()))["secret scope finelake"]


def test_no_sign_in_is_one_failed_check(workspace: State, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not workspace.grants
    monkeypatch.setenv("DATABRICKS_TOKEN", "wrong")
    assert [(check.name, check.ok) for check in workspace_checks(settings_for())] == [("Workspace", False)]


def test_a_registered_model_that_is_not_there_is_made(granted: State) -> None:
    settings = settings_for(service={"kind": "huggingface", "huggingface": OPEN})
    granted.grants["schema", "models.support"] = ["USE_SCHEMA"]
    granted.grants["catalog", "models"] = ["USE_CATALOG"]
    make = f"GRANT CREATE MODEL ON SCHEMA `models`.`support` TO `{USER}`;"
    checks = workspace_checks(settings)
    assert failed(checks) == {"schema models.support": make}
    assert [check.detail for check in checks if check.name == "model models.support.desk"] == [
        "not there yet: who makes it owns it"
    ]
    granted.grants["schema", "models.support"].append("CREATE_MODEL")
    granted.grants["function", "models.support.desk"] = ["EXECUTE"]
    granted.owners["models", "models.support.desk"] = "bob"
    version = f"GRANT CREATE MODEL VERSION ON FUNCTION `models`.`support`.`desk` TO `{USER}`;"
    assert failed(workspace_checks(settings)) == {"model models.support.desk": version}
    granted.owners["models", "models.support.desk"] = USER
    assert failed(workspace_checks(settings)) == {}


def test_settings_without_a_workspace_ask_none(workspace: State) -> None:
    local = settings_for(
        source={"table": "./raw", "layout": "conversations"},
        tables={"location": "./tables"},
        output={"folder": "./out"},
        service={},
    )
    assert workspace_checks(local) == []
    assert workspace.requests == []
