"""Judge the replies of one conversation by all rules and by their origin; runs inside the Python pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from finelake.chat import ASSISTANT
from finelake.config.replies import ReplyRule
from finelake.conversations.turns import Repaired, decision
from finelake.replies.catalogue import ACTIONS, REPLIES_UNTRAINED, REPLY_ORIGIN, REPLY_RULES
from finelake.replies.conditions import Check, Condition, KnownBySignature, Signs
from finelake.replies.language import language
from finelake.replies.origin_rules import text_rules
from finelake.replies.origins import OriginPolicy
from finelake.replies.plan import ReplyPlan
from finelake.replies.talk import Found, Said, Talk
from finelake.replies.talk_rules import TALK_RULES
from finelake.replies.tool_rules import ArgumentChecks, Definitions, undefined_tools
from finelake.replies.turn_rules import TURN_RULES

_KEPT_DEFINITIONS = 64


def turn_conditions(plan: ReplyPlan) -> dict[str, Condition]:
    """Give the conditions of the rules about one reply's text that are not off."""
    conditions = {key: build(plan.rules) for key, build in TURN_RULES.items()}
    conditions["canned"] = KnownBySignature(plan.canned, plan.rules.canned.min_characters)
    return {key: item for key, item in conditions.items() if plan.rules.rule(key).action != "off"}


class Judge:
    """Apply a plan to conversations."""

    def __init__(self, plan: ReplyPlan) -> None:
        self._plan = plan
        conditions = turn_conditions(plan)
        if not plan.canned:
            conditions.pop("canned", None)
        self._checks: list[tuple[str, Check, Signs | None]] = [
            (key, condition.check(), condition.signs()) for key, condition in conditions.items()
        ]
        rules = {**TALK_RULES, "language": language}
        self._talk_rules = [(key, rule) for key, rule in rules.items() if plan.rules.rule(key).action != "off"]
        self._tools: dict[int, tuple[Definitions, ArgumentChecks]] = {}
        self._name_text = text_rules(plan.origins.rules) if plan.stored else None
        self.origins = OriginPolicy(plan.origins)

    def judge(self, repaired: Repaired, definitions: Definitions | None) -> None:
        """Add the decisions of all rules; replies that must not be trained on get weight 0.

        A conversation of which a rule rejects a reply, or that keeps no reply to train on, gets a reason.
        `definitions` are the tools that the user or the conversation gives, None where nobody does.
        """
        talk = Talk.of(repaired.messages)
        trained_before = _trains(repaired)
        found = self.find(talk, definitions)
        for key, rule in REPLY_RULES.items() if found else ():
            if key in found:
                config = self._plan.rules.rule(key)
                turns = sorted({turn for n in found[key].messages for turn in repaired.positions[n]})
                action = ACTIONS[config.action]
                threshold = _threshold(config)
                repaired.decisions.append(
                    decision(rule, turns, value=found[key].value, threshold=threshold, action=action)
                )
                if action == "untrain":
                    _untrain(repaired, range(len(repaired.messages)) if found[key].whole else found[key].messages)
        self._judge_origins(repaired)
        if trained_before and not _trains(repaired) and not repaired.reasons:
            repaired.decisions.append(decision(REPLIES_UNTRAINED, []))

    def find(self, talk: Talk, definitions: Definitions | None) -> dict[str, Found]:
        """Give what the rules find, by their names."""
        found = self._find_texts(talk.replies)
        for key, rule in self._talk_rules:
            result = rule(talk, self._plan.rules)
            if result is not None:
                found[key] = result
        if definitions is not None:
            found |= self._find_calls(talk, definitions)
        return found

    def _find_texts(self, replies: Sequence[Said]) -> dict[str, Found]:
        """Give what the rules about one reply's text find; most see by the replies' texts together that it is none."""
        raw = "\n".join([reply.raw for reply in replies])
        plain = "\n".join([reply.plain for reply in replies])
        found = {}
        for key, check, signs in self._checks:
            if signs and not any(map((plain if signs.plain else raw).__contains__, signs.pieces)):
                continue
            messages = [reply.message for reply in replies if check(reply.raw, reply.plain)]
            if messages:
                found[key] = Found(messages, len(messages))
        return found

    def _find_calls(self, talk: Talk, definitions: Definitions) -> dict[str, Found]:
        if not any(message.get("tool_calls") for message in talk.messages):
            return {}
        rules: dict[str, Callable[[], Found | None]] = {
            "tool_arguments": lambda: self._arguments(definitions).find(talk),
            "tool_undefined": lambda: undefined_tools(talk, definitions),
        }
        results = {key: rule() for key, rule in rules.items() if self._plan.rules.rule(key).action != "off"}
        return {key: result for key, result in results.items() if result is not None}

    def _arguments(self, definitions: Definitions) -> ArgumentChecks:
        known = self._tools.get(id(definitions))
        if known is None:
            if len(self._tools) >= _KEPT_DEFINITIONS:
                self._tools.clear()
            # The definitions are kept beside their checks, so that no other object can get their id.
            known = self._tools[id(definitions)] = (definitions, ArgumentChecks(definitions))
        return known[1]

    def _judge_origins(self, repaired: Repaired) -> None:
        if self._name_text is not None:
            self._name_by_text(repaired)
        if self.origins.trains_all:
            return
        by_action: dict[str, dict[int, str]] = {}
        for n, message in enumerate(repaired.messages):
            if message["role"] == ASSISTANT:
                names = [repaired.origins[position] for position in repaired.positions[n]]
                action, name = self.origins.action(names)
                by_action.setdefault(action, {})[n] = name
        refusing: tuple[Literal["weight_0", "reject"], ...] = ("weight_0", "reject")
        for policy in refusing:
            found = by_action.get(policy)
            if found:
                turns = sorted({turn for n in found for turn in repaired.positions[n]})
                value = ",".join(sorted(set(found.values())))
                repaired.decisions.append(
                    decision(REPLY_ORIGIN, turns, value=value, threshold=policy, action=ACTIONS[policy])
                )
                if policy == "weight_0":
                    _untrain(repaired, found)

    def _name_by_text(self, repaired: Repaired) -> None:
        name = self._name_text
        for n, message in enumerate(repaired.messages):
            text = message.get("content")
            if name is None or message["role"] != ASSISTANT or not text:
                continue
            for position in repaired.positions[n]:
                if not repaired.origins[position]:
                    repaired.origins[position] = name(text)


def _untrain(repaired: Repaired, messages: Sequence[int] | Mapping[int, Any]) -> None:
    for n in messages:
        if repaired.messages[n]["role"] == ASSISTANT:
            repaired.weights[n] = 0


def _trains(repaired: Repaired) -> bool:
    return any(
        message["role"] == ASSISTANT and weight != 0
        for message, weight in zip(repaired.messages, repaired.weights, strict=True)
    )


def _threshold(config: ReplyRule) -> str | None:
    """Name the bounds of a rule, as they stand in the settings."""
    numbers = {name: value for name, value in config.model_dump().items() if type(value) in (int, float)}
    bounds = [f"{name}={value}" for name, value in numbers.items()]
    return ",".join(bounds) or None
