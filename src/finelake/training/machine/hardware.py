"""The devices that a model is trained on: what the settings name, else what this machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from finelake.errors import ConfigError

AUTO, CPU = "auto", "cpu"
OWN_MEASUREMENT = "measured on this machine: one matrix product in 32 bits"

_MEBIBYTE = 2**20
_PRODUCT = 1024
_QUERY = ("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeviceFacts(_Entry):
    """One kind of device: memory in 10^9 bytes, dense 16-bit tensor operations in 10^12 a second."""

    name: str
    matches: tuple[str, ...]
    gigabytes: Annotated[float, Field(gt=0)]
    tflops: Annotated[float, Field(gt=0)]
    source: str


class HardwareFacts(_Entry):
    """All known devices."""

    sources: dict[str, str]
    devices: tuple[DeviceFacts, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """What training runs on: bytes of memory of one device, operations a second (None: not known), how many.

    `half` where it computes in 16 bits.
    """

    name: str
    memory: float
    peak: float | None
    count: int
    half: bool
    source: str


def load_hardware(path: Path | None = None) -> HardwareFacts:
    """Read the table of devices; without a path, the one that comes with the package. Raises ConfigError."""
    source: Traversable | Path = _shipped() if path is None else path
    try:
        return HardwareFacts.model_validate(yaml.safe_load(source.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(
            f"{source}: the table of devices cannot be used ({type(error).__name__}). Take conf/hardware.yml as an "
            "example, or leave service.huggingface.hardware_file out."
        ) from None


def find_device(name: str, *, count: int, facts: HardwareFacts) -> Device:
    """Give the device of a name in the table, or with `auto` this machine's. Raises ConfigError for unknown names."""
    if name == AUTO:
        found = _graphics_cards()
        return _from_driver(found, facts) if found else _processor()
    if name == CPU:
        return _processor()
    entry = next((one for one in facts.devices if one.name == name), None)
    if entry is None:
        known = ", ".join(one.name for one in facts.devices)
        raise ConfigError(
            f"service.huggingface.device: found {name!r}, expected auto, cpu or one of {known}. Add it to a copy of "
            "conf/hardware.yml and name the copy in service.huggingface.hardware_file."
        )
    return _device(entry, count=count, memory=entry.gigabytes * 1e9, facts=facts)


def _device(entry: DeviceFacts, *, count: int, memory: float, facts: HardwareFacts) -> Device:
    source = facts.sources.get(entry.source, entry.source)
    return Device(name=entry.name, memory=memory, peak=entry.tflops * 1e12, count=count, half=True, source=source)


def _from_driver(cards: list[tuple[str, float]], facts: HardwareFacts) -> Device:
    """Take the first card for all: a node's are alike."""
    name, memory = cards[0]
    entry = next((one for one in facts.devices if any(part in name for part in one.matches)), None)
    if entry is None:
        source = "the driver (nvidia-smi); no source gives its operations a second"
        return Device(name=name, memory=memory, peak=None, count=len(cards), half=True, source=source)
    return _device(entry, count=len(cards), memory=memory, facts=facts)


def _graphics_cards() -> list[tuple[str, float]]:
    if shutil.which(_QUERY[0]) is None:
        return []
    done = subprocess.run(_QUERY, capture_output=True, text=True, timeout=30, check=False)
    lines = [line.rpartition(",") for line in done.stdout.splitlines() if "," in line]
    return [(name.strip(), float(memory) * _MEBIBYTE) for name, _, memory in lines] if done.returncode == 0 else []


def _processor() -> Device:
    return Device(name=CPU, memory=_available(), peak=_measured_peak(), count=1, half=False, source=OWN_MEASUREMENT)


def _available() -> float:
    """Give the bytes that may still be taken without swapping, also within a container's limit; else all there are."""
    told = Path("/proc/meminfo")
    if not told.exists():
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    lines = told.read_text(encoding="ascii").splitlines()
    free = float(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) * 1024
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.exists() and (most := limit.read_text(encoding="ascii").strip()).isdigit():
        free = min(free, float(most) - float(used.read_text(encoding="ascii")))
    return free


def _measured_peak() -> float:
    """Measure the operations a second of a matrix product, the best of three."""
    left = np.ones((_PRODUCT, _PRODUCT), dtype=np.float32)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        _ = left @ left
        times.append(time.perf_counter() - began)
    return 2.0 * _PRODUCT**3 / min(times)


def _shipped() -> Traversable:
    try:
        return resources.files("finelake.conf") / "hardware.yml"
    except ModuleNotFoundError:
        # Run from a source tree: conf lies beside src and becomes finelake.conf only when installed.
        return Path(__file__).resolve().parents[4] / "conf" / "hardware.yml"
