"""Where secrets are kept, and what is done with personal data."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from finelake.config.section import Section

PrivacyPolicy = Literal["redact", "reject", "report", "ignore"]


class SecretRef(Section):
    """Where a secret is kept: an environment variable, or a Databricks secret scope and key. Never its value."""

    env: str | None = None
    scope: str | None = None
    key: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> SecretRef:
        if (self.env is None) == (self.scope is None) or (self.scope is None) != (self.key is None):
            raise ValueError("give env: NAME, or scope: and key:")
        return self


class Privacy(Section):
    """What is done with personal data and secrets, by kind: redact, reject, report (record only) or ignore.

    Values get one pseudonym inside a conversation, or across the table, which needs a `key`. A number without a
    country code counts as a telephone number where one of `phone_regions` (ISO 3166-1) has such numbers.
    `allow` lists what may stay: values such as the desk's own address, or `@example.com` for every address of a host.
    """

    secret: PrivacyPolicy = "redact"
    url_credential: PrivacyPolicy = "redact"
    email: PrivacyPolicy = "redact"
    iban: PrivacyPolicy = "redact"
    card: PrivacyPolicy = "redact"
    national_id: PrivacyPolicy = "redact"
    ip: PrivacyPolicy = "report"
    phone: PrivacyPolicy = "redact"
    address: PrivacyPolicy = "report"
    phone_regions: tuple[str, ...] = ("US", "GB", "DE", "JP")
    allow: tuple[str, ...] = ()
    pseudonyms: Literal["conversation", "table"] = "conversation"
    key: SecretRef | None = None

    @model_validator(mode="after")
    def _a_key_is_named(self) -> Privacy:
        if self.pseudonyms == "table" and self.key is None:
            raise ValueError("pseudonyms across the table need key: {env: NAME} or {scope: ..., key: ...}")
        return self
