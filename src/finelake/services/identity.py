"""Addresses of a service: checked before anything is sent there, and the identity of the resource behind it."""

from __future__ import annotations

import hashlib
import ipaddress
from urllib.parse import urlsplit

from finelake.config.settings import Service
from finelake.errors import ConfigError

OPENAI_ENDPOINT = "https://api.openai.com/v1"


def service_identity(service: Service) -> str:
    """Name the resource that trains, the same whatever the port and the credential.

    It is part of a run's identity: the same data trained at another resource is another run.
    """
    if service.kind == "azure" and service.account:
        return f"azure:{service.subscription_id}/{service.resource_group}/{service.account}".lower()
    if service.kind == "huggingface":
        return f"huggingface:{place_digest(service)}"
    host = urlsplit(service.endpoint or OPENAI_ENDPOINT).hostname or ""
    return f"{service.kind}:{host}"


def place_digest(service: Service) -> str:
    """Give 8 hex digits for the folder of a service on this machine."""
    folder = "" if service.huggingface is None else service.huggingface.folder
    return hashlib.sha256(folder.encode()).hexdigest()[:8]


def checked_address(address: str | None, *, setting: str, example: str) -> str:
    """Give an address without a trailing slash.

    Raises ConfigError when it is missing, not http(s), or plain http to anything but this machine: keys and
    conversations would travel unencrypted.
    """
    if not address:
        raise ConfigError(f"{setting} is not set. Set it to the service's address, for example {example}.")
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"{setting}: found {address!r}, expected an https address, for example {example}.")
    if parts.scheme == "http" and not is_loopback(address):
        raise ConfigError(
            f"{setting}: found {address!r}. Plain http is accepted for this machine only (127.0.0.1, localhost), "
            f"because the key and the conversations would travel unencrypted. Use https."
        )
    return address.rstrip("/")


def is_loopback(address: str) -> bool:
    """Tell whether an address is on this machine."""
    host = urlsplit(address).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
