"""OpenAI's own platform: no deployments, the tuned model is asked by its id."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from openai import OpenAI

from finelake.config.settings import Service, Training
from finelake.errors import ConfigError
from finelake.services.base import FineTuningService, method_of
from finelake.services.contact import Contact
from finelake.services.credentials import place_of, resolve
from finelake.services.identity import OPENAI_ENDPOINT, checked_address


class OpenAIService(FineTuningService):
    """Fine-tuning at api.openai.com, or at a service with the same paths."""

    def job_body(self, training: Training) -> dict[str, Any]:
        """Give `method`; there are no training types here."""
        return {"method": method_of(training)}


def connect_openai(service: Service) -> OpenAIService:
    """Prepare a client; nothing is sent yet. Raises ConfigError when key or address is missing or wrong."""
    if service.api_key is None:
        raise ConfigError("service.api_key is not set, and service.kind openai signs in with a key only. Set it.")
    endpoint = checked_address(service.endpoint or OPENAI_ENDPOINT, setting="service.endpoint", example=OPENAI_ENDPOINT)
    base = endpoint if urlsplit(endpoint).path else f"{endpoint}/v1"
    reference = service.api_key
    key = resolve(reference, setting="service.api_key")
    return OpenAIService(
        contact=Contact(endpoint=endpoint, credential=place_of(reference), kind="openai"),
        client=OpenAI(api_key=key, base_url=base, max_retries=0),
        deployments=None,
        renew=lambda: resolve(reference, setting="service.api_key"),
    )
