"""Faults on purpose: a seeded schedule of what goes wrong between a client and the service.

Before the service acts: 401, 404 of what was just made, 409, 429 (seconds or a date), 5xx, a web page instead of JSON,
a cut connection. After it has acted: the same, with the answer lost. Changed answers: keys left out, states that no
list names, times off by a day, lists that never end, lists that show the newest late. The n-th request of a schedule
meets the same fault whenever the schedule is run; no request meets more than three in a row.
"""

from __future__ import annotations

import json
import random
import re
import threading
from dataclasses import dataclass, field
from typing import Literal

from finelake.emulator.errors import invalid
from finelake.emulator.wire import Json

When = Literal["before", "after", "changed"]

MOST_IN_A_ROW = 3
_KINDS: dict[str, When] = {
    "unauthorized": "before",
    "missing": "before",
    "conflict": "before",
    "throttled": "before",
    "throttled_date": "before",
    "failed": "before",
    "page": "before",
    "cut": "before",
    "lost_failed": "after",
    "lost_page": "after",
    "lost_json": "after",
    "lost_cut": "after",
    "absent": "changed",
    "unknown_state": "changed",
    "clock": "changed",
    "endless": "changed",
    "late": "changed",
}
_FRESH = re.compile(r"/(files|fine_tuning/jobs)/[^/]+$")
_LISTS = re.compile(r"/(files|fine_tuning/jobs|events|checkpoints)$")
_JOB_LIST = re.compile(r"/(files|fine_tuning/jobs)$")
_JOB = re.compile(r"/fine_tuning/jobs/[^/]+$")


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request."""

    kind: str
    when: When


@dataclass(frozen=True, slots=True)
class Hold:
    """The request that is held until its client is gone: the `at`-th (from 1) of all, or of those that change."""

    at: int
    when: Literal["before", "after"]
    of: Literal["all", "effects"]


@dataclass(slots=True)
class _State:
    seed: int = 0
    rate: float = 0.0
    limit: int = 0
    kinds: tuple[str, ...] = tuple(_KINDS)
    hold: Hold | None = None
    requests: int = 0
    effects: int = 0
    in_a_row: int = 0
    injected: list[Json] = field(default_factory=list)
    holding: Json | None = None


class FaultPlan:
    """The schedule; `rate` is the share of requests that meet a fault, `limit` the most faults."""

    def __init__(self, *, seed: int, rate: float, limit: int) -> None:
        self._lock = threading.Lock()
        self._state = _State(seed=seed, rate=rate, limit=limit)

    def reset(self, body: Json) -> Json:
        """Begin a new schedule; 400 for what is not one."""
        seed, rate, limit = body.get("seed", 0), body.get("rate", 0.0), body.get("limit", 50)
        kinds = tuple(body.get("kinds", _KINDS))
        if not isinstance(seed, int) or not isinstance(limit, int) or not isinstance(rate, int | float):
            raise invalid("seed and limit are whole numbers, rate is a number.")
        if not 0 <= rate <= 1 or not set(kinds) <= set(_KINDS):
            raise invalid(f"rate is from 0 to 1; kinds are of {', '.join(_KINDS)}.")
        with self._lock:
            self._state = _State(seed=seed, rate=float(rate), limit=limit, kinds=kinds, hold=_hold(body.get("hold")))
        return self.view()

    def view(self) -> Json:
        """Tell what happened since the schedule began."""
        with self._lock:
            state = self._state
            return {
                "seed": state.seed,
                "requests": state.requests,
                "effects": state.effects,
                "injected": list(state.injected),
                "holding": state.holding,
            }

    def next(self, method: str, path: str) -> tuple[Fault | None, Hold | None]:
        """Count a request, and give the fault that it meets and whether it is held."""
        changes = method != "GET" and not path.endswith("/chat/completions")
        with self._lock:
            state = self._state
            state.requests += 1
            state.effects += changes
            held = self._held(state, changes=changes)
            fault = None if held else self._fault(state, method, path)
            state.in_a_row = state.in_a_row + 1 if fault else 0
            if fault is not None:
                state.injected.append({"request": state.requests, "method": method, "path": path, "kind": fault.kind})
            return fault, held

    def tell_holding(self, method: str, path: str, when: str) -> None:
        """Note that a request is held now."""
        with self._lock:
            self._state.holding = {"method": method, "path": path, "when": when}

    def _held(self, state: _State, *, changes: bool) -> Hold | None:
        hold = state.hold
        if hold is None or (hold.of == "effects" and not changes):
            return None
        if hold.at != (state.effects if hold.of == "effects" else state.requests):
            return None
        state.hold = None
        return hold

    def _fault(self, state: _State, method: str, path: str) -> Fault | None:
        chance = random.Random(f"{state.seed}:{state.requests}")
        spent = len(state.injected) >= state.limit or state.in_a_row >= MOST_IN_A_ROW
        if chance.random() >= state.rate or spent:
            return None
        kinds = [kind for kind in state.kinds if _fits(kind, method, path)]
        kind = chance.choice(kinds) if kinds else None
        return None if kind is None else Fault(kind, _KINDS[kind])


def _fits(kind: str, method: str, path: str) -> bool:
    reads, arm = method == "GET", path.startswith("/subscriptions")
    if kind == "missing":
        return reads and bool(_FRESH.search(path))
    if kind == "conflict":
        return not reads and not path.endswith("/chat/completions")
    if kind in {"endless", "late"}:
        return reads and bool((_LISTS if kind == "endless" else _JOB_LIST).search(path))
    if kind in {"absent", "unknown_state", "clock"}:
        return reads and (not arm if kind == "clock" else bool(_JOB.search(path)))
    return True


def _hold(body: object) -> Hold | None:
    if body is None:
        return None
    given = body if isinstance(body, dict) else {}
    at, when, of = given.get("at"), given.get("when"), given.get("of", "all")
    if not isinstance(at, int) or when not in {"before", "after"} or of not in {"all", "effects"}:
        raise invalid("hold needs at (a whole number), when (before, after) and of (all, effects).", param="hold")
    return Hold(at, when, of)


def changed(kind: str, body: bytes) -> bytes:
    """Change an answer's JSON; what is not a JSON object stays."""
    try:
        view = json.loads(body)
    except ValueError:
        return body
    if not isinstance(view, dict):
        return body
    return json.dumps(_CHANGES[kind](view)).encode()


def _absent(view: Json) -> Json:
    optional = {"finished_at", "hyperparameters", "method", "organization_id", "estimated_finish", "seed", "error"}
    return {key: value for key, value in view.items() if key not in optional}


def _unknown_state(view: Json) -> Json:
    ended = view.get("status") in {"succeeded", "failed", "cancelled"}
    return view if ended else {**view, "status": "defrosting"}


def _clock(view: Json) -> Json:
    day = 24 * 3600
    shifted = {"created_at": -day, "finished_at": -2 * day, "expires_at": day}
    moved = {key: view[key] + by for key, by in shifted.items() if isinstance(view.get(key), int)}
    return {**view, **moved}


def _endless(view: Json) -> Json:
    return {**view, "has_more": True}


def _late(view: Json) -> Json:
    return {**view, "data": view.get("data", [])[1:]}


_CHANGES = {
    "absent": _absent,
    "unknown_state": _unknown_state,
    "clock": _clock,
    "endless": _endless,
    "late": _late,
}
