"""The privacy part of a pass's plan, made of the settings on the driver, where the key is read from its place."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

import phonenumbers

from finelake.config.settings import Privacy
from finelake.errors import ConfigError
from finelake.privacy.kinds import KINDS, Kind, Policy
from finelake.privacy.pseudonyms import Hasher
from finelake.privacy.redact import PrivacyPlan
from finelake.services.credentials import resolve

_SHORTEST_KEY = 16


def plan_privacy(settings: Privacy, *, table: str, environment: Mapping[str, str] | None = None) -> PrivacyPlan:
    """Turn the settings into a plan. Raises ConfigError for an unknown region, and a key that is missing or short."""
    unknown = sorted(set(settings.phone_regions) - set(phonenumbers.SUPPORTED_REGIONS))
    if unknown:
        raise ConfigError(
            f"privacy.phone_regions names {', '.join(unknown)}; give two-letter region codes such as US, DE or JP."
        )
    policies: dict[Kind, Policy] = {kind: getattr(settings, kind) for kind in KINDS}
    return PrivacyPlan(
        policies=policies,
        phone_regions=settings.phone_regions,
        allowed=frozenset(value.strip().lower() for value in settings.allow),
        pseudonyms=settings.pseudonyms,
        hasher=Hasher(salt=table, key=_key(settings, environment)),
    )


def key_check(settings: Privacy, *, environment: Mapping[str, str] | None = None) -> str | None:
    """Give a hash that changes with the key, for the identity of a run; None without a key."""
    key = _key(settings, environment)
    return None if key is None else hmac.new(key, b"finelake privacy key check", hashlib.sha256).hexdigest()


def _key(settings: Privacy, environment: Mapping[str, str] | None) -> bytes | None:
    if settings.key is None:
        return None
    key = resolve(settings.key, setting="privacy.key", environment=environment).encode()
    if len(key) < _SHORTEST_KEY:
        raise ConfigError(
            f"privacy.key has {len(key)} bytes; at least {_SHORTEST_KEY} are needed, since a short key can be tried "
            "out. Make one with a password generator."
        )
    return key
