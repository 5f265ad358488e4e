"""Waiting for a deployment: first for ARM's success, then until the model truly answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import openai

from finelake.errors import ServiceError
from finelake.services.base import FineTuningService
from finelake.services.contact import PassingError
from finelake.services.deployed import Deployed, Deploys, Target
from finelake.training.effects.deployment import BROKEN, SUCCEEDED
from finelake.training.patience import Patience, Tries, is_missing
from finelake.training.progress import Progress

# Facts of the Developer tier and of inactive tuned deployments (Azure's deployment guide).
DEVELOPER_LIFE = timedelta(hours=24)
IDLE_LIFE = timedelta(days=15)


def lifetime(found: Deployed) -> tuple[datetime | None, str]:
    """Give when a deployment is deleted by itself (None when not known or never), and the rule in words."""
    if found.life:
        return None, found.life
    if found.sku.casefold() in {"developertier", "developer"}:
        ends = found.created_at + DEVELOPER_LIFE if found.created_at is not None else None
        at = f" ({ends:%Y-%m-%d %H:%M} UTC)" if ends is not None else ""
        return ends, f"deleted by the service 24 hours after it was made{at}, used or not; the model stays"
    if found.is_tuned:
        return None, "deleted by the service after 15 days without a request; the model stays; billed by the hour"
    return None, "stays until it is deleted"


def wait_until_provisioned(
    deployments: Deploys, target: Target, *, deadline: float, patience: Patience, progress: Progress
) -> None:
    """Wait for ARM's success. Raises ServiceError when it fails or does not come before `deadline`."""
    while True:
        found = patience.ask(lambda: deployments.find(target.name), action=f"looking up deployment {target.name}")
        state = found.state if found is not None else "not listed yet"
        progress.deployment_changed(target.name, state)
        if found is not None and state == SUCCEEDED:
            progress.noted(f"deployment {target.name}: {lifetime(found)[1]}")
            return
        if state in BROKEN:
            raise ServiceError(
                f"Deployment {target.name} of {target.model.name} ended as {state}. {_why(found)} Run the same again "
                f"then, and the deployment is asked for anew."
            )
        if patience.clock.now() > deadline:
            raise ServiceError(
                f"Deployment {target.name} is still {state} when deployment.ready_timeout_seconds is over. Run "
                f"the same again to go on waiting."
            )
        patience.clock.sleep(patience.pause)


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
    patience = replace(patience, contact=service.chat_contact)
    began, tries = patience.clock.now(), Tries(patience)
    while True:
        try:
            _ping(service, model, length_parameter)
        except (openai.APIError, PassingError) as error:
            wait = patience.pause if is_missing(error) else tries.wait(error)
            if wait is None:
                raise patience.explained(error, f"asking {model} for its first answer") from None
            last = error
        else:
            progress.deployment_changed(model, "answers")
            return
        progress.deployment_changed(model, "not ready yet")
        if patience.clock.now() - began + wait > timeout_seconds:
            said = patience.explained(last, f"waiting for {model} to answer")
            raise ServiceError(
                f"{model} is deployed but gave no answer for {timeout_seconds:.0f} seconds, the limit of "
                f"deployment.ready_timeout_seconds. {_where_to_look(service)} Run the same again to go on "
                f"waiting. {said}"
            )
        patience.clock.sleep(wait)


def _why(found: Deployed | None) -> str:
    if found is not None and found.reason:
        return found.reason
    return "The resource's activity log in the portal says why; correct that."


def _where_to_look(service: FineTuningService) -> str:
    if service.may_sleep:
        return "It may still be starting: raise that limit, or look at its logs."
    return "Check that service.endpoint and service.account are the same resource."


def _ping(service: FineTuningService, model: str, length_parameter: str) -> None:
    service.chat_contact.readable(
        lambda: service.chat_client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "ping"}], extra_body={length_parameter: 1}
        ),
        needs="choices",
    )
