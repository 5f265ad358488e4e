"""Promote and roll back: a deployment that answers first, then one row of the table of aliases.

If the process dies before the row: the alias stands for what it stood for, and the next start finds the deployment by
its name and goes on. If after it: the next start sees the row and has nothing left to do. The deployment that the
alias named before is only removed afterwards, and only on request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from finelake.config.models import ModelInfo
from finelake.config.settings import Settings
from finelake.errors import InputError, RunBusyError
from finelake.services.base import FineTuningService
from finelake.services.deployed import Deploys, Target
from finelake.services.portal import deployment_page
from finelake.tables.aliases import AliasEntry, Aliases
from finelake.training import identity
from finelake.training.clock import Clock
from finelake.training.deploy import wait_until_answers, wait_until_provisioned
from finelake.training.effects.deployment import DeploymentEffect
from finelake.training.effects.log import EffectLog
from finelake.training.effects.removal import remove_deployment
from finelake.training.patience import MISSING_SECONDS, Patience
from finelake.training.progress import Progress
from finelake.training.promotion.candidate import Candidate, Judged, deployment_for_use, require_promote
from finelake.training.promotion.history import before, current, of_alias, superseded

ROLLBACK = "rollback"


@dataclass(frozen=True, kw_only=True, slots=True)
class Promoted:
    """What an alias stands for now, what it stood for, and what was removed; `changed` is False when all was done."""

    entry: AliasEntry
    previous: str | None
    removed: tuple[str, ...] = ()
    changed: bool = True
    portal: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """What a change of one alias works with; `log` is the alias's journal, `model` the base model's entry."""

    settings: Settings
    service: FineTuningService
    aliases: Aliases
    log: EffectLog
    model: ModelInfo
    clock: Clock
    progress: Progress

    @property
    def patience(self) -> Patience:
        """How to ask the service again; while it waits, the alias's lease is kept."""
        pause = self.settings.training.poll_seconds
        patience = Patience(self.service.contact, self.clock, pause, self.service.renew)
        return patience.keeping(self.log.keep, every=self.log.lease_seconds / 3)

    @property
    def history(self) -> list[AliasEntry]:
        """The alias's changes."""
        return of_alias(self.aliases.read(), self.settings.promotion.alias)

    def promote(self, candidate: Candidate, said: Judged, *, take_over: bool = False) -> Promoted:
        """Deploy a run's model for use and let the alias stand for it.

        Raises PromotionRefusedError without the verdict or a reason, ServiceError when it does not come to answer,
        RunBusyError when another promotion of the alias goes on.
        """
        promotion = self.settings.promotion
        require_promote(candidate, said, override=promotion.override)
        name = candidate.model if self.service.deployments is None else deployment_for_use(self.settings, candidate)

        def change() -> Promoted:
            now = current(self.history)
            entry = self._promotion(candidate, said, deployment=name)
            self._see_that_it_answers(entry)
            if now is not None and (now.deployment, now.model) == (name, candidate.model):
                return self._done(now, None, changed=False)
            self._write(entry)
            return self._done(entry, now.deployment if now is not None else None, changed=True)

        return self._held(change, take_over=take_over)

    def rollback(self, reason: str | None) -> Promoted:
        """Let the alias stand for what it stood for before; a deployment that is gone is made again first.

        A rollback that was interrupted is ended, not done twice. Raises InputError when there is nothing before.
        """

        def change() -> Promoted:
            history = self.history
            asked, done = self.log.intent(ROLLBACK), self.log.result(ROLLBACK)
            open_one = asked if asked is not None and (done or {}).get("sequence") != asked["sequence"] else None
            if open_one is not None and self._is_written(history, open_one["sequence"], open_one["to"]):
                self.log.record_result(ROLLBACK, {"sequence": open_one["sequence"]})
                self.progress.noted("the rollback that was interrupted is done")
                return self._done(history[-1], None, changed=False)
            target, now = before(history), current(history)
            if target is None or now is None:
                raise InputError(
                    f"Alias {self.settings.promotion.alias} of project {self.settings.project} stands for nothing "
                    f"else before, so there is nothing to roll back to. `finelake aliases` shows its history."
                )
            entry = replace(
                target,
                sequence=now.sequence + 1,
                action="rollback",
                reason=reason,
                holder=self.log.holder,
                recorded_at=self._now(),
            )
            self.log.record_intent(ROLLBACK, {"sequence": entry.sequence, "to": entry.deployment})
            self._see_that_it_answers(entry)
            self._write(entry)
            self.log.record_result(ROLLBACK, {"sequence": entry.sequence})
            return self._done(entry, now.deployment, changed=True)

        return self._held(change)

    def _held(self, change: Callable[[], Promoted], *, take_over: bool = False) -> Promoted:
        self.log.acquire(take_over=take_over)
        try:
            return change()
        finally:
            self.log.release()

    def _see_that_it_answers(self, entry: AliasEntry) -> None:
        """Deploy what is not there and wait until it answers."""
        patience, deployments = self.patience, self.service.deployments
        timeout = self.settings.deployment.ready_timeout_seconds
        if deployments is not None:
            address = identity.tuned_address(entry.model, self.model)
            effect = DeploymentEffect(
                deployments=deployments,
                target=Target(name=entry.deployment, model=address, sku=entry.sku, capacity=entry.capacity),
                key=f"deploy {entry.deployment}",
                may_replace=False,
                log=self.log,
                patience=patience,
                progress=self.progress,
            )
            deadline = patience.clock.now() + timeout
            effect.ensure(deadline=deadline)
            wait_until_provisioned(
                deployments, effect.target, deadline=deadline, patience=patience, progress=self.progress
            )
        wait_until_answers(
            self.service,
            entry.deployment,
            length_parameter=self.settings.evaluation.length_parameter,
            timeout_seconds=timeout if deployments is not None else min(timeout, MISSING_SECONDS),
            patience=patience,
            progress=self.progress,
        )

    def _write(self, entry: AliasEntry) -> None:
        """Write the row, under the lease. Raises RunBusyError when another change came first."""
        self.log.fence()
        now = current(self.history)
        if (now.sequence if now is not None else 0) != entry.sequence - 1 or not self.aliases.append(entry):
            raise RunBusyError(
                f"Alias {entry.alias} was changed by another promotion meanwhile, so this one was not made. See "
                f"`finelake aliases` and run it again if it is still wanted."
            )
        self.progress.noted(f"alias {entry.alias} stands for {entry.deployment} now (change {entry.sequence})")

    def _done(self, entry: AliasEntry, previous: str | None, *, changed: bool) -> Promoted:
        where = deployment_page(self.settings.service, entry.deployment)
        removed = self._remove_superseded() if self.settings.promotion.remove_previous else ()
        return Promoted(entry=entry, previous=previous, removed=removed, changed=changed, portal=where)

    def _remove_superseded(self) -> tuple[str, ...]:
        deployments, removed = self.service.deployments, []
        if deployments is None:
            return ()
        for old in superseded(self.aliases.read(), self.settings.promotion.alias):
            if self._model_of(deployments, old.deployment) != old.model:
                continue
            self.log.fence()
            timeout = self.settings.deployment.ready_timeout_seconds
            remove_deployment(deployments, old.deployment, timeout_seconds=timeout, patience=self.patience)
            removed.append(old.deployment)
        return tuple(removed)

    def _promotion(self, candidate: Candidate, said: Judged, *, deployment: str) -> AliasEntry:
        now, promotion, deployed = current(self.history), self.settings.promotion, self.service.deployments is not None
        return AliasEntry(
            project=self.settings.project,
            alias=promotion.alias,
            sequence=(now.sequence if now is not None else 0) + 1,
            action="promote",
            deployment=deployment,
            model=candidate.model,
            sku=promotion.sku if deployed else "",
            capacity=promotion.capacity if deployed else 0,
            run_id=candidate.run_id,
            verdict=said.verdict,
            evaluation_id=said.evaluation_id,
            reason=promotion.override,
            holder=self.log.holder,
            recorded_at=self._now(),
        )

    def _model_of(self, deployments: Deploys, name: str) -> str | None:
        found = self.patience.ask(lambda: deployments.find(name), action=f"looking up deployment {name}")
        return None if found is None else found.model

    @staticmethod
    def _is_written(history: list[AliasEntry], sequence: int, deployment: str) -> bool:
        last = current(history)
        return last is not None and (last.sequence, last.action, last.deployment) == (sequence, "rollback", deployment)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.wall(), UTC)
