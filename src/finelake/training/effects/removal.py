"""Effects that remove: deployments and files. Each may be repeated; what is gone already counts as removed.

If the process dies in between, the next clean-up lists what is still there.
"""

from __future__ import annotations

import openai

from finelake.errors import ServiceError
from finelake.services.base import FineTuningService
from finelake.services.contact import PassingError
from finelake.services.deployed import Deploys
from finelake.training.patience import Patience, Tries

_MOST_TRIES = 20


def remove_deployment(deployments: Deploys, name: str, *, timeout_seconds: float, patience: Patience) -> None:
    """Delete a deployment and wait until it is gone, and its quota with it. Raises ServiceError when it stays."""
    deadline, tries = patience.clock.now() + timeout_seconds, Tries(patience)
    asked = False
    while patience.ask(lambda: deployments.find(name), action=f"looking up deployment {name}") is not None:
        wait: float | None = patience.pause
        if not asked:
            try:
                deployments.delete(name)
                asked = True
            except PassingError as error:
                wait = tries.wait(error)
        if wait is None or patience.clock.now() + wait > deadline:
            raise ServiceError(f"Deployment {name} is still there after {timeout_seconds:.0f} seconds. Run it again.")
        patience.clock.sleep(wait)


def remove_file(service: FineTuningService, file_id: str, *, patience: Patience) -> None:
    """Delete a file. Raises ServiceError when the service refuses."""
    tries = Tries(patience)
    while True:
        try:
            service.client.files.delete(file_id)
        except openai.NotFoundError:
            return
        except openai.APIError as error:
            wait = tries.wait(error)
            if wait is None or tries.failed > _MOST_TRIES:
                raise patience.explained(error, f"deleting file {file_id}") from None
            patience.clock.sleep(wait)
        else:
            return
