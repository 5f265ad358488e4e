"""Prove that installing finelake changes no package that a Databricks runtime pins.

    python scripts/check_runtime_pins.py [--pins FOLDER] [--also REQUIREMENT] [--install PYTHON3.12]

For each runtime two resolutions of the hard requirements are made with uv: `constrained` holds the pins fixed, so it
fails where no set of versions fits; `kept` treats the pins as already installed, as a plain installer does, which
keeps a version only while nothing asks for another. With --install the second is done for real as well: an
environment is filled with the pins, the project is installed into it with pip, and what changed is read off.

Exit status: 0 all hold, 1 a pin would change or nothing fits, 3 the pins are not on this machine.
`--also 'typing-extensions>=4.14'` is the negative control: it must fail on DBR 17.3 LTS.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNTIMES = {"dbr173": "DBR 17.3 LTS", "sv5": "serverless 5", "sv6": "serverless 6"}
PYTHON_VERSION = "3.12"
ABSENT = 3

# What the runtimes bring besides, of the packages that finelake asks for (their release notes; the pin files leave
# them out).
UNLISTED = {
    "dbr173": ("pandas==2.2.3",),
    "sv5": ("pandas==2.2.3", "openai==2.14.0", "tiktoken==0.12.0"),
    "sv6": ("pandas==2.3.3", "tiktoken==0.13.0"),
}

_PIN = re.compile(r"^([A-Za-z0-9._-]+)\s*[~=]=\s*([0-9][^\s;#]*)")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one way of installing did to a runtime: the pins it changed, or why nothing could be installed."""

    runtime: str
    way: str
    pins: int
    changed: tuple[str, ...] = ()
    failure: str = ""

    @property
    def holds(self) -> bool:
        """Whether everything fits and every pin stays."""
        return not self.changed and not self.failure


def normalised(name: str) -> str:
    """Return a distribution's name in the form of PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parse_pins(lines: Sequence[str]) -> dict[str, str]:
    """Return name to version of `name==1.2.3` and `name~=1.2.3` lines; others are passed over."""
    matches = (_PIN.match(line.strip()) for line in lines)
    return {normalised(match.group(1)): match.group(2) for match in matches if match}


def changes(pins: dict[str, str], resolved: dict[str, str]) -> tuple[str, ...]:
    """Return `name old -> new` for every pin that a resolution gives another version."""
    return tuple(
        f"{name} {version} -> {resolved[name]}"
        for name, version in sorted(pins.items())
        if name in resolved and resolved[name] != version
    )


def uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run uv of this interpreter's environment."""
    return subprocess.run([sys.executable, "-m", "uv", *arguments], capture_output=True, text=True, check=False)


def last_line(text: str) -> str:
    """Return the end of an error output, short enough for a table."""
    return " ".join(text.split())[-300:]


def hard_requirements() -> list[str]:
    """Return install_requires of setup.py, by asking setuptools for the project's metadata."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", scratch]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        requires = next(Path(scratch).glob("*.egg-info")) / "requires.txt"
        lines = requires.read_text(encoding="utf-8").split("\n[", 1)[0].splitlines()
    return [line for line in lines if line.strip()]


def resolve(requirements: list[str], pins: dict[str, str], *, runtime: str, way: str) -> Outcome:
    """Resolve with the pins as constraints (`constrained`) or as preferences (`kept`)."""
    exact = [f"{name}=={version}" for name, version in pins.items()]
    with tempfile.TemporaryDirectory() as scratch:
        source, pinned = Path(scratch) / "requirements.in", Path(scratch) / "pins.txt"
        source.write_text("\n".join([*requirements, *pins]) + "\n", encoding="utf-8")
        pinned.write_text("\n".join(exact) + "\n", encoding="utf-8")
        # uv keeps the versions of an existing output file while they still fit, as it does with installed ones.
        option = "--constraint" if way == "constrained" else "--output-file"
        command = ["pip", "compile", str(source), option, str(pinned), "--python-version", PYTHON_VERSION]
        done = uv(*command, "--python-platform", "x86_64-manylinux_2_28", "--no-header", "--no-annotate")
        if done.returncode != 0:
            return Outcome(runtime=runtime, way=way, pins=len(pins), failure=last_line(done.stderr))
    resolved = parse_pins(done.stdout.splitlines())
    return Outcome(runtime=runtime, way=way, pins=len(pins), changed=changes(pins, resolved))


def install(requirements: list[str], pins: dict[str, str], *, runtime: str, python: str) -> Outcome:
    """Fill a new environment with the pins, install the requirements with pip, and compare."""
    exact = [f"{name}=={version}" for name, version in pins.items()]
    with tempfile.TemporaryDirectory() as scratch:
        inner = str(Path(scratch) / "venv" / "bin" / "python")
        pip = [inner, "-m", "pip", "install", "-q"]
        for command in ([python, "-m", "venv", str(Path(scratch) / "venv")], [*pip, *exact], [*pip, *requirements]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                return Outcome(runtime=runtime, way="pip", pins=len(pins), failure=last_line(done.stderr))
        frozen = subprocess.run([inner, "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout
    return Outcome(runtime=runtime, way="pip", pins=len(pins), changed=changes(pins, parse_pins(frozen.splitlines())))


def report(outcomes: Sequence[Outcome]) -> str:
    """Return a table, one line an outcome."""
    lines = [f"{'runtime':<14} {'way':<12} {'pins':>4}  outcome"]
    for each in outcomes:
        said = each.failure or ", ".join(each.changed) or "no pin changes"
        lines.append(f"{RUNTIMES[each.runtime]:<14} {each.way:<12} {each.pins:>4}  {said}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check every runtime and print the table."""
    parser = argparse.ArgumentParser(description="Check that no pinned package of a runtime would change.")
    parser.add_argument("--pins", type=Path, default=ROOT.parent / "shared" / "databricks" / "pins")
    parser.add_argument("--also", action="append", default=[], metavar="REQUIREMENT")
    parser.add_argument("--install", metavar="PYTHON", help="a Python 3.12 that installs for real, with pip")
    options = parser.parse_args(arguments)
    files = {runtime: options.pins / f"{runtime}.txt" for runtime in RUNTIMES}
    if absent := [path.name for path in files.values() if not path.is_file()]:
        sys.stdout.write(f"nothing checked: {', '.join(absent)} not found; name their folder with --pins\n")
        return ABSENT
    requirements = [*hard_requirements(), *options.also]
    outcomes: list[Outcome] = []
    for runtime, path in files.items():
        pins = parse_pins([*path.read_text(encoding="utf-8").splitlines(), *UNLISTED[runtime]])
        outcomes += [resolve(requirements, pins, runtime=runtime, way=way) for way in ("constrained", "kept")]
        if options.install:
            outcomes.append(install(requirements, pins, runtime=runtime, python=options.install))
    sys.stdout.write(report(outcomes) + "\n")
    return 0 if all(each.holds for each in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
