"""A workspace that answers on this machine, and this process signed in to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.workspace import TOKEN, State, serve_workspace


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[State]:
    """What the workspace holds; the real databricks-sdk signs in by the environment."""
    with serve_workspace() as (address, state):
        monkeypatch.setenv("DATABRICKS_HOST", address)
        monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
        monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.chdir(tmp_path)
        yield state
