"""Fixtures of the Hugging Face tests: a tiny model made here, nothing downloaded; left out without the extra."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.chats_to_learn import chats, pair, texts, write_lines

INSTALLED = find_spec("torch") is not None and find_spec("trl") is not None

collect_ignore_glob = [] if INSTALLED else ["test_*.py"]


def pytest_report_header() -> str | None:
    """Say so where these tests are left out."""
    return None if INSTALLED else "tests/hf: left out, the extra hf is not installed (make test-hf)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let other packages warn of their own plans."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Compute with one thread everywhere: for so small a model a second one costs more than it brings."""
    os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Llama with random weights and a tokenizer fitted to the chats of these tests."""
    from finelake.huggingface.tiny import Size, make_tiny

    folder = tmp_path_factory.mktemp("model") / "tiny"
    return make_tiny(folder, texts(chats(300)), size=Size(vocabulary=600), seed=1)


@pytest.fixture(scope="session")
def chat_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Published lines: `train` and `validation` of chats, `pairs` of preferences."""
    folder = tmp_path_factory.mktemp("published")
    lines = chats(48)
    return {
        "train": write_lines(folder / "train.jsonl", lines[:36]),
        "validation": write_lines(folder / "validation.jsonl", lines[36:]),
        "pairs": write_lines(folder / "pairs.jsonl", [pair(number) for number in range(24)]),
    }
