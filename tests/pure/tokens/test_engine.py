"""Choosing an engine: the fast one if it is sound, else the reference, else one clear error."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from finelake.errors import ConfigError, EnvironmentProblem
from finelake.tokens.engine import EngineFactory, TiktokenEngine, ToktokEngine, select_engine
from finelake.tokens.selfcheck import PROBES, failed_probes

SOURCE = Path(__file__).resolve().parents[3] / "src"


class OffByOne:
    """An engine that is right but for texts that hold a special token."""

    name = "toktok"

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self._right = ToktokEngine(encoding)

    def count_batch(self, texts: Sequence[str]) -> list[int]:
        counts = self._right.count_batch(texts)
        return [count - ("<|endoftext|>" in text) for text, count in zip(texts, counts, strict=True)]


class Forgetful(OffByOne):
    """An engine that leaves out a text."""

    def count_batch(self, texts: Sequence[str]) -> list[int]:
        return self._right.count_batch(texts)[1:]


class SecondEngine(ToktokEngine):
    """A sound engine in the reference's place."""

    name = "tiktoken"


def not_installed(encoding: str) -> ToktokEngine:
    raise ModuleNotFoundError(f"nothing to count {encoding} with")


def without_vocabulary(encoding: str) -> ToktokEngine:
    raise EnvironmentProblem(f"The vocabulary of {encoding} could not be loaded.")


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base", "o200k_harmony"])
def test_toktok_is_sound_and_the_default(encoding: str) -> None:
    engine = select_engine(encoding)
    assert (engine.name, engine.encoding) == ("toktok", encoding)
    assert failed_probes(engine) == []
    assert select_engine(encoding) is engine


@pytest.mark.parametrize("factory", [OffByOne, Forgetful, not_installed])
def test_an_unsound_or_absent_engine_is_replaced_with_one_line(
    factory: EngineFactory, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="finelake.tokens.engine"):
        engine = select_engine("o200k_base", factories={"toktok": factory, "tiktoken": SecondEngine})
    assert isinstance(engine, SecondEngine)
    assert len(caplog.messages) == 1
    assert "tiktoken because toktok" in caplog.messages[0]


def test_the_self_check_names_what_was_miscounted() -> None:
    assert failed_probes(OffByOne("o200k_base")) == ["special tokens typed as text"]
    assert failed_probes(Forgetful("o200k_base")) == [f"{len(PROBES) - 1} counts for {len(PROBES)} texts"]


def test_a_forced_engine_is_not_replaced() -> None:
    factories = {"toktok": OffByOne, "tiktoken": SecondEngine}
    with pytest.raises(EnvironmentProblem, match="toktok miscounts"):
        select_engine("o200k_base", "toktok", factories=factories)
    assert isinstance(select_engine("o200k_base", "tiktoken", factories=factories), SecondEngine)


def test_without_any_engine_the_error_gives_every_reason() -> None:
    with pytest.raises(EnvironmentProblem) as caught:
        select_engine("cl100k_base", factories={"toktok": not_installed, "tiktoken": without_vocabulary})
    assert "toktok is not installed" in str(caught.value)
    assert "vocabulary of cl100k_base" in str(caught.value)
    assert "TIKTOKEN_CACHE_DIR" in str(caught.value)


def test_unknown_names_are_config_errors() -> None:
    with pytest.raises(ConfigError, match="o200k_base, cl100k_base, o200k_harmony"):
        select_engine("p50k_base")
    preference: Any = "fastest"
    with pytest.raises(ConfigError, match="auto, toktok, tiktoken"):
        select_engine("o200k_base", preference)
    for engine in (ToktokEngine, TiktokenEngine):
        with pytest.raises(ConfigError, match="o200k"):
            engine("o200k")


def test_toktok_counts_special_tokens_as_text_and_takes_any_sequence() -> None:
    engine = ToktokEngine("o200k_base")
    assert engine.count_batch(("<|endoftext|>",))[0] > 1
    assert engine.count_batch([]) == []


@pytest.mark.shared_data
def test_the_reference_can_be_forced(vocabularies: Path) -> None:
    assert vocabularies.is_dir()
    assert select_engine("cl100k_base", "tiktoken").name == "tiktoken"


def test_tiktoken_without_vocabulary_and_network_says_what_to_do(tmp_path: Path) -> None:
    program = (
        "from finelake.errors import EnvironmentProblem\n"
        "from finelake.tokens.engine import select_engine\n"
        "try:\n"
        "    select_engine('o200k_base', 'tiktoken')\n"
        "except EnvironmentProblem as problem:\n"
        "    print(problem)\n"
    )
    nowhere = "http://127.0.0.1:9"
    environment = {
        **{key: value for key, value in os.environ.items() if "proxy" not in key.lower()},
        "PYTHONPATH": os.fspath(SOURCE),
        "TIKTOKEN_CACHE_DIR": os.fspath(tmp_path),
        "HTTPS_PROXY": nowhere,
        "HTTP_PROXY": nowhere,
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert "vocabulary of o200k_base could not be loaded" in done.stdout
    assert "TIKTOKEN_CACHE_DIR" in done.stdout
