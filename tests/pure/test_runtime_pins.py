"""The pin check: how it reads pins and judges resolutions, and a real resolution with its negative control."""

from __future__ import annotations

import re
from pathlib import Path

import check_runtime_pins as pins
import pytest

FOLDER = pins.ROOT.parent / "shared" / "databricks" / "pins"


def test_pins_are_read_from_both_notations() -> None:
    lines = ["typing_extensions~=4.12.2", "# comment", "PyYAML == 6.0.2", "", "rich>=13"]
    assert pins.parse_pins(lines) == {"typing-extensions": "4.12.2", "pyyaml": "6.0.2"}


def test_a_changed_pin_is_named() -> None:
    before = {"numpy": "2.1.3", "idna": "3.7"}
    assert pins.changes(before, {"numpy": "2.1.3", "rich": "14.0.0"}) == ()
    assert pins.changes(before, {"numpy": "2.4.6", "idna": "3.7"}) == ("numpy 2.1.3 -> 2.4.6",)


def test_the_hard_requirements_come_from_setup_py() -> None:
    found = {re.split(r"[\[<>=]", line)[0].lower() for line in pins.hard_requirements()}
    assert {"pandas", "pydantic", "openai", "toktok-rs"} <= found
    assert found.isdisjoint({"pyspark", "delta-spark", "fastapi", "pytest"})


def test_absent_pins_have_a_status_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pins.main(["--pins", str(tmp_path)]) == pins.ABSENT
    assert "--pins" in capsys.readouterr().out


@pytest.mark.shared_data
@pytest.mark.skipif(not FOLDER.is_dir(), reason="the runtimes' pins are absent: no ../shared/databricks/pins")
def test_the_oldest_runtime_keeps_its_pins_and_the_control_breaks_them() -> None:
    listed = (FOLDER / "dbr173.txt").read_text(encoding="utf-8").splitlines()
    runtime = pins.parse_pins([*listed, *pins.UNLISTED["dbr173"]])
    requirements = pins.hard_requirements()
    assert pins.resolve(requirements, runtime, runtime="dbr173", way="kept").holds
    control = [*requirements, "typing-extensions>=4.14"]
    broken = pins.resolve(control, runtime, runtime="dbr173", way="kept")
    assert any(change.startswith("typing-extensions 4.12.2 -> ") for change in broken.changed)
    assert pins.resolve(control, runtime, runtime="dbr173", way="constrained").failure
