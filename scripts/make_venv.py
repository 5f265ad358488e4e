"""Create a virtual environment and install the project in it, with uv. Standard library only; Python 3.11 or newer.

    python3 scripts/make_venv.py --folder .venv --extras local,emulator,report,databricks,mlflow,dev

Where Python comes without ensurepip (Debian and Ubuntu split it off), the package that brings it is installed
when that can be done without asking; else one line names it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)

# uv reads none of pip's settings; these are the ones that say where packages come from.
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}


def uv_settings(pip_config: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Translate the output of `pip config list` into variables for uv; what is set already stays."""
    found: dict[str, str] = {}
    for line in pip_config.splitlines():
        key, separator, value = line.partition("=")
        variable = PIP_TO_UV.get(key.rpartition(".")[2])
        if separator and variable is not None and variable not in environment:
            found[variable] = value.strip().strip("'\"").replace("\\n", " ").strip()
    # pip passes over a folder of wheels that is not there; uv would stop.
    wheels = found.get("UV_FIND_LINKS", "").split()
    found["UV_FIND_LINKS"] = " ".join(each for each in wheels if "://" in each or Path(each).is_dir())
    return {name: value for name, value in found.items() if value}


def has_ensurepip(python: str) -> bool:
    """Tell whether this interpreter can put pip into a new environment."""
    probe = [python, "-c", "import ensurepip, venv"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def install_ensurepip() -> None:
    """Install Debian's venv package as root; stop with one line where that cannot be done."""
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if shutil.which("apt-get") and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", package]):
            subprocess.run(command, check=False, env=environment, stdout=sys.stderr)
    if not has_ensurepip(sys.executable):
        sys.exit(
            f"This Python ({sys.executable}) has no ensurepip: install it with 'sudo apt-get install {package}' "
            "(or your system's package of that kind), then run the same command again."
        )


def create(folder: Path) -> Path:
    """Create the environment and return its interpreter."""
    if not has_ensurepip(sys.executable):
        install_ensurepip()
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    return folder / "bin" / "python"


def install(python: Path, extras: Sequence[str]) -> None:
    """Install uv with pip, then the project in editable form with uv."""
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "uv>=0.5"], check=True)
    listing = subprocess.run([str(python), "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    environment = {"UV_HTTP_TIMEOUT": "180", "UV_LINK_MODE": "copy", **os.environ}
    environment |= uv_settings(listing.stdout, environment)
    target = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    command = [str(python), "-m", "uv", "pip", "install", "--python", str(python), "--editable", target]
    if environment.get("PYTHONDONTWRITEBYTECODE"):
        # Else each process would compile all that it imports anew: openai and pandas take twice as long then.
        command.append("--compile-bytecode")
    subprocess.run(command, check=True, env=environment)


def main() -> None:
    """Parse the arguments, create the environment and install the project."""
    parser = argparse.ArgumentParser(description="Create a virtual environment and install finelake in it.")
    parser.add_argument("--folder", type=Path, default=ROOT / ".venv")
    parser.add_argument(
        "--extras", default="local,emulator,report,databricks,mlflow,dev", help="comma-separated extras"
    )
    arguments = parser.parse_args()
    if sys.version_info < OLDEST:
        sys.exit(f"finelake needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.")
    python = create(arguments.folder.absolute())
    try:
        install(python, [extra for extra in arguments.extras.split(",") if extra])
    except subprocess.CalledProcessError as error:
        sys.exit(f"Installing failed with status {error.returncode}; the lines above say why.")


if __name__ == "__main__":
    main()
