"""Paths of files and uploads."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import FileResponse, JSONResponse, Response

from finelake.emulator import views_azure, views_openai
from finelake.emulator.fetching import fetched, local_path
from finelake.emulator.files import FileRecord
from finelake.emulator.paging import page
from finelake.emulator.security import Body
from finelake.emulator.services import Services
from finelake.emulator.uploads import LIFE_SECONDS, UploadRecord
from finelake.emulator.wire import Json, Plane


class FileRoutes:
    """Files and uploads of one plane; `with_uploads` is false on Azure's v1 paths, where the service has none."""

    def __init__(self, services: Services, plane: Plane, *, with_uploads: bool) -> None:
        self._services = services
        self._plane = plane
        self.router = APIRouter()
        add = self.router.add_api_route
        add("/files", self.create, methods=["POST"])
        add("/files", self.every, methods=["GET"])
        add("/files/{file_id}", self.get, methods=["GET"])
        add("/files/{file_id}", self.delete, methods=["DELETE"])
        add("/files/{file_id}/content", self.content, methods=["GET"])
        if with_uploads and plane == "azure":
            add("/files/import", self.import_file, methods=["POST"])
        if with_uploads:
            add("/uploads", self.create_upload, methods=["POST"])
            add("/uploads/{upload_id}/parts", self.add_part, methods=["POST"])
            add("/uploads/{upload_id}/complete", self.complete_upload, methods=["POST"])
            add("/uploads/{upload_id}/cancel", self.cancel_upload, methods=["POST"])

    def create(
        self, request: Request, file: Annotated[UploadFile, File()], purpose: Annotated[str, Form()]
    ) -> Response:
        """Take a file in."""
        record = self._services.files.create(
            self._plane, filename=file.filename or "", purpose=purpose, source=file.file
        )
        headers = {"location": str(request.url.replace(path=f"{request.url.path}/{record.id}"))}
        azure = self._plane == "azure"
        return JSONResponse(self._view(record), 201 if azure else 200, headers if azure else None)

    def import_file(self, body: Body) -> Response:
        """Fetch a file from an address."""
        address, filename, purpose = (str(body.get(key) or "") for key in ("content_url", "filename", "purpose"))
        path = local_path(address)
        if path is not None:
            record = self._services.files.link(self._plane, filename=filename, purpose=purpose, path=path)
            return JSONResponse(self._view(record), 201)
        with fetched(address) as source:
            record = self._services.files.create(self._plane, filename=filename, purpose=purpose, source=source)
        return JSONResponse(self._view(record), 201)

    def every(self, request: Request) -> Response:
        """List files; Azure's list has no pages, and says so lest clients go round for ever."""
        query = request.query_params
        views = [self._view(record) for record in self._services.files.every(self._plane, purpose=query.get("purpose"))]
        if self._plane == "azure":
            return JSONResponse({"object": "list", "data": views, "has_more": False})
        if query.get("order") == "asc":
            views.reverse()
        return JSONResponse(
            page(views, after=query.get("after"), limit=query.get("limit"), default=10_000, most=10_000)
        )

    def get(self, file_id: str) -> Response:
        """Show a file."""
        return JSONResponse(self._view(self._services.files.get(self._plane, file_id)))

    def delete(self, file_id: str) -> Response:
        """Remove a file."""
        self._services.files.delete(self._plane, file_id)
        return JSONResponse({"object": "file", "deleted": True, "id": file_id})

    def content(self, file_id: str) -> Response:
        """Return a file's bytes."""
        record = self._services.files.get(self._plane, file_id)
        return FileResponse(self._services.files.path(record.id), media_type="application/octet-stream")

    def create_upload(self, body: Body) -> Response:
        """Begin an upload in parts."""
        return JSONResponse(self._upload_view(self._services.uploads.create(self._plane, body)))

    def add_part(self, upload_id: str, data: Annotated[UploadFile, File()]) -> Response:
        """Take one part in."""
        part_id = self._services.uploads.add_part(self._plane, upload_id, data.file)
        created = int(self._services.clock.now())
        view = {"id": part_id, "object": "upload.part", "created_at": created, "upload_id": upload_id}
        if self._plane == "azure":
            view["azure_block_id"] = part_id.removeprefix("part_")
        return JSONResponse(view)

    def complete_upload(self, upload_id: str, body: Body) -> Response:
        """Make a file of the parts."""
        record = self._services.uploads.complete(self._plane, upload_id, body)
        upload = self._services.uploads.get(self._plane, upload_id)
        return JSONResponse({**self._upload_view(upload), "file": self._view(record)})

    def cancel_upload(self, upload_id: str) -> Response:
        """End an upload without a file."""
        return JSONResponse(self._upload_view(self._services.uploads.cancel(self._plane, upload_id)))

    def _view(self, record: FileRecord) -> Json:
        status = self._services.files.status(record)
        if self._plane == "azure":
            return views_azure.file_view(record, status=status)
        return views_openai.file_view(record, status=status)

    def _upload_view(self, upload: UploadRecord) -> Json:
        return {
            "id": upload.id,
            "object": "upload",
            "bytes": upload.bytes,
            "filename": upload.filename,
            "purpose": upload.purpose,
            "created_at": int(upload.created_at),
            "expires_at": int(upload.created_at + LIFE_SECONDS),
            "status": self._services.uploads.status(upload),
            "file": None,
        }
