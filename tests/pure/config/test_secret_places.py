"""A secret that was written where its place should be named is in no message, wherever in the file that is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from finelake.config.loading import load_settings
from finelake.config.privacy import SecretRef
from finelake.config.settings import Settings
from finelake.config.walking import branches, held_by, secret_refs, section_of
from finelake.errors import ConfigError

SECRET = "hunter2-is-never-shown"
SMALLEST = {"project": "shop", "model": "gpt-4.1-mini", "source": {"table": "a.b.c", "layout": "conversations"}}


def named(annotation: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Walk the types: each place of a secret, and what it lies in."""
    for branch in branches(annotation):
        section = section_of(branch)
        if section is SecretRef:
            yield from (at[:end] for end in range(1, len(at) + 1))
            yield from ((*at, part) for part in SecretRef.model_fields)
        elif section is not None:
            for name, field in section.model_fields.items():
                yield from named(field.annotation, (*at, name))
        for inner in held_by(branch):
            yield from named(inner, (*at, "0"))


PLACES = sorted(set(named(Settings)))
REFERENCES = sorted({place[:-1] for place in PLACES if place[-1] == "scope"})


def at(place: tuple[str, ...], value: Any) -> dict[str, Any]:
    for part in reversed(place):
        value = {part: value}
    return dict(value)


def message_of(tmp_path: Path, given: dict[str, Any], *overrides: str) -> str:
    path = tmp_path / "shop.yml"
    path.write_text(yaml.safe_dump(given), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_settings(path, overrides=overrides, environment={"THE_SECRET": SECRET})
    return str(refused.value)


def test_the_places_are_found() -> None:
    found = {".".join(place) for place in PLACES}
    assert {"privacy.key", "service.api_key", "service.entra.client_secret", "service.entra.tenant_id"} <= found
    assert {"training.import_from", "service.huggingface.serving.token", "service", "service.entra"} <= found
    assert "service.endpoint" not in found


@pytest.mark.parametrize("written", [SECRET, "${THE_SECRET}"])
@pytest.mark.parametrize("form", ["scalar", "list", "mapping"])
@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_a_secret_in_place_is_not_shown(tmp_path: Path, place: tuple[str, ...], form: str, written: str) -> None:
    forms: dict[str, Any] = {
        "scalar": written,
        "list": [written, {"env": [written]}],
        "mapping": {"env": [written], "scope": {"value": written}},
    }
    # Some places take a name, which is no mistake there: the second key is one in any case.
    message = message_of(tmp_path, SMALLEST | at(place, forms[form]) | {"spoilt": True})
    assert "spoilt: unknown key" in message
    assert SECRET not in message


@pytest.mark.parametrize("place", REFERENCES, ids=".".join)
def test_a_secret_in_place_of_a_key_is_not_shown(tmp_path: Path, place: tuple[str, ...]) -> None:
    message = message_of(tmp_path, SMALLEST | at(place, {SECRET: None}))
    assert f"{'.'.join(place)}: unknown key (not shown). Allowed here: env, key, scope." in message
    assert SECRET not in message


def test_what_is_no_secret_is_still_shown(tmp_path: Path) -> None:
    given = SMALLEST | {"service": {"kind": "azzure", "entra": {"client_secrett": SECRET}}}
    message = message_of(tmp_path, given)
    assert "service.kind: found 'azzure'" in message
    assert "service.entra.client_secrett: unknown key. Did you mean client_secret?" in message
    assert SECRET not in message


def test_an_override_without_a_key_is_not_shown(tmp_path: Path) -> None:
    for wrong in (SECRET, f"={SECRET}"):
        message = message_of(tmp_path, SMALLEST, "model=gpt-4.1-mini", wrong)
        assert message == "--set number 2: expected key=value, for example training.epochs=2."


def test_every_place_of_a_secret_in_settings_is_found() -> None:
    where = {"scope": "finelake", "key": "k"}
    entra = {"tenant_id": where, "client_id": "c", "client_secret": where}
    settings = Settings.model_validate(
        SMALLEST | {"privacy": {"key": where}, "service": {"entra": entra}, "training": {"import_from": {"env": "A"}}}
    )
    found = {setting: reference.scope for setting, reference in secret_refs(settings)}
    assert found == {
        "privacy.key": "finelake",
        "service.entra.tenant_id": "finelake",
        "service.entra.client_secret": "finelake",
        "training.import_from": None,
    }
