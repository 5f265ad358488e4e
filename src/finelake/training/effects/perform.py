"""Doing one thing at the service, once: found again where it was done, written down before it is asked for.

If the process dies before the intent is written, nothing was asked. If it dies after that and before the step's
result is written, the request may or may not have arrived: the next driver sees the open intent, looks through the
service several times, and asks again only when there is nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import openai

from finelake.errors import ServiceError
from finelake.services.contact import PassingError
from finelake.training.effects.log import EffectLog
from finelake.training.patience import Patience, Tries, may_have_arrived

Made = TypeVar("Made")

_ATTEMPTS = 5
_LOOKS_AFTER_LOSS = 6


@dataclass(frozen=True, slots=True)
class Effect(Generic[Made]):
    """One effect: `key` in the log, `asked` as recorded, `find` what was made earlier, `act` asks once.

    `act` must not repeat its request by itself; `find` only reads. `action` completes "while ...".
    """

    key: str
    asked: dict[str, Any]
    find: Callable[[], Made | None]
    act: Callable[[], Made]
    action: str


def perform(effect: Effect[Made], *, log: EffectLog, patience: Patience) -> Made:
    """Give what the effect made, now or in an earlier start; never asks again while the first may have arrived.

    Raises ServiceError when the service refuses or stays unclear, RunBusyError when the lease is lost.
    """
    looks, tries = _LOOKS_AFTER_LOSS if log.attempts(effect.key) else 1, Tries(patience)
    last: Exception | None = None
    for _ in range(_ATTEMPTS):
        found = _look(effect, looks, patience)
        if found is not None:
            return found
        log.record_intent(effect.key, effect.asked)
        log.fence()
        try:
            return effect.act()
        except (openai.APIError, PassingError) as error:
            wait = tries.wait(error)
            if wait is None:
                raise patience.explained(error, effect.action) from None
            last = error
        patience.clock.sleep(wait)
        looks = _LOOKS_AFTER_LOSS if may_have_arrived(last) else 1
    found = _look(effect, looks, patience)
    if found is not None:
        return found
    said = patience.explained(last, effect.action) if last is not None else ""
    raise ServiceError(
        f"Gave up {effect.action} after {_ATTEMPTS} attempts, none of which is known to have worked. {said}"
    )


def _look(effect: Effect[Made], looks: int, patience: Patience) -> Made | None:
    for look in range(looks):
        if look > 0:
            patience.clock.sleep(patience.pause)
        found = effect.find()
        if found is not None:
            return found
    return None
