"""The doctor's checks, each against a real good and a real bad place."""

from __future__ import annotations

import http.server
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from finelake import doctor
from finelake.config.settings import SecretRef, Service, SessionSettings, Settings, Tokens

SECRET = "sk-this-must-never-be-shown"


class _FilesPage(http.server.BaseHTTPRequestHandler):
    """Answer every GET as a service without files does, to the right key only."""

    def do_GET(self) -> None:
        right = SECRET in (self.headers.get("authorization") or "") or self.headers.get("api-key") == SECRET
        body = b'{"object": "list", "data": [], "has_more": false}'
        if not right:
            body = b'{"error": {"code": "401", "message": "Access denied due to invalid subscription key."}}'
        self.send_response(200 if right else 401)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Keep the test's output free of access lines."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    """A loopback HTTP server that lists no files."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _FilesPage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def service(endpoint: str) -> Service:
    """Return settings of a service whose only part is its endpoint."""
    return Service(kind="openai", endpoint=f"{endpoint}/v1", api_key=SecretRef(env="DOCTOR_TEST_KEY"))


def test_python_is_compared_with_the_oldest() -> None:
    assert doctor.check_python().ok
    old = doctor.check_python((3, 10))
    assert (old.ok, old.detail) == (False, "3.10")
    assert "3.11" in old.remedy


def test_a_missing_java_is_named_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_java", lambda _: None)
    found = doctor.check_java({"PATH": str(tmp_path)})
    assert not found.ok
    assert "JAVA_HOME" in found.remedy


@pytest.mark.parametrize(
    ("spark", "delta", "ok"),
    [
        ("4.0.1", "4.0.1", True),
        ("4.1.2", "4.4.1", True),
        ("4.2.0", "4.4.1", True),
        ("4.1.0", "4.0.1", False),
        ("3.5.4", "3.3.0", False),
        ("4.3.0", "4.4.1", False),
        (None, "4.0.1", False),
        ("4.0.1", None, False),
    ],
)
def test_spark_and_delta_must_match(spark: str | None, delta: str | None, ok: bool) -> None:
    found = doctor.check_spark(spark, delta)
    assert found.ok is ok
    assert ok or "finelake[local]" in found.remedy


def test_the_token_engine_is_built() -> None:
    assert doctor.check_tokens("o200k_base", Tokens()).ok
    unknown = doctor.check_tokens("no_such_encoding", Tokens())
    assert not unknown.ok
    assert "no_such_encoding" in unknown.remedy


def test_a_folder_that_does_not_exist_yet_is_judged_by_its_parent(tmp_path: Path) -> None:
    found = doctor.check_folder("Output", str(tmp_path / "a" / "b"))
    assert found.ok
    assert list(tmp_path.iterdir()) == []


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = doctor.check_folder("Output", str(tmp_path / "file" / "out"))
    assert not found.ok
    assert str(tmp_path / "file") in found.remedy


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert not doctor.check_folder("Output", str(tmp_path)).ok


def test_a_schema_is_left_to_the_first_write() -> None:
    assert doctor.check_tables("main.chat").ok


def test_space_is_compared_with_the_least(tmp_path: Path) -> None:
    assert doctor.check_space(str(tmp_path), least=1).ok
    full = doctor.check_space(str(tmp_path), least=10**18)
    assert not full.ok
    assert "Free" in full.remedy


def test_a_secret_is_found_but_not_shown() -> None:
    reference = SecretRef(env="DOCTOR_TEST_KEY")
    found = doctor.check_secret("service.api_key", reference, {"DOCTOR_TEST_KEY": SECRET})
    assert found.ok
    assert SECRET not in repr(found)
    missing = doctor.check_secret("service.api_key", reference, {})
    assert not missing.ok
    assert "DOCTOR_TEST_KEY" in missing.remedy


def test_an_endpoint_that_answers_passes(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCTOR_TEST_KEY", SECRET)
    assert doctor.check_endpoint(service(endpoint)).ok


def test_a_wrong_key_is_reported(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCTOR_TEST_KEY", "wrong-value-9")
    found = doctor.check_endpoint(service(endpoint))
    assert not found.ok
    assert "DOCTOR_TEST_KEY" in found.remedy
    assert "wrong-value-9" not in repr(found)


def test_an_endpoint_where_nothing_listens_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCTOR_TEST_KEY", SECRET)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        found = doctor.check_endpoint(service(f"http://127.0.0.1:{unused.getsockname()[1]}"))
    assert not found.ok
    assert SECRET not in repr(found)


def test_a_platform_brings_its_own_java_and_spark() -> None:
    names = [each.name for each in doctor.check_machine(SessionSettings(), {"DATABRICKS_RUNTIME_VERSION": "17.3"})]
    assert names == ["Python"]
    assert "Java" in [each.name for each in doctor.check_machine(SessionSettings(mode="local"), os.environ)]


def settings_of(**sections: Any) -> Settings:
    """Give settings whose tables are in Unity Catalog."""
    source = {"table": "main.support.raw", "layout": "conversations"}
    given = {"project": "desk", "model": "gpt-4.1-mini", "source": source, "tables": {"location": "main.finelake"}}
    return Settings.model_validate(given | sections)


LOCAL = {"source": {"table": "./raw", "layout": "conversations"}, "tables": {"location": "./tables"}}
OWN_CATALOG = {"session": {"options": {"spark.sql.catalog.main": "org.example.Catalog"}}}


@pytest.mark.parametrize(
    ("sections", "spark", "elsewhere"),
    [
        ({}, None, True),
        ({}, "4.0.1", False),
        (LOCAL, None, False),
        ({"session": {"mode": "local"}}, None, False),
        (OWN_CATALOG, None, False),
    ],
)
def test_a_machine_that_only_deploys_needs_no_spark(
    monkeypatch: pytest.MonkeyPatch, sections: dict[str, Any], spark: str | None, elsewhere: bool
) -> None:
    monkeypatch.setattr(doctor, "_version", {"pyspark": spark, "delta-spark": spark}.get)
    settings = settings_of(**sections)
    found = doctor.runs_elsewhere(settings, {})
    assert found is elsewhere
    checks = {check.name: check for check in doctor.check_machine(settings.session, os.environ, elsewhere=found)}
    assert ("Java" in checks) is not elsewhere
    assert checks["Spark and Delta"].ok is (elsewhere or spark is not None)
    assert ("databricks-connect>=17.3" in checks["Spark and Delta"].detail) is elsewhere


def test_a_machine_that_only_deploys_does_not_train(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", {}.get)
    own = Service.model_validate({"kind": "huggingface", "huggingface": {"models": {"small": "/models/small"}}})
    (found,) = doctor.check_access(own, {}, elsewhere=True)
    assert found.ok
    assert "a cluster trains" in found.detail
    assert not doctor.check_access(own, {})[0].ok


def test_a_service_on_this_machine_needs_packages_in_place_of_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Service.model_validate({"kind": "huggingface", "huggingface": {"models": {"small": "/models/small"}}})
    versions = {"fastapi": "1", "uvicorn": "1", "torch": "2", "transformers": "5", "trl": "1", "peft": None}
    monkeypatch.setattr(doctor, "_version", versions.get)
    (found,) = doctor.check_access(own, {})
    assert not found.ok
    assert found.detail == "peft not installed"
    assert "finelake[emulator,hf]" in found.remedy
    versions["peft"] = "0.2"
    (found,) = doctor.check_access(own, {})
    assert found.ok
    assert {one.name for one in doctor.check_access(Service(), {})} >= {"service.api_key"}
