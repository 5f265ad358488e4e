"""Paths of fine-tuning jobs and of models."""

from __future__ import annotations

import json

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from finelake.emulator import views_azure, views_openai
from finelake.emulator.catalogue import BaseModel
from finelake.emulator.errors import ApiError
from finelake.emulator.jobs import JobRecord
from finelake.emulator.paging import page
from finelake.emulator.registry import kept_checkpoints
from finelake.emulator.security import Body
from finelake.emulator.services import Services
from finelake.emulator.wire import Json, Plane

_JOBS = "/fine_tuning/jobs"


class JobRoutes:
    """Jobs, their events and checkpoints, and the models of one plane."""

    def __init__(self, services: Services, plane: Plane) -> None:
        self._services = services
        self._plane = plane
        self.router = APIRouter()
        add = self.router.add_api_route
        add(_JOBS, self.create, methods=["POST"])
        add(_JOBS, self.every, methods=["GET"])
        add(_JOBS + "/{job_id}", self.get, methods=["GET"])
        add(_JOBS + "/{job_id}/cancel", self.cancel, methods=["POST"])
        add(_JOBS + "/{job_id}/pause", self.pause, methods=["POST"])
        add(_JOBS + "/{job_id}/resume", self.resume, methods=["POST"])
        add(_JOBS + "/{job_id}/events", self.events, methods=["GET"])
        add(_JOBS + "/{job_id}/checkpoints", self.checkpoints, methods=["GET"])
        add("/models", self.models, methods=["GET"])
        add("/models/{name:path}", self.model, methods=["GET"])
        if plane == "azure":
            add(_JOBS + "/{job_id}", self.delete, methods=["DELETE"])

    def create(self, request: Request, body: Body) -> Response:
        """Take a job into the queue."""
        job = self._services.jobs.create(self._plane, body)
        headers = {"location": str(request.url.replace(path=f"{request.url.path}/{job.id}"))}
        azure = self._plane == "azure"
        return JSONResponse(self._view(job), 201 if azure else 200, headers if azure else None)

    def every(self, request: Request) -> Response:
        """List jobs, newest first; OpenAI filters by metadata, Azure takes no notice of that."""
        query = request.query_params
        wanted = {key[9:-1]: value for key, value in query.items() if key.startswith("metadata[")}
        jobs = self._services.jobs.every(self._plane)
        if self._plane == "openai":
            jobs = [job for job in jobs if wanted.items() <= (job.spec.metadata or {}).items()]
        return JSONResponse(_page(request, [self._view(job) for job in jobs], default=20))

    def get(self, job_id: str) -> Response:
        """Show a job."""
        return JSONResponse(self._view(self._services.jobs.get(self._plane, job_id)))

    def cancel(self, job_id: str) -> Response:
        """End a job."""
        return JSONResponse(self._view(self._services.jobs.cancel(self._plane, job_id)))

    def pause(self, job_id: str) -> Response:
        """Stop a job at a checkpoint."""
        return JSONResponse(self._view(self._services.jobs.pause(self._plane, job_id)))

    def resume(self, job_id: str) -> Response:
        """Let a paused job go on."""
        return JSONResponse(self._view(self._services.jobs.resume(self._plane, job_id)))

    def delete(self, job_id: str) -> Response:
        """Remove a job that is over."""
        self._services.jobs.delete(self._plane, job_id)
        return Response(status_code=204)

    def events(self, request: Request, job_id: str) -> Response:
        """List a job's events, newest first."""
        self._services.jobs.get(self._plane, job_id)
        rows = self._services.store.rows("SELECT * FROM events WHERE job_id = ? ORDER BY seq DESC", (job_id,))
        views: list[Json] = []
        for row in rows:
            view: Json = {key: row[key] for key in ("id", "level", "message")}
            view |= {"object": "fine_tuning.job.event", "created_at": int(row["created_at"])}
            view["type"] = "metrics" if row["data"] else "message"
            views.append({**view, "data": json.loads(row["data"])} if row["data"] else view)
        return JSONResponse(_page(request, views, default=20))

    def checkpoints(self, request: Request, job_id: str) -> Response:
        """List the checkpoints that are kept, newest first."""
        base = self._base_of(self._services.jobs.get(self._plane, job_id))
        rows = self._services.store.rows(
            "SELECT * FROM checkpoints WHERE job_id = ? ORDER BY step DESC LIMIT ?", (job_id, kept_checkpoints(base))
        )
        views: list[Json] = [
            {
                "id": row["id"],
                "object": "fine_tuning.job.checkpoint",
                "created_at": int(row["created_at"]),
                "fine_tuned_model_checkpoint": row["name"],
                "fine_tuning_job_id": job_id,
                "step_number": row["step"],
                "metrics": json.loads(row["metrics"]),
            }
            for row in rows
        ]
        return JSONResponse(_page(request, views, default=10))

    def models(self) -> Response:
        """List the models."""
        return JSONResponse(self._models())

    def model(self, name: str) -> Response:
        """Show one model."""
        listed = self._models()
        for view in listed["data"]:
            if view["id"] == name:
                return JSONResponse(view)
        raise ApiError(404, "modelNotFound", f"The model '{name}' does not exist.", param="model")

    def _models(self) -> Json:
        known, views = self._services.models, views_azure if self._plane == "azure" else views_openai
        listed: Json = views.models_view(known.tuned_names(self._plane), known.bases())
        return listed

    def _base_of(self, job: JobRecord) -> BaseModel | None:
        known = self._services.models.find(self._plane, job.spec.model)
        return known.base if known is not None else self._services.models.base(job.spec.model.split(".ft-")[0])

    def _view(self, job: JobRecord) -> Json:
        if self._plane == "azure":
            return views_azure.job_view(job, base=self._base_of(job))
        ready = job.status != "pending" or self._services.worker.files_are_ready(job)
        return views_openai.job_view(job, files_are_ready=ready)


def _page(request: Request, views: list[Json], *, default: int) -> Json:
    query = request.query_params
    return page(views, after=query.get("after"), limit=query.get("limit"), default=default, most=100)
