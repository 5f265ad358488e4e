"""Deployments as the control plane keeps them: states on the clock, one write at a time, quota, expiry.

Any subscription, resource group and account name is accepted. The data plane of this one address serves the
deployments of all accounts; of two with the same name it serves the newer one.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass

from finelake.emulator.catalogue import BASE_MODELS
from finelake.emulator.clock import Clock
from finelake.emulator.errors import ApiError, not_found
from finelake.emulator.options import EmulatorOptions
from finelake.emulator.registry import KnownModel, ModelRegistry
from finelake.emulator.state import Store
from finelake.emulator.wire import Json

MAX_TUNED = 10
MAX_STANDARD = 32
DEVELOPER = "DeveloperTier"
_SKUS = {
    "standard": "Standard",
    "globalstandard": "GlobalStandard",
    "datazonestandard": "DataZoneStandard",
    "developertier": DEVELOPER,
    "developer": DEVELOPER,
    "provisionedmanaged": "ProvisionedManaged",
}
SKUS = tuple(sorted(set(_SKUS.values())))
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,63}")
_BUSY = "Another operation is being performed on the parent resource '{account}'. Please try again later."


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment as stored; `account` is the account's ARM path."""

    seq: int
    account: str
    name: str
    sku: str
    capacity: int
    model: str
    version: str
    base_model: str
    tuned: int
    created_at: float
    changed_at: float
    ready_at: float
    used_at: float
    deleting_at: float | None


@dataclass(frozen=True, slots=True)
class Usage:
    """A quota: its name, what is used and the limit, in thousands of tokens a minute."""

    name: str
    used: int
    limit: int


class DeploymentService:
    """Create, show, delete and expire deployments."""

    def __init__(self, *, store: Store, clock: Clock, models: ModelRegistry, options: EmulatorOptions) -> None:
        self._store = store
        self._clock = clock
        self._models = models
        self._options = options

    def put(self, account: str, name: str, body: Json) -> tuple[Deployment, bool]:
        """Create or change a deployment; return it and whether it is new. ApiError 400 or 409 when refused."""
        sku, capacity = _sku(body)
        model, version = self._model(body)
        if not _NAME.fullmatch(name):
            raise ApiError(400, "InvalidResourceName", "A deployment name has 2 to 64 letters, digits and . _ -")
        with self._store.transaction():
            self._check_idle(account)
            old = next((one for one in self.of_account(account) if one.name.lower() == name.lower()), None)
            self._check_quota(account, sku, capacity, model, old)
            self._write(account, name, sku, capacity, model, version, old)
        return self.get(account, name), old is None

    def get(self, account: str, name: str) -> Deployment:
        """Return a deployment; 404 when there is none of that name."""
        for deployment in self.of_account(account):
            if deployment.name.lower() == name.lower():
                return deployment
        raise not_found_deployment(name)

    def of_account(self, account: str) -> list[Deployment]:
        """Return the deployments of an account that are not expired."""
        return [one for one in self._all() if one.account.lower() == account.lower()]

    def delete(self, account: str, name: str) -> Deployment | None:
        """Begin to delete a deployment; None when there is none."""
        with self._store.transaction():
            if not any(one.name.lower() == name.lower() for one in self.of_account(account)):
                return None
            self._check_idle(account)
            deployment = self.get(account, name)
            self._store.write(
                "UPDATE deployments SET deleting_at = ? WHERE seq = ?", (self._clock.now(), deployment.seq)
            )
        return deployment

    def exists(self, seq: int) -> bool:
        """Tell whether a deployment, once being deleted, is still there."""
        return any(one.seq == seq for one in self._all())

    def state(self, deployment: Deployment) -> str:
        """Return the provisioning state now."""
        if deployment.deleting_at is not None:
            return "Deleting"
        age = self._clock.now() - deployment.changed_at
        if age >= self._options.deployment_seconds:
            return "Succeeded"
        return "Accepted" if age < self._options.deployment_seconds / 4 else "Creating"

    def usages(self) -> list[Usage]:
        """Return the quota of each pair of SKU and base model, for tuned and for base models: they share it here."""
        found = self._all()
        pairs = [(sku, model.alias) for sku in SKUS for model in BASE_MODELS]
        return [
            Usage(
                usage_name(sku, alias, tuned=tuned),
                sum(one.capacity for one in found if (one.sku, one.base_model) == (sku, alias)),
                self._options.quota,
            )
            for sku, alias in pairs
            for tuned in (False, True)
        ]

    def serving(self, name: str) -> Deployment:
        """Return the deployment that answers under a name and note its use; 404 while none is ready."""
        now = self._clock.now()
        found = [one for one in self._all() if one.name.lower() == name.lower() and one.deleting_at is None]
        if not found or found[-1].ready_at > now:
            raise not_found_deployment(name)
        self._store.write("UPDATE deployments SET used_at = ? WHERE seq = ?", (now, found[-1].seq))
        return found[-1]

    def _all(self) -> list[Deployment]:
        rows = [_record(row) for row in self._store.rows("SELECT * FROM deployments ORDER BY seq")]
        gone = [one for one in rows if self._is_gone(one)]
        for deployment in gone:
            self._store.write("DELETE FROM deployments WHERE seq = ?", (deployment.seq,))
        return [one for one in rows if one not in gone]

    def _is_gone(self, deployment: Deployment) -> bool:
        now, options = self._clock.now(), self._options
        if deployment.deleting_at is not None:
            return now >= deployment.deleting_at + options.deployment_seconds / 4
        if deployment.sku == DEVELOPER:
            return now >= deployment.created_at + options.developer_seconds
        return bool(deployment.tuned) and now >= deployment.used_at + options.inactive_seconds

    def _model(self, body: Json) -> tuple[KnownModel, str]:
        properties = body.get("properties")
        asked = properties.get("model") if isinstance(properties, dict) else None
        if not isinstance(asked, dict) or not isinstance(asked.get("name"), str):
            raise ApiError(400, "InvalidRequestContent", "properties.model.name is required.")
        known = self._models.find("azure", asked["name"])
        if known is not None and known.job_id is None:
            version = asked.get("version") or known.base.version
            # ARM names base models without a date and gives the date as version.
            known = known if version == known.base.version and asked["name"] == known.base.alias else None
        else:
            version = asked.get("version") or "1"
        real = known is not None and known.base.source is not None
        if known is None or asked.get("format") != ("Hugging Face" if real else "OpenAI"):
            raise ApiError(
                400,
                "DeploymentModelNotSupported",
                f"The model 'Format:{asked.get('format')},Name:{asked['name']},Version:{asked.get('version') or ''}' "
                "of account deployment is not supported.",
            )
        return known, str(version)

    def _check_idle(self, account: str) -> None:
        if any(self.state(one) != "Succeeded" for one in self.of_account(account)):
            raise ApiError(409, "RequestConflict", _BUSY.format(account=account))

    def _check_quota(self, account: str, sku: str, capacity: int, model: KnownModel, old: Deployment | None) -> None:
        others = [one for one in self._all() if old is None or one.seq != old.seq]
        used = sum(one.capacity for one in others if one.sku == sku and one.base_model == model.base.alias)
        free = self._options.quota - used
        if capacity > free:
            quota = f"Tokens Per Minute (thousands) - {model.base.alias} - {sku}"
            raise ApiError(
                400,
                "InsufficientQuota",
                f"This operation require {capacity} new capacity in quota {quota}, which is bigger than the current "
                f"available capacity {free}. The current quota usage is {used} and the quota limit is "
                f"{self._options.quota} for quota {quota}.",
            )
        here = [one for one in others if one.account.lower() == account.lower()]
        tuned = model.job_id is not None
        most = MAX_TUNED if tuned else MAX_STANDARD
        if sum(bool(one.tuned) == tuned for one in here) >= most:
            raise ApiError(
                400, "QuotaExceeded", f"The account has {most} deployments of this kind, which is the limit."
            )

    def _write(
        self,
        account: str,
        name: str,
        sku: str,
        capacity: int,
        model: KnownModel,
        version: str,
        old: Deployment | None,
    ) -> None:
        now = self._clock.now()
        tuned = model.job_id is not None
        ready = now + self._options.deployment_seconds + (self._options.readiness_seconds if tuned else 0.0)
        if old is not None and old.model == model.name:
            # A change of capacity does not interrupt a deployment that answers.
            ready = old.ready_at
        values = (sku, capacity, model.name, version, model.base.alias, int(tuned), now, ready, now)
        if old is None:
            self._store.write(
                "INSERT INTO deployments (sku, capacity, model, version, base_model, tuned, changed_at, ready_at,"
                " used_at, account, name, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, account, name, now),
            )
        else:
            self._store.write(
                "UPDATE deployments SET sku = ?, capacity = ?, model = ?, version = ?, base_model = ?, tuned = ?,"
                " changed_at = ?, ready_at = ?, used_at = ? WHERE seq = ?",
                (*values, old.seq),
            )


def usage_name(sku: str, alias: str, *, tuned: bool) -> str:
    """Name a quota as ARM does: gpt-4.1 loses its hyphen there, and tuned models have a quota of their own."""
    return f"OpenAI.{sku}.{alias.replace('gpt-4.1', 'gpt4.1')}" + ("-finetune" if tuned else "")


def not_found_deployment(name: str) -> ApiError:
    """Build the 404 of ARM and data plane for a deployment that is not there or not ready yet."""
    if not name:
        return not_found("The deployment name is missing.")
    return ApiError(
        404,
        "DeploymentNotFound",
        "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, "
        "please wait a moment and try again.",
    )


def _sku(body: Json) -> tuple[str, int]:
    sku = body.get("sku")
    name = _SKUS.get(str(sku.get("name")).lower()) if isinstance(sku, dict) else None
    if not isinstance(sku, dict) or name is None:
        raise ApiError(400, "InvalidSku", f"sku.name is missing or unknown; allowed are {', '.join(_SKUS.values())}.")
    capacity = sku.get("capacity", 1)
    if isinstance(capacity, bool) or not isinstance(capacity, int) or capacity < 1:
        raise ApiError(400, "InvalidCapacity", "sku.capacity must be a whole number of 1 or more.")
    return name, capacity


def _record(row: sqlite3.Row) -> Deployment:
    return Deployment(**dict(row))
