"""Deploying a model through ARM, and waiting until it truly answers."""

from __future__ import annotations

import logging

import openai

from finelake.errors import ConfigError, ServiceError
from finelake.services.base import FineTuningService
from finelake.services.deployments import BusyError, Deployed, Deployments, Target
from finelake.training.patience import Patience, is_missing, pause_after
from finelake.training.progress import Progress

logger = logging.getLogger(__name__)

SUCCEEDED = "Succeeded"
_BROKEN = {"Failed", "Canceled", "Disabled", "Deleting"}
_LONGEST_PAUSE = 30.0


def ensure_deployed(
    deployments: Deployments,
    target: Target,
    *,
    may_replace: bool,
    timeout_seconds: float,
    patience: Patience,
    progress: Progress,
) -> None:
    """See that a deployment of this name serves this model; create it, or replace its model where `may_replace`.

    Raises ConfigError when the name serves another model that may not be replaced, ServiceError when ARM refuses or
    the deployment does not succeed in time.
    """
    deadline = patience.clock.now() + timeout_seconds
    found = deployments.find(target.name)
    if found is not None and not _serves(found, target):
        if not may_replace:
            raise ConfigError(
                f"Deployment {target.name} exists and serves {found.model} {found.version}, not {target.model.name} "
                f"{target.model.version}. Set deployment.base_name to another name."
            )
        logger.warning("Deployment %s serves %s now and gets %s.", target.name, found.model, target.model.name)
    if found is None or not _serves(found, target) or found.state in _BROKEN:
        _put(deployments, target, deadline=deadline, patience=patience, progress=progress)
    _wait_until_provisioned(deployments, target, deadline=deadline, patience=patience, progress=progress)


def wait_until_answers(
    service: FineTuningService,
    model: str,
    *,
    length_parameter: str,
    timeout_seconds: float,
    patience: Patience,
    progress: Progress,
) -> None:
    """Ask for one token until an answer comes; ARM's success is minutes ahead of the data plane.

    `length_parameter` names the request's field for the most tokens of an answer. Raises ServiceError when no answer
    comes in time.
    """
    began = patience.clock.now()
    while True:
        try:
            service.client.with_options(max_retries=0).chat.completions.create(
                model=model, messages=[{"role": "user", "content": "ping"}], extra_body={length_parameter: 1}
            )
        except openai.APIError as error:
            wait = patience.pause if is_missing(error) else pause_after(error, usual=patience.pause)
            if wait is None:
                raise patience.contact.explain(error, f"asking {model} for its first answer") from None
            last = error
        else:
            progress.deployment_changed(model, "answers")
            return
        progress.deployment_changed(model, "not ready yet")
        if patience.clock.now() - began + wait > timeout_seconds:
            said = patience.contact.explain(last, f"waiting for {model} to answer")
            raise ServiceError(
                f"{model} is deployed but gave no answer for {timeout_seconds:.0f} seconds, the limit of "
                f"deployment.ready_timeout_seconds. Check that service.endpoint and service.account are the same "
                f"resource, then run the same again to go on waiting. {said}"
            )
        patience.clock.sleep(wait)


def _serves(found: Deployed, target: Target) -> bool:
    same_version = found.version in {"", target.model.version}
    names = {target.model.name.casefold(), f"{target.model.name}-{target.model.version}".casefold()}
    return found.model.casefold() in names and same_version


def _put(deployments: Deployments, target: Target, *, deadline: float, patience: Patience, progress: Progress) -> None:
    pause = patience.pause
    while True:
        try:
            deployments.put(target)
            return
        except BusyError as error:
            if patience.clock.now() + pause > deadline:
                raise ServiceError(
                    f"{error} It stayed so until deployment.ready_timeout_seconds passed. Wait for the other operation "
                    f"and run the same again."
                ) from None
        progress.deployment_changed(target.name, "waiting for another operation on the account")
        patience.clock.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _wait_until_provisioned(
    deployments: Deployments, target: Target, *, deadline: float, patience: Patience, progress: Progress
) -> None:
    while True:
        found = deployments.find(target.name)
        state = found.state if found is not None else "not listed yet"
        progress.deployment_changed(target.name, state)
        if state == SUCCEEDED:
            return
        if state in _BROKEN:
            raise ServiceError(
                f"Deployment {target.name} of {target.model.name} ended as {state}. The resource's activity log in the "
                f"portal says why; correct that and run the same again, and the deployment is asked for anew."
            )
        if patience.clock.now() > deadline:
            raise ServiceError(
                f"Deployment {target.name} is still {state} when deployment.ready_timeout_seconds is over. Run "
                f"the same again to go on waiting."
            )
        patience.clock.sleep(patience.pause)
