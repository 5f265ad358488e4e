"""How pip's settings reach uv."""

from __future__ import annotations

from pathlib import Path

import make_venv

LISTING = """:env:.cert='/etc/ssl/ca.crt'
:env:.find-links='https://wheels.example/list'
global.index-url='https://mirror.example/simple'
global.extra-index-url='https://a.example/simple\\nhttps://b.example/simple'
global.timeout='60'
"""


def test_settings_of_files_and_environment_are_translated() -> None:
    assert make_venv.uv_settings(LISTING, {}) == {
        "SSL_CERT_FILE": "/etc/ssl/ca.crt",
        "UV_FIND_LINKS": "https://wheels.example/list",
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://a.example/simple https://b.example/simple",
    }


def test_what_is_set_for_uv_already_stays() -> None:
    assert "UV_DEFAULT_INDEX" not in make_venv.uv_settings(LISTING, {"UV_DEFAULT_INDEX": "https://other.example"})


def test_a_folder_of_wheels_must_exist(tmp_path: Path) -> None:
    found = make_venv.uv_settings(f":env:.find-links='{tmp_path}\\n{tmp_path / 'absent'}'", {})
    assert found == {"UV_FIND_LINKS": str(tmp_path)}


def test_no_settings_give_nothing() -> None:
    assert make_venv.uv_settings("", {}) == {}
