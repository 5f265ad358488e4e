"""The models with weights that the local service knows, from `transformers.json` in its state folder.

    {"models": {"tiny-llama": {"source": "/models/tiny", "context": 512, "serve": ["transformers", "serve", ...]}}}

`source` is what the training process and the chat server load: a folder, a name on the hub, or what the training
process understands beside these. `serve` is the command of the chat server; `{port}` and `{model}` stand for a free
port and for the folder of the weights, `{python}` for this Python.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from pathlib import Path

from finelake.emulator.catalogue import BaseModel
from finelake.emulator.wire import Json
from finelake.files import write_whole

MODELS_FILE = "transformers.json"

_DATED = re.compile(r"\A(?P<name>.+?)-(?P<version>\d{4}-\d{2}-\d{2}|\d{4})\Z")


class LocalModels:
    """Read the file whenever it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._models: tuple[BaseModel, ...] = ()

    def every(self) -> tuple[BaseModel, ...]:
        """Give the models; none where there is no file."""
        with self._lock:
            try:
                status = self._path.stat()
            except FileNotFoundError:
                return ()
            if (status.st_mtime_ns, status.st_ino) != self._seen:
                found = json.loads(self._path.read_text(encoding="utf-8"))["models"]
                self._models = tuple(_model(name, entry) for name, entry in found.items())
                self._seen = (status.st_mtime_ns, status.st_ino)
            return self._models

    def find(self, name: str) -> BaseModel | None:
        """Find a model by its name."""
        return next((model for model in self.every() if name in (model.id, model.alias)), None)


def add_model(path: Path, name: str, *, source: str, context: int, serve: Sequence[str]) -> None:
    """Name a model in the file; one of the same name is replaced. `context` in tokens."""
    held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"models": {}}
    entry = {"source": source, "context": context, "serve": list(serve)}
    if held["models"].get(name) != entry:
        held["models"][name] = entry
        write_whole(path, json.dumps(held, indent=1))


def _model(name: str, entry: Json) -> BaseModel:
    dated = _DATED.match(name)
    return BaseModel(
        id=name,
        alias=dated["name"] if dated else name,
        version=dated["version"] if dated else "1",
        training_context=int(entry["context"]),
        context=int(entry["context"]),
        learning_rate_multiplier=1.0,
        source=str(entry["source"]),
        serve=tuple(entry["serve"]),
    )
