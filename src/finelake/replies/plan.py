"""The part of the pass's plan that is about replies: settings, canned replies found in the table, origins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finelake.config.replies import Origins, Replies
from finelake.replies.catalogue import REPLY_RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyPlan:
    """Settings of the rules and origins, signatures of canned replies, and whether the user gave tool definitions.

    `stored` says that conversations come whole, so that rules about the text of a reply name origins in the pass.
    """

    rules: Replies
    origins: Origins
    canned: frozenset[str] = frozenset()
    definitions_given: bool = False
    stored: bool = False

    def settings(self) -> dict[str, object]:
        """Return what governs the rules, as `rules.registry.fingerprint` takes it."""
        governing: dict[str, object] = {
            f"reply_{key}_{name}": value
            for key in REPLY_RULES
            for name, value in self.rules.rule(key).model_dump().items()
        }
        return governing | {f"origin_{name}": value for name, value in _plain(self.origins).items()}


def _plain(origins: Origins) -> Mapping[str, Any]:
    return origins.model_dump(mode="json")
