"""Privacy of one conversation: find, replace by pseudonyms, and record receipts; runs inside the Python pass."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from finelake.chat import Message
from finelake.conversations.turns import Decision, Repaired, decision
from finelake.privacy.detect import Detector, may_hold_any
from finelake.privacy.kinds import RULES_BY_KIND, Finding, Kind, Policy, without_overlaps
from finelake.privacy.leaves import replace_leaves
from finelake.privacy.pseudonyms import Hasher, Pseudonyms

_REPLACED = ("redact", "reject")
# A value that was found once is replaced wherever else it stands alone; shorter ones could be any word.
_SHORTEST_REPEATED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyPlan:
    """Policies by kind, and how pseudonyms and receipts are made; the key of `hasher` is never shown."""

    policies: Mapping[Kind, Policy]
    phone_regions: tuple[str, ...]
    allowed: frozenset[str]
    pseudonyms: Literal["conversation", "table"]
    hasher: Hasher

    def settings(self) -> dict[str, object]:
        """Return what governs the rules, as `rules.registry.fingerprint` takes it."""
        governing: dict[str, object] = {f"privacy_{kind}": policy for kind, policy in self.policies.items()}
        shared = {f"privacy_{kind}_allowed": sorted(self.allowed) for kind in self.policies}
        return governing | shared | {"privacy_phone_regions": list(self.phone_regions)}


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a value was found: kind, message and hash. It does not hold the value."""

    kind: Kind
    message: int
    digest: str


@dataclass(slots=True)
class _Scan:
    """What was found in the texts of one conversation, and what is to be replaced."""

    detector: Detector
    findings: dict[tuple[str, str], list[Finding]] = field(default_factory=dict)
    surfaces: dict[str, Finding] = field(default_factory=dict)

    def look(self, text: str, label: str) -> list[Finding]:
        """Find the values of a text; a label in front of it counts as its context."""
        place = (text, label)
        if place not in self.findings:
            lead = f"{label}: " if label else ""
            found = self.detector.find(lead + text) if lead else self.detector.find(text)
            own = [Finding(item.start - len(lead), item.end - len(lead), item.kind, item.value) for item in found]
            self.findings[place] = [item for item in own if item.start >= 0]
            for item in self.findings[place]:
                self.surfaces.setdefault(text[item.start : item.end], item)
        return self.findings[place]


class Privacy:
    """Apply a plan to conversations."""

    def __init__(self, plan: PrivacyPlan) -> None:
        self._plan = plan
        self._detector = Detector(plan.policies, plan.phone_regions, plan.allowed)
        self._active = any(policy != "ignore" for policy in plan.policies.values())

    def protect(self, repaired: Repaired) -> None:
        """Replace values in the messages and add the decisions; a kind that is rejected gives a reason."""
        if not self._active:
            return
        texts = [list(_texts(message)) for message in repaired.messages]
        if not may_hold_any("\n".join(part for parts in texts for part in parts)):
            return
        scan = _Scan(self._detector)
        receipts = [
            Receipt(item.kind, n, self._plan.hasher.digest(item.kind, item.value))
            for n, parts in enumerate(texts)
            for part in parts
            if may_hold_any(part)
            for item in self._found(part, scan)
        ]
        if not receipts:
            return
        repaired.decisions.extend(self._decisions(receipts, repaired.positions))
        swap = self._replacer(scan, [part for parts in texts for part in parts])
        repaired.messages = [_with_texts(message, swap) for message in repaired.messages]

    def payload(self, content: str | None, *, plain: frozenset[str] = frozenset()) -> str | None:
        """Give a quarantined conversation's turns with the values replaced; None where nothing is to be replaced.

        `plain` are the keys of the turns whose values are finelake's own: numbers of time and place, hashes.
        """
        if not content or not self._active:
            return None
        scan = _Scan(self._detector)
        if not self._found(content, scan, plain):
            return None
        changed = self._replacer(scan, [content], plain)(content)
        return None if changed == content else changed

    def _found(self, text: str, scan: _Scan, plain: frozenset[str] = frozenset()) -> list[Finding]:
        found: list[Finding] = []

        def look(leaf: str, label: str) -> str:
            found.extend(scan.look(leaf, label))
            return leaf

        replace_leaves(text, look, plain=plain)
        return found

    def _replacer(self, scan: _Scan, texts: Sequence[str], plain: frozenset[str] = frozenset()) -> _Replacer:
        replaced = {text: item for text, item in scan.surfaces.items() if self._plan.policies[item.kind] in _REPLACED}
        across_table = self._plan.pseudonyms == "table"
        return _Replacer(
            scan=scan,
            names=Pseudonyms(texts, hasher=self._plan.hasher, across_table=across_table),
            policies=self._plan.policies,
            surfaces=replaced,
            plain=plain,
        )

    def _decisions(self, receipts: Sequence[Receipt], positions: Sequence[Sequence[int]]) -> Iterable[Decision]:
        for kind, rule in RULES_BY_KIND.items():
            own = [receipt for receipt in receipts if receipt.kind == kind]
            if own:
                policy = self._plan.policies[kind]
                turns = sorted({turn for receipt in own for turn in positions[receipt.message]})
                value = ",".join(f"{receipt.message}:{receipt.digest}" for receipt in own)
                action: Literal["quarantine", "note"] = "quarantine" if policy == "reject" else "note"
                yield decision(rule, turns, value=value, threshold=policy, action=action)


class _Replacer:
    """Replace what was found in a text, and the same values where they were not recognised by themselves."""

    def __init__(
        self,
        *,
        scan: _Scan,
        names: Pseudonyms,
        policies: Mapping[Kind, Policy],
        surfaces: Mapping[str, Finding],
        plain: frozenset[str],
    ) -> None:
        self._scan, self._names, self._policies, self._surfaces = scan, names, policies, surfaces
        self._plain = plain
        known = sorted((text for text in surfaces if len(text) >= _SHORTEST_REPEATED), key=len, reverse=True)
        alternatives = "|".join(re.escape(text) for text in known)
        self._known = re.compile(rf"(?<![A-Za-z0-9])(?:{alternatives})(?![A-Za-z0-9])") if known else None

    def __call__(self, text: str) -> str:
        return replace_leaves(text, self._leaf, plain=self._plain)

    def _leaf(self, text: str, label: str) -> str:
        spans = [item for item in self._scan.look(text, label) if self._policies[item.kind] in _REPLACED]
        if self._known is not None:
            for match in self._known.finditer(text):
                known = self._surfaces[match.group()]
                spans.append(Finding(match.start(), match.end(), known.kind, known.value))
        if not spans:
            return text
        parts, end = [], 0
        for item in without_overlaps(spans):
            parts += [text[end : item.start], self._names.name(item)]
            end = item.end
        return "".join([*parts, text[end:]])


def _texts(message: Message) -> Iterable[str]:
    """Give the texts of a message that may hold values: its content, and the arguments of its calls."""
    if message.get("content"):
        yield message["content"]
    for call in message.get("tool_calls") or ():
        yield call["function"]["arguments"]


def _with_texts(message: Message, swap: _Replacer) -> Message:
    """Give the message with its texts replaced; the message itself stays as it is."""
    changed = dict(message)
    if message.get("content"):
        changed["content"] = swap(message["content"])
    if message.get("tool_calls"):
        changed["tool_calls"] = [
            {**call, "function": {**call["function"], "arguments": swap(call["function"]["arguments"])}}
            for call in message["tool_calls"]
        ]
    return changed
