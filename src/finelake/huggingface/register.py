"""Log and register one model: `python -m finelake.huggingface.register FOLDER`.

A process of its own, because it loads weights that the driver has no room for. FOLDER/ask.json says what is registered,
FOLDER/result.json what came of it. It may be repeated: weights that are registered are found again.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from finelake.config.section import Section
from finelake.config.tracking import Tracking
from finelake.huggingface.folder import JobFolder
from finelake.huggingface.outcome import Recorded, as_command

ASK = "ask.json"


class Ask(Section):
    """What is registered: the model of a training's folder, or of its checkpoint at `step`, or a `source` as it is.

    `model` is the deployed model's name, `run` the training run.
    """

    project: str
    run: str
    tracking: Tracking
    registered_as: str
    model: str
    folder: str | None = None
    step: int | None = None
    source: str | None = None


def register(folder: Path) -> dict[str, Any]:
    """Register what a folder asks for, and tell it there: status, and name, version and model_uri."""
    place = JobFolder(folder)
    with Recorded(place):
        place.write_result({"status": "succeeded", **_registered(folder)})
    return place.read_result() or {"status": "failed"}


def _registered(folder: Path) -> dict[str, str | None]:
    from finelake.huggingface.logged import log_base, log_model

    ask = Ask.model_validate_json((folder / ASK).read_text(encoding="utf-8"))
    common: dict[str, Any] = ask.model_dump(include={"project", "registered_as", "model"})
    common["tracking"] = ask.tracking
    if ask.source is not None:
        return log_base(ask.source, into=folder / "source", **common)
    return log_model(Path(str(ask.folder)), run=ask.run, step=ask.step, **common)


if __name__ == "__main__":
    sys.exit(as_command(register))
