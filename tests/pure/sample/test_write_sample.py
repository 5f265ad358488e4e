"""What the written files promise: the same bytes for the same seed, counts, order, size, errors."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import finelake
from finelake.errors import ConfigError, OutputError
from finelake.sample import tool_definitions, write_sample
from pure.sample.conftest import Loaded, read_sample
from pure.sample.detect import defects_of
from pure.sample.test_planted import structural


def test_same_seed_gives_same_bytes(sample: Loaded, tmp_path: Path) -> None:
    again = write_sample(tmp_path)
    for name in ("raw_turns", "truth", "tools"):
        assert getattr(again, name).read_bytes() == getattr(sample.files, name).read_bytes()


def test_bytes_do_not_depend_on_the_hash_seed_or_locale(sample: Loaded, tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from finelake.sample import write_sample as w; w(Path(sys.argv[1]))"
    source = str(Path(finelake.__file__).parents[1])
    environment = os.environ | {"PYTHONHASHSEED": "4242", "LC_ALL": "C", "TZ": "Asia/Tokyo", "PYTHONPATH": source}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=environment, timeout=120)
    assert (tmp_path / "raw_turns.jsonl").read_bytes() == sample.files.raw_turns.read_bytes()


def test_other_seed_gives_other_conversations_and_no_less_truth(sample: Loaded, tmp_path: Path) -> None:
    other = read_sample(write_sample(tmp_path, seed=8))
    assert len(set(other.lines) & set(sample.lines)) < len(sample.lines) / 100
    assert other.files.defects == sample.files.defects
    truth = {(row["conversation_id"], row["defect"]) for row in other.truth}
    for name, rows in other.conversations.items():
        named = {defect for conversation, defect in truth if conversation == name}
        assert defects_of(rows) == {code for code in named if structural(code)}


def test_counts(sample: Loaded) -> None:
    assert sample.files.conversations == 900
    assert len(sample.conversations) == 900
    assert sample.files.lines == len(sample.lines)
    assert len(sample.clean) > 500
    assert sample.files.raw_turns.stat().st_size < 5_000_000


def test_number_of_conversations_is_kept(tmp_path: Path) -> None:
    assert len(read_sample(write_sample(tmp_path, conversations=501)).conversations) == 501


def test_rows_are_not_sorted_by_conversation(sample: Loaded) -> None:
    ids = [row["conversation_id"] for row in sample.rows.values() if row.get("conversation_id")]
    runs = sum(before != after for before, after in itertools.pairwise(ids))
    assert runs > len(sample.conversations) * 1.2
    assert ids != sorted(ids)


def test_tools_file_holds_the_definitions(sample: Loaded) -> None:
    assert json.loads(sample.files.tools.read_text(encoding="utf-8")) == tool_definitions()
    for tool in tool_definitions():
        assert tool["type"] == "function"
        function = tool["function"]
        assert isinstance(function, dict)
        assert set(function["parameters"]["required"]) == set(function["parameters"]["properties"])


def test_too_few_conversations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least"):
        write_sample(tmp_path / "none", conversations=50)
    assert not (tmp_path / "none").exists()


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="could not be written"):
        write_sample(blocked)


def test_raw_file_digest_is_stable(sample: Loaded) -> None:
    digest = hashlib.sha256(sample.files.raw_turns.read_bytes()).hexdigest()
    assert digest == "a9dc16d64803dfe8ce1c96e3403181aee2da89d62cfd9f2f24d3a7bcac7f27bc"
