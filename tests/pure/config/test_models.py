"""The model catalogue: what ships, how names resolve, and what a wrong file says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from finelake.config.models import ModelCatalogue, load_catalogue
from finelake.errors import ConfigError

SHIPPED = Path(__file__).resolve().parents[3] / "conf" / "models.yml"
JOB = "8aad0123456789abcdef0123456789ab"


@pytest.fixture(scope="module")
def catalogue() -> ModelCatalogue:
    return load_catalogue()


def edited(tmp_path: Path, old: str, new: str) -> Path:
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "models.yml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("gpt-4.1-2025-04-14", "gpt-4.1-2025-04-14"),
        ("gpt-4.1", "gpt-4.1-2025-04-14"),
        (" GPT-4o ", "gpt-4o-2024-08-06"),
        (f"gpt-4.1-mini-2025-04-14.ft-{JOB}", "gpt-4.1-mini-2025-04-14"),
        (f"gpt-4.1-nano-2025-04-14.ft-{JOB}-cnn-dailymail_2", "gpt-4.1-nano-2025-04-14"),
        (f"gpt-4o-2024-08-06.ft-{JOB}-support:ckpt-step-90", "gpt-4o-2024-08-06"),
        (f"gpt-4o-mini-2024-07-18.ft-{JOB}.ft-{JOB}", "gpt-4o-mini-2024-07-18"),
        ("ft:gpt-4.1-2025-04-14:acme:support:AbC123", "gpt-4.1-2025-04-14"),
        ("ft:gpt-4.1:acme::AbC123", "gpt-4.1-2025-04-14"),
        ("ft:gpt-4o-mini-2024-07-18:acme:s:AbC123:ckpt-step-90", "gpt-4o-mini-2024-07-18"),
        ("ft:gpt-3.5-turbo-0125:acme::AbC123", "gpt-35-turbo-0125"),
    ],
)
def test_names_resolve_to_their_base_model(catalogue: ModelCatalogue, name: str, model_id: str) -> None:
    assert catalogue.find(name).id == model_id


@pytest.mark.parametrize(
    "name",
    [
        "",
        "gpt-4",
        "gpt-4o-2099-01-01",
        "my-deployment",
        "ft:unknown:acme::x",
        f"unknown.ft-{JOB}",
        "gpt-4.1.ft-XYZ",
        f"gpt-4.1.ft-{JOB}:ckpt-step-",
    ],
)
def test_an_unknown_name_is_an_error_that_says_where_to_add_it(catalogue: ModelCatalogue, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        catalogue.find(name)
    assert "gpt-4.1-mini-2025-04-14" in str(caught.value)
    assert "models_file" in str(caught.value)


def test_a_tuned_gpt_41_is_never_counted_with_cl100k(catalogue: ModelCatalogue) -> None:
    encoding, overhead = catalogue.find("ft:gpt-4.1:acme:x:1").counting()
    assert encoding == "o200k_base"
    assert overhead.function_start == 7


def test_published_facts_are_in_the_catalogue(catalogue: ModelCatalogue) -> None:
    assert catalogue.find("gpt-4.1").training_context == 65_536
    assert catalogue.find("gpt-4.1-nano").training_context == 32_768
    assert catalogue.find("gpt-35-turbo").training_context == 16_385
    assert "developerTier" not in catalogue.find("o4-mini").training_types
    assert catalogue.find("gpt-4o-mini").methods == ("supervised",)
    price = catalogue.find("gpt-4.1").prices.training_per_million_tokens["globalStandard"]
    assert (price.amount, price.currency) == (2.0, "USD")
    assert catalogue.find("gpt-4o").prices.training_per_million_tokens == {}
    assert catalogue.hosting_per_hour["GlobalStandard"].amount == 1.7
    limits = catalogue.limits
    assert limits.min_training_examples == 10
    assert (limits.max_messages_per_request, limits.max_tools_per_request) == (2048, 128)
    assert limits.max_tokens_times_epochs == 2_000_000_000


def test_a_model_with_another_tokenizer_cannot_be_counted(catalogue: ModelCatalogue) -> None:
    with pytest.raises(ConfigError, match=r"Qwen-32B.*encoding"):
        catalogue.find("qwen-32b").counting()


def test_every_comment_source_of_the_limits_is_listed() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    sources = yaml.safe_load(text)["sources"]
    limits = [line for line in text.split("\nlimits:\n")[1].splitlines() if line and not line.strip().startswith("#")]
    assert limits
    assert [line for line in limits if line.partition("  # ")[2] not in sources] == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    training_context: 32768", "    training_contexts: 32768", "training_contexts"),
        ("    training_context: 32768", "    training_context: -1", "training_context"),
        ("encoding: o200k_base", "encoding: o200k", "encoding"),
        ("overhead: o200k_chat", "overhead: nowhere", "nowhere"),
        ("overhead: o200k_chat", "overhead: null", "belong together"),
        ("aliases: [gpt-4o]", "aliases: [gpt-4.1]", "gpt-4.1 belongs to two models"),
        ("source: azure_models", "source: hearsay", "hearsay"),
        ("max_queued_jobs: 20", "max_queued_jobs: many", "limits.max_queued_jobs"),
        ("limits:\n", "limits: [\n", "not valid YAML"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = edited(tmp_path, old, new)
    with pytest.raises(ConfigError) as caught:
        load_catalogue(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "models: 3", "models: [1]", "models: [{overhead: [1]}]\noverheads: 2"])
def test_any_other_yaml_is_a_config_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "models.yml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="mistake"):
        load_catalogue(path)


def test_an_absent_or_unreadable_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_catalogue(tmp_path / "none.yml")
    binary = tmp_path / "models.yml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_catalogue(binary)


def test_a_model_can_be_added_in_a_copy(tmp_path: Path) -> None:
    path = edited(tmp_path, "aliases: [gpt-4.1]", "aliases: [gpt-4.1, gpt-4.1-2026-01-01]")
    assert load_catalogue(path).find("gpt-4.1-2026-01-01").id == "gpt-4.1-2025-04-14"
