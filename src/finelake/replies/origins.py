"""Who wrote a reply: what the policy says of its origin, and how many trained tokens humans wrote."""

from __future__ import annotations

from collections.abc import Sequence

from finelake.chat import ASSISTANT
from finelake.config.replies import MIXED, UNKNOWN, OriginAction, Origins
from finelake.conversations.examples import Example
from finelake.conversations.turns import Repaired
from finelake.tokens.formula import ExampleTokens

_STRICTNESS: tuple[OriginAction, ...] = ("train", "weight_0", "reject")


class OriginPolicy:
    """What the settings say of origins, by their name in lower case."""

    def __init__(self, origins: Origins) -> None:
        self._policy = {name.strip().lower(): action for name, action in origins.policy.items()}
        self._default = origins.default
        self._human = {name.strip().lower() for name in origins.human}

    @property
    def trains_all(self) -> bool:
        """Whether no origin can be kept from training."""
        return self._default == "train" and set(self._policy.values()) <= {"train"}

    def action(self, names: Sequence[str | None]) -> tuple[OriginAction, str]:
        """Give what is done with a message of these origins and the policy's name for them."""
        known = {_key(name) for name in names}
        if len(known) > 1:
            if MIXED in self._policy:
                return self._policy[MIXED], MIXED
            return max((self._one(name) for name in sorted(known)), key=lambda item: _STRICTNESS.index(item[0]))
        return self._one(next(iter(known), UNKNOWN))

    def is_human(self, names: Sequence[str | None]) -> bool:
        """Say whether humans wrote all of a message."""
        return bool(names) and all(_key(name) in self._human for name in names)

    def _one(self, name: str) -> tuple[OriginAction, str]:
        return (self._policy[name], name) if name in self._policy else (self._default, "default")


def human_tokens(example: Example, tokens: ExampleTokens, repaired: Repaired, policy: OriginPolicy) -> int:
    """Count the trained tokens of replies that humans wrote.

    A message's trained tokens are its tokens without its overhead, which is the same for all assistant messages.
    """
    origins = repaired.origins
    if not any(origins):
        return 0
    trained = [n for n, is_trained in enumerate(example.trained) if is_trained]
    human = [n for n in trained if policy.is_human([origins[position] for position in example.positions[n]])]
    if len(human) == len(trained):
        return tokens.trained
    if not human:
        return 0
    assistants = [n for n, message in enumerate(example.messages) if message["role"] == ASSISTANT]
    overhead = (sum(tokens.per_message[n] for n in assistants) - tokens.assistant) // len(assistants)
    return sum(tokens.per_message[n] - overhead for n in human)


def _key(name: str | None) -> str:
    return (name or "").strip().lower() or UNKNOWN
