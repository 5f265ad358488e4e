"""Paths of chat completions."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from finelake.emulator.deployments import not_found_deployment
from finelake.emulator.errors import ApiError
from finelake.emulator.security import Body
from finelake.emulator.services import Services
from finelake.emulator.wire import Json


class AzureChatRoutes:
    """Chat through deployments: the name in the path on dated paths, in `model` on the v1 paths."""

    def __init__(self, services: Services, *, dated: bool) -> None:
        self._services = services
        self.router = APIRouter()
        if dated:
            path = "/deployments/{deployment}/chat/completions"
            self.router.add_api_route(path, self.complete, methods=["POST"])
        else:
            self.router.add_api_route("/chat/completions", self.complete_by_model, methods=["POST"])

    def complete(self, deployment: str, body: Body) -> Response:
        """Answer through the deployment in the path."""
        return self._answer(deployment, body)

    def complete_by_model(self, body: Body) -> Response:
        """Answer through the deployment named as model."""
        return self._answer(str(body.get("model") or ""), body)

    def _answer(self, name: str, body: Json) -> Response:
        deployment = self._services.deployments.serving(name)
        model = self._services.models.find("azure", deployment.model)
        if model is None:
            raise not_found_deployment(name)
        if model.base.source is not None:
            return JSONResponse(self._services.chat.complete("azure", model, body))
        capacity = self._services.capacity
        key = f"{deployment.account}/{deployment.name}".lower()
        left = capacity.check(key, capacity=deployment.capacity)
        completion = self._services.chat.complete("azure", model, body)
        used: int = completion["usage"]["total_tokens"]
        capacity.add(key, used)
        return JSONResponse(completion, headers={"x-ratelimit-remaining-tokens": str(max(0, left - used))})


class OpenAIChatRoutes:
    """Chat with a model by its own id."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.router = APIRouter()
        self.router.add_api_route("/chat/completions", self.complete, methods=["POST"])

    def complete(self, body: Body) -> Response:
        """Answer with the model that is named."""
        name = str(body.get("model") or "")
        model = self._services.models.find("openai", name)
        if model is None:
            raise ApiError(
                404,
                "modelNotFound",
                f"The model `{name}` does not exist or you do not have access to it.",
                param="model",
            )
        return JSONResponse(self._services.chat.complete("openai", model, body))
