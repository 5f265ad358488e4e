"""The page of pitfalls names tests that exist, one for each that applies; and two pitfalls shown here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from finelake.chat import Message
from finelake.conversations.examples import compared_text

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "pitfalls.md"
COUNT = 47
SHARED_WORDS = 400


def rows() -> list[tuple[int, str, list[str]]]:
    """Give number, answer and test names of each row of the page."""
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0].isdigit():
            found.append((int(cells[0]), cells[2], re.findall(r"`([^`]+)`", cells[3])))
    return found


def test_every_pitfall_has_a_row_and_every_row_a_test_or_a_reason() -> None:
    assert [number for number, _, _ in rows()] == list(range(1, COUNT + 1))
    assert [number for number, answer, tests in rows() if not tests and "Does not apply:" not in answer] == []


@pytest.mark.parametrize("name", sorted({name for _, _, tests in rows() for name in tests}))
def test_each_test_that_is_named_exists(name: str) -> None:
    place, _, function = name.partition("::")
    tree = ast.parse((ROOT / place).read_text(encoding="utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_pitfall_8_a_shared_system_prompt_makes_no_strangers_alike() -> None:
    prompt = " ".join(f"rule{n}" for n in range(SHARED_WORDS))

    def chat(*words: str) -> list[Message]:
        return [
            {"role": "system", "content": prompt},
            {"role": "user", "content": f"Where is my {words[0]}?"},
            {"role": "assistant", "content": f"Your {words[0]} is {words[1]}."},
        ]

    one, other = (compared_text(chat(*words), side="both") for words in (("parcel", "in Oslo"), ("refund", "paid")))
    assert "rule1" not in one + other
    assert set(one.split()) & set(other.split()) <= {"where", "is", "my", "your"}


def test_pitfall_36_benchmarks_write_what_they_time() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").rglob("*.py")}
    writing = {name for name, text in texts.items() if re.search(r"\.(write|save|saveAsTable)\b|curate\(|noop", text)}
    timed = {name for name, text in texts.items() if re.search(r"monotonic\(|perf_counter\(", text)}
    assert timed, "no benchmark measures time"
    assert timed <= writing
