"""Which model names exist: base models, tuned models of succeeded jobs, and checkpoints that can be deployed."""

from __future__ import annotations

from dataclasses import dataclass

from finelake.emulator.catalogue import BASE_MODELS, BaseModel, find_base_model
from finelake.emulator.jobspec import JobSpec
from finelake.emulator.state import Store
from finelake.emulator.transformer.models import LocalModels
from finelake.emulator.wire import Plane

KEPT_CHECKPOINTS = 3
_ALL = 1_000_000


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that can be used: its base model and, when tuned, the job and the step it was taken at."""

    name: str
    base: BaseModel
    job_id: str | None
    step: int | None


class ModelRegistry:
    """Resolve model names within a plane."""

    def __init__(self, store: Store, local: LocalModels) -> None:
        self._store = store
        self._local = local

    def bases(self) -> tuple[BaseModel, ...]:
        """Return the base models: the catalogue's, and those with weights on this machine."""
        return (*BASE_MODELS, *self._local.every())

    def base(self, name: str) -> BaseModel | None:
        """Find a base model or judge by its id or its alias."""
        return find_base_model(name) or self._local.find(name)

    def find(self, plane: Plane, name: str) -> KnownModel | None:
        """Find a model by base id, alias, tuned name, checkpoint name or checkpoint id."""
        base = self.base(name)
        if base is not None:
            return KnownModel(base.id, base, None, None)
        job = self._store.row(
            "SELECT * FROM jobs WHERE tuned_name = ? AND plane = ? AND status = 'succeeded'", (name, plane)
        )
        if job is not None:
            return self._tuned(plane, name, str(job["id"]), int(job["total_steps"]), str(job["spec"]))
        return self._checkpoint(plane, name)

    def require(self, plane: Plane, name: str) -> KnownModel:
        """Find a model that a job was made for. Raises ValueError when it is gone since."""
        known = self.find(plane, name)
        if known is None:
            raise ValueError(f"model {name} is gone")
        return known

    def tuned_names(self, plane: Plane) -> list[tuple[str, str, float]]:
        """Return name, base name and time of the tuned models, newest first."""
        rows = self._store.rows(
            "SELECT * FROM jobs WHERE plane = ? AND status = 'succeeded' ORDER BY seq DESC", (plane,)
        )
        return [(row["tuned_name"], JobSpec.from_json(row["spec"]).model, row["finished_at"]) for row in rows]

    def _checkpoint(self, plane: Plane, name: str) -> KnownModel | None:
        row = self._store.row(
            "SELECT c.*, j.spec AS spec,"
            " (SELECT COUNT(*) FROM checkpoints n WHERE n.job_id = c.job_id AND n.seq > c.seq) AS newer"
            " FROM checkpoints c JOIN jobs j ON j.id = c.job_id"
            " WHERE (c.name = ? OR c.id = ?) AND j.plane = ? AND j.status <> 'failed'",
            (name, name, plane),
        )
        if row is None:
            return None
        found = self._tuned(plane, str(row["name"]), str(row["job_id"]), int(row["step"]), str(row["spec"]))
        return found if found is not None and row["newer"] < kept_checkpoints(found.base) else None

    def _tuned(self, plane: Plane, name: str, job_id: str, step: int, spec: str) -> KnownModel | None:
        parent = self.find(plane, JobSpec.from_json(spec).model)
        base = parent.base if parent is not None else self.base(JobSpec.from_json(spec).model.split(".ft-")[0])
        return None if base is None else KnownModel(name, base, job_id, step)


def kept_checkpoints(base: BaseModel | None) -> int:
    """Return how many of a job's checkpoints can be used: three, and of a model with weights here all there are."""
    return _ALL if base is not None and base.source is not None else KEPT_CHECKPOINTS
