"""Effect: a deployment of a model, once for each name; the request may be repeated, for ARM's PUT makes one of a name.

If the process dies before the request: nothing is there. After it: the next start finds the deployment by its name,
whatever state it is in, and goes on waiting. ARM takes one write at a time for an account: others are waited out.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from finelake.errors import ConfigError, ServiceError
from finelake.services.contact import PassingError
from finelake.services.deployed import BusyError, Deployed, Deploys, QuotaError, Target
from finelake.training.effects.log import EffectLog
from finelake.training.patience import Patience, Tries
from finelake.training.progress import Progress

logger = logging.getLogger(__name__)

SUCCEEDED = "Succeeded"
BROKEN = {"Failed", "Canceled", "Disabled", "Deleting"}
_IN_WORK = {"Accepted", "Creating", "Deleting", "Moving"}


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentEffect:
    """What is needed to deploy: `key` in the log; `may_replace` another model under the same name."""

    deployments: Deploys
    target: Target
    key: str
    may_replace: bool
    log: EffectLog
    patience: Patience
    progress: Progress

    def ensure(self, *, deadline: float) -> None:
        """See that ARM has a deployment of this name and model, asking for it when there is none.

        `deadline` on the patience's clock. Raises ConfigError when the name serves another model that may not be
        replaced, ServiceError when ARM refuses, RunBusyError when the lease is lost.
        """
        found = self._find()
        if found is not None and not serves(found, self.target):
            self._see_about(found)
        if found is None or not serves(found, self.target) or found.state in BROKEN:
            self._wait_until_idle(deadline)
            self._put(deadline)

    def _find(self) -> Deployed | None:
        name = self.target.name
        return self.patience.ask(lambda: self.deployments.find(name), action=f"looking up deployment {name}")

    def _see_about(self, found: Deployed) -> None:
        target = self.target
        if not self.may_replace:
            raise ConfigError(
                f"Deployment {target.name} exists and serves {found.model} {found.version}, not {target.model.name} "
                f"{target.model.version}. Set deployment.base_name to another name."
            )
        logger.warning("Deployment %s serves %s now and gets %s.", target.name, found.model, target.model.name)

    def _wait_until_idle(self, deadline: float) -> None:
        while True:
            everything = self.patience.ask(self.deployments.every, action="listing deployments")
            busy = next((one for one in everything if one.state in _IN_WORK), None)
            if busy is None or self.patience.clock.now() > deadline:
                return
            self.progress.deployment_changed(self.target.name, f"waiting for {busy.name} ({busy.state})")
            self.patience.clock.sleep(self.patience.pause)

    def _put(self, deadline: float) -> None:
        target, tries = self.target, Tries(self.patience)
        self.log.record_intent(
            self.key, {"name": target.name, "model": target.model.name, "sku": target.sku, "capacity": target.capacity}
        )
        while True:
            self.log.fence()
            try:
                self.deployments.put(target)
                return
            except PassingError as error:
                wait = tries.wait(error)
                if wait is None or self.patience.clock.now() + wait > deadline:
                    raise ServiceError(
                        f"{error} It stayed so until deployment.ready_timeout_seconds passed. Wait and run the same "
                        f"again."
                    ) from None
                if isinstance(error, BusyError):
                    self.progress.deployment_changed(target.name, "waiting for another operation on the account")
            except QuotaError as error:
                raise self._explained(error) from None
            self.patience.clock.sleep(wait)

    def _explained(self, error: QuotaError) -> ServiceError:
        held = [one for one in self.deployments.every() if one.sku.casefold() == self.target.sku.casefold()]
        names = ", ".join(f"{one.name} ({one.capacity})" for one in held) or "none on this account"
        return ServiceError(
            f"{error} Quota is shared by all accounts of the subscription in the region. Deployments of this SKU here "
            f"that hold some: {names}. Lower deployment.capacity (asked for: {self.target.capacity}), delete what is "
            f"no longer used (`finelake clean` lists what failed runs left), choose another deployment.sku, or ask "
            f"for more quota, then run the same again."
        )


def serves(found: Deployed, target: Target) -> bool:
    """Tell whether a deployment serves the model of a target."""
    same_version = found.version in {"", target.model.version}
    names = {target.model.name.casefold(), f"{target.model.name}-{target.model.version}".casefold()}
    return found.model.casefold() in names and same_version
