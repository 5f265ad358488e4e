"""From YAML to settings: placeholders, overrides, and every mistake named at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from finelake.config.loading import load_settings, settings_hash
from finelake.config.settings import Settings
from finelake.errors import ConfigError

CONF = Path(__file__).resolve().parents[3] / "conf"
SMALLEST = """
project: shop
model: gpt-4.1-mini
source:
  table: main.chat.turns
  columns: {turn_index: position}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "shop.yml"
    path.write_text(text, encoding="utf-8")
    return path


def message_of(path: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(path, overrides=overrides, environment={})
    return str(caught.value)


def test_the_smallest_configuration_has_sane_defaults(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, SMALLEST), environment={})
    assert settings.source.columns.conversation_id == "conversation_id"
    assert settings.source.layout == "turns"
    assert settings.splits.validation + settings.splits.test < 1
    assert settings.output.byte_order_mark is False


def test_off_needs_no_quotes(tmp_path: Path) -> None:
    more = "increments: {mode: off}\ndecontamination: {own_splits: off}\nreplies: {echo: {action: off}}\n"
    settings = load_settings(write(tmp_path, SMALLEST + more), overrides=["replies.canned.action=off"], environment={})
    assert (settings.increments.mode, settings.decontamination.own_splits) == ("off", "off")
    assert (settings.replies.echo.action, settings.replies.canned.action) == ("off", "off")


@pytest.mark.parametrize("name", ["local.yml", "azure.yml", "databricks.yml"])
def test_shipped_files_load_when_their_variables_are_set(name: str) -> None:
    text = (CONF / name).read_text(encoding="utf-8")
    names = {part.split("}")[0] for part in text.split("${")[1:] if ":-" not in part.split("}")[0]}
    settings = load_settings(CONF / name, environment=dict.fromkeys(names, "value_of_it"))
    assert settings.model.startswith("gpt-")


def test_several_mistakes_are_named_together(tmp_path: Path) -> None:
    text = SMALLEST.replace("project: shop", "project: My Shop").replace("turn_index: position", "turn_idx: position")
    text += "splts: {test: 0.2}\ntraining: {epochs: 900}\nduplicates: {exact: perhaps}\n"
    message = message_of(write(tmp_path, text))
    path = tmp_path / "shop.yml"
    assert message.startswith(f"{path}: 5 mistake(s) in the configuration.")
    assert "project: found 'My Shop'" in message
    assert "source.columns.turn_idx: unknown key. Did you mean turn_index?" in message
    assert "splts: unknown key. Did you mean splits?" in message
    epochs = "found 900; Input should be less than or equal to 50, or: Input should be 'auto'."
    assert f"training.epochs: {epochs}" in message
    assert "duplicates.exact: found 'perhaps'" in message


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("conversations: {gaps: ignore}", "conversations.gaps: found 'ignore'; Input should be 'quarantine' or 'keep'"),
        ("splits: {test: 0.6, validation: 0.5}", "splits.validation + splits.test must be below 1.0"),
        ("examples: {system_prompt: {policy: inject}}", "needs system_prompt.text"),
        ("tables: {location: 'a b'}", "location must be a folder or catalog.schema"),
        ("checks: {row_schemas: [rules]}", "checks.row_schemas.0: found 'rules'"),
        (
            "service: {api_key: {env: A, scope: b}}",
            "service.api_key: found a section; give env: NAME, or scope: and key:",
        ),
    ],
)
def test_a_wrong_value_says_what_is_allowed(tmp_path: Path, change: str, expected: str) -> None:
    assert expected in message_of(write(tmp_path, SMALLEST + change + "\n"))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{table: t}", "map columns.turn_index or columns.sent_at: turns need an order"),
        ("{table: a.b.c.d, columns: {sent_at: at}}", "table must be a name of one to three parts"),
        ("{table: t, columns: {sent_at: at}, roles: {Bot: assistant, bot: user}}", "roles gives 'bot' two roles"),
        ("{table: t, columns: {sent_at: at}, roles: {bot: machine}}", "source.roles.bot: found 'machine'"),
        ("{columns: {sent_at: at}}", "source.table: missing, and it has no default"),
    ],
)
def test_a_source_that_cannot_work(tmp_path: Path, source: str, expected: str) -> None:
    assert expected in message_of(write(tmp_path, f"project: shop\nmodel: gpt-4.1-mini\nsource: {source}\n"))


def test_authors_that_differ_in_case_may_share_a_role(tmp_path: Path) -> None:
    text = SMALLEST + "  roles: {Bot: assistant, bot: assistant, ' BOT ': assistant}\n"
    assert len(load_settings(write(tmp_path, text), environment={}).source.roles) == 3


def test_placeholders_come_from_the_environment(tmp_path: Path) -> None:
    path = write(tmp_path, SMALLEST.replace("main.chat", "${LAKE_CATALOG}.${LAKE_SCHEMA:-chat}"))
    assert load_settings(path, environment={"LAKE_CATALOG": "prod"}).source.table == "prod.chat.turns"
    assert message_of(path).endswith("environment variables not set: LAKE_CATALOG. Set them or give ${NAME:-default}.")


def test_overrides_take_yaml_values(tmp_path: Path) -> None:
    path = write(tmp_path, SMALLEST)
    settings = load_settings(path, overrides=["training.epochs=3", "source.columns.metadata=[topic]"], environment={})
    assert settings.training.epochs == 3
    assert settings.source.columns.metadata == ("topic",)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.epochs", "expected key=value"),
        ("training.epochs=[", "the value is not valid YAML"),
        ("model.name=x", "model is a value, not a section"),
        ("training.epochs={{job.parameters.epochs}}", "a job parameter was not filled in"),
        ("trainig.epochs=2", "trainig: unknown key. Did you mean training?"),
    ],
)
def test_overrides_that_cannot_work(tmp_path: Path, override: str, expected: str) -> None:
    assert expected in message_of(write(tmp_path, SMALLEST), override)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"project: [shop\n", "not valid YAML at line"),
        (b"- shop\n", "found list, expected a mapping of sections"),
        (b"", "found NoneType, expected a mapping of sections"),
        (b"project: caf\xe9\n", "cannot be read (UnicodeDecodeError). It must be a UTF-8 text file"),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "shop.yml"
    path.write_bytes(content)
    assert expected in message_of(path)


def test_a_missing_file(tmp_path: Path) -> None:
    assert "none.yml: no such configuration file. Give one with --config." in message_of(tmp_path / "none.yml")


def test_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path) -> None:
    message = message_of(write(tmp_path, SMALLEST + "service: {api_key: sk-very-secret}\n"))
    assert "service.api_key: found a value (not shown)" in message
    assert "sk-very-secret" not in message


def test_equal_settings_have_equal_hashes(tmp_path: Path) -> None:
    one = load_settings(write(tmp_path, SMALLEST), environment={})
    other = Settings.model_validate(dict(reversed(yaml.safe_load(SMALLEST).items())))
    assert settings_hash(one) == settings_hash(other)
    assert settings_hash(one) != settings_hash(one.model_copy(update={"project": "other"}))
