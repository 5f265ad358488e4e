"""Adapters become whole models before they are served: chat servers load folders that hold all weights."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from pathlib import Path

from finelake.emulator.errors import ApiError
from finelake.emulator.transformer.process import HeldProcess
from finelake.emulator.transformer.weights import Weights

logger = logging.getLogger(__name__)

_MERGE_SECONDS = 60.0
_COMMAND = (sys.executable, "-m", "finelake.emulator.transformer.merge")


def merged(weights: Weights, *, folder: Path) -> str:
    """Give what a server loads; ApiError 429 while an adapter is being merged, 500 when that has failed."""
    if weights.adapter is None:
        return weights.source
    key = hashlib.sha256(f"{weights.source}\n{weights.adapter}".encode()).hexdigest()[:16]
    place = folder / key / "model"
    if place.exists():
        return str(place)
    process = HeldProcess(folder / key)
    command = [*_COMMAND, weights.source, weights.adapter, str(place)]
    process.start(command, log=folder / key / "merge.log", environment=os.environ)
    if not process.wait(_MERGE_SECONDS):
        raise ApiError(429, "429", "The adapter is being merged.", headers={"Retry-After": "5"})
    if not place.exists():
        raise ApiError(500, "internalFailure", f"The adapter could not be merged; the log: {folder / key}")
    return str(place)
