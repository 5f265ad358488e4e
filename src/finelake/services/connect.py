"""From settings to a service that can be talked to."""

from __future__ import annotations

from finelake.config.settings import Service, Tracking
from finelake.services.base import FineTuningService


def connect(service: Service, *, tracking: Tracking | None = None) -> FineTuningService:
    """Prepare the service of the settings; nothing is sent yet. One on this machine is started.

    `tracking` says where the versions of registered models are looked for, where endpoints serve them.

    Raises ConfigError when an address, a name or a secret is missing or wrong.
    """
    if service.kind == "openai":
        from finelake.services.openai import connect_openai

        return connect_openai(service)
    if service.kind == "huggingface":
        from finelake.services.huggingface import connect_huggingface

        return connect_huggingface(service, tracking=tracking)
    from finelake.services.azure_openai import connect_azure

    return connect_azure(service)
