"""Recorded configurations: whole, comparable by key, and without what must not be told."""

from __future__ import annotations

from pathlib import Path

from finelake.config.loading import load_settings
from finelake.config.settings import SecretRef, SessionSettings, Settings
from finelake.lineage.code import code_version
from finelake.lineage.configuration import Change, changes, hash_of, recorded

ROOT = Path(__file__).resolve().parents[3]


def demo() -> Settings:
    return load_settings(ROOT / "conf" / "local.yml", environment={})


def test_settings_come_back_from_their_record() -> None:
    settings = demo()
    assert Settings.model_validate(recorded(settings)) == settings


def test_what_an_address_carries_is_masked_and_where_a_secret_is_kept_is_told() -> None:
    remote = "sc://host:443/;use_ssl=true;token=dapi-abcdef;x-session-id=4"
    settings = demo().model_copy(
        update={
            "session": SessionSettings(mode="connect", remote=remote),
            "models_file": "https://me:hunter2@host/models.yml?sv=1&sig=Zm9v",
        }
    )
    values = recorded(settings)
    assert values["session"]["remote"] == "sc://host:443/;use_ssl=true;token=***;x-session-id=4"
    assert values["models_file"] == "https://***@host/models.yml?sv=1&sig=***"
    assert values["service"]["api_key"] == SecretRef(env="FINELAKE_EMULATOR_KEY").model_dump()


def test_a_container_in_an_address_is_no_secret() -> None:
    place = "abfss://lake@account.dfs.core.windows.net/tables"
    settings = demo()
    moved = settings.model_copy(update={"tables": settings.tables.model_copy(update={"location": place})})
    assert recorded(moved)["tables"]["location"] == place


def test_changes_are_told_by_key() -> None:
    before = {"splits": {"test": 0.1, "stratify": []}, "model": "a", "only": {"old": 1}}
    after = {"splits": {"test": 0.2, "stratify": []}, "model": "a", "new": None}
    assert changes(before, after) == [Change("only.old", 1, None), Change("splits.test", 0.1, 0.2)]
    assert hash_of(before) != hash_of(after)


def test_the_code_has_one_fingerprint() -> None:
    assert code_version() == code_version()
    assert len(code_version()["fingerprint"]) == 16
