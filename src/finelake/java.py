"""Find a Java that Spark 4 runs on, or install one where that needs no question.

Standard library only and free of imports from the package: `python src/finelake/java.py --ensure` works before
anything is installed and prints the Java home. Spark 4.0 to 4.2 run on Java 17 and 21
(https://spark.apache.org/docs/4.0.0/).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SUPPORTED = (17, 21)

_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
_HOME = re.compile(r"^\s*java\.home = (.+?)\s*$", re.MULTILINE)

_FOLDERS = (
    "/usr/lib/jvm/*",
    "/usr/lib64/jvm/*",
    "/usr/java/*",
    "/opt/java/*",
    "/opt/*j[dr][ke]*",
    "~/.sdkman/candidates/java/*",
    "~/.jdks/*",
    "~/.asdf/installs/java/*",
    "~/.local/share/mise/installs/java/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "~/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "/opt/homebrew/opt/openjdk@*/libexec/openjdk.jdk/Contents/Home",
    "/usr/local/opt/openjdk@*/libexec/openjdk.jdk/Contents/Home",
)


@dataclass(frozen=True)
class Java:
    """A Java installation that was run once: its home folder and its feature version."""

    home: Path
    version: int


@dataclass(frozen=True, kw_only=True)
class Installer:
    """A package manager: how it refreshes its lists, how it installs, and what it calls Java 17 and 21."""

    tool: str
    refresh: tuple[str, ...] | None
    install: tuple[str, ...]
    packages: Mapping[int, str]
    needs_root: bool = True


def _installer(tool: str, pattern: str, *, options: tuple[str, ...], refresh: tuple[str, ...] | None) -> Installer:
    packages = {version: pattern.format(version) for version in SUPPORTED}
    return Installer(tool=tool, refresh=refresh, install=(tool, *options), packages=packages, needs_root=tool != "brew")


INSTALLERS = (
    _installer(
        "apt-get",
        "openjdk-{}-jre-headless",
        options=("install", "-y", "--no-install-recommends"),
        refresh=("apt-get", "update"),
    ),
    _installer("dnf", "java-{}-openjdk-headless", options=("install", "-y"), refresh=None),
    _installer("microdnf", "java-{}-openjdk-headless", options=("install", "-y"), refresh=None),
    _installer("yum", "java-{}-openjdk-headless", options=("install", "-y"), refresh=None),
    _installer("apk", "openjdk{}-jre-headless", options=("add",), refresh=("apk", "update")),
    _installer("zypper", "java-{}-openjdk-headless", options=("--non-interactive", "install"), refresh=None),
    _installer("pacman", "jre{}-openjdk-headless", options=("-S", "--noconfirm"), refresh=None),
    _installer("brew", "openjdk@{}", options=("install",), refresh=None),
)


def probe(home: Path) -> Java | None:
    """Run `home`/bin/java and return what it says it is; None where it does not run."""
    executable = home / "bin" / "java"
    if not os.access(executable, os.X_OK):
        return None
    command = [str(executable), "-XshowSettings:properties", "-version"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = _VERSION.search(done.stderr + done.stdout)
    if done.returncode != 0 or version is None:
        return None
    reported = _HOME.search(done.stderr + done.stdout)
    return Java(home=Path(reported.group(1)) if reported else home, version=int(version.group(1)))


def candidates(environment: Mapping[str, str], folders: tuple[str, ...] = _FOLDERS) -> Iterator[Path]:
    """Yield possible Java homes: JAVA_HOME, the PATH's java, then the usual folders, oldest version first."""
    if environment.get("JAVA_HOME"):
        yield Path(environment["JAVA_HOME"])
    on_path = shutil.which("java", path=environment.get("PATH", ""))
    if on_path:
        yield Path(on_path).resolve().parent.parent
    home = environment.get("HOME", "")
    for pattern in folders:
        if pattern.startswith("~") and not home:
            continue
        absolute = pattern.replace("~", home, 1)
        yield from sorted(Path("/").glob(absolute.lstrip("/")))


def find_java(environment: Mapping[str, str] | None = None, folders: tuple[str, ...] = _FOLDERS) -> Java | None:
    """Return the first supported Java of `candidates`, or None."""
    seen: set[Path] = set()
    for home in candidates(os.environ if environment is None else environment, folders):
        real = home.resolve()
        if real in seen:
            continue
        seen.add(real)
        java = probe(home)
        if java is not None and java.version in SUPPORTED:
            return java
    return None


def find_installer(environment: Mapping[str, str]) -> Installer | None:
    """Return the package manager of this machine, or None."""
    path = environment.get("PATH", "")
    return next((each for each in INSTALLERS if shutil.which(each.tool, path=path)), None)


def remedy(environment: Mapping[str, str] | None = None) -> str:
    """Say in one line which package to install and how."""
    installer = find_installer(os.environ if environment is None else environment)
    if installer is None:
        return "No Java 17 or 21 was found: install a JRE of version 17 or 21 and set JAVA_HOME to its folder."
    command = " ".join((*(("sudo",) if installer.needs_root else ()), *installer.install))
    older, newer = (installer.packages[version] for version in SUPPORTED)
    return f"No Java 17 or 21 was found: run '{command} {older}' (or {newer}, where your system has only that)."


def install_java(environment: Mapping[str, str]) -> bool:
    """Install Java with the system's package manager, as root only; return whether a package went in."""
    installer = find_installer(environment)
    if installer is None or not installer.needs_root or os.geteuid() != 0:
        return False
    quiet = {**environment, "DEBIAN_FRONTEND": "noninteractive"}
    if installer.refresh:
        subprocess.run(installer.refresh, check=False, env=quiet, stdout=sys.stderr)
    for version in SUPPORTED:
        command = [*installer.install, installer.packages[version]]
        if subprocess.run(command, check=False, env=quiet, stdout=sys.stderr).returncode == 0:
            return True
    return False


def main() -> int:
    """Print the home of a supported Java; with --ensure, install one first where that can be done unasked."""
    parser = argparse.ArgumentParser(description="Find Java 17 or 21.")
    parser.add_argument("--ensure", action="store_true", help="as root, install Java where none is found")
    arguments = parser.parse_args()
    java = find_java()
    if java is None and arguments.ensure and install_java(os.environ):
        java = find_java()
    if java is None:
        sys.stderr.write(remedy() + "\n")
        return 6
    sys.stdout.write(f"{java.home}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
