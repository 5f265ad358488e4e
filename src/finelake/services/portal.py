"""Addresses at which people open a job or a deployment in the service's portal.

The form of a deployment's address in Azure AI Foundry (formerly Azure AI Studio) is what its own users' code builds:
`https://ai.azure.com/resource/deployments/<ARM id>?wsid=<ARM id of the account>`; Microsoft documents none. No source
gives one for a fine-tuning job, so the account's page is given, where the job stands under Fine-tuning.
"""

from __future__ import annotations

from urllib.parse import quote

from finelake.config.settings import Service
from finelake.services.identity import is_loopback

_FOUNDRY = "https://ai.azure.com/resource"
_PLATFORM = "https://platform.openai.com/finetune"


def job_page(service: Service, job_id: str) -> str | None:
    """Give the address of a job (on Azure: of the account with its jobs); None for a service without a portal."""
    if service.endpoint is not None and is_loopback(service.endpoint):
        return None
    if service.kind == "openai":
        return f"{_PLATFORM}/{quote(job_id, safe='')}" if service.endpoint is None else None
    return f"{_FOUNDRY}/overview?wsid={account_id(service)}"


def deployment_page(service: Service, name: str) -> str | None:
    """Give the address of a deployment; None for a service without a portal."""
    if service.kind != "azure" or is_loopback(service.resource_manager):
        return None
    account = account_id(service)
    return f"{_FOUNDRY}/deployments/{quote(f'{account}/deployments/{name}', safe='')}?wsid={account}"


def account_id(service: Service) -> str:
    """Give the ARM id of the account."""
    return (
        f"/subscriptions/{service.subscription_id}/resourceGroups/{service.resource_group}"
        f"/providers/Microsoft.CognitiveServices/accounts/{service.account}"
    )
