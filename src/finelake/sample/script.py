"""Write one conversation between a customer and the service desk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from finelake.sample.case import Case, other_reference
from finelake.sample.grammar import render
from finelake.sample.people import Customer
from finelake.sample.phrasebook import FollowUp, Phrasebook
from finelake.sample.scenarios import BAD_NEWS, Scenario
from finelake.sample.tools import tool_call, tool_result

SMALL_TALK_SHARE = 0.3
MAX_TURNS = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Utterance:
    """What one party says, or the call or result of a tool."""

    author: str
    text: str
    tool_calls: tuple[dict[str, object], ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """How a conversation is to run; the number of follow-up questions is cut where twelve turns are reached."""

    system_prompt: bool
    named: bool
    ask_reference: bool
    use_tools: bool
    follow_ups: int
    thanks: bool


@dataclass(kw_only=True, slots=True)
class Script:
    """A conversation in the making."""

    scenario: Scenario
    case: Case
    customer: Customer
    shape: Shape
    rng: Random
    lines: list[Utterance] = field(default_factory=list)
    calls: int = 0
    greeted: bool = False
    chatted: bool = False

    @property
    def book(self) -> Phrasebook:
        """Return the phrases of the conversation's language."""
        return self.case.book

    def render(self, templates: Sequence[str], **extra: str) -> str:
        """Fill one of the templates with the values of the case."""
        return render(templates, self.case.slots | extra, self.rng)

    def join(self, *parts: str) -> str:
        """Join sentences as the language does."""
        return str(self.book.data["joiner"]).join(part for part in parts if part)

    def ask(self, text: str) -> None:
        """Let the customer say something."""
        self.lines.append(Utterance(author="customer", text=text))

    def answer(self, text: str) -> None:
        """Let the agent say something, after a greeting when it is the first time."""
        if not self.greeted:
            self.greeted = True
            text = self.join(self.render(self.book.phrases("named_hello" if self.shape.named else "hello")), text)
        self.lines.append(Utterance(author="agent", text=text))


def write_script(
    *, scenario: Scenario, case: Case, customer: Customer, shape: Shape, rng: Random
) -> tuple[Utterance, ...]:
    """Write the conversation from the first question to the closing formula."""
    case.put(full_name=customer.full_name, first=customer.first, family=customer.family)
    case.put(you=customer.address, to_you=f", {customer.address}" if shape.named else "")
    script = Script(scenario=scenario, case=case, customer=customer, shape=shape, rng=rng)
    if shape.system_prompt:
        script.lines.append(Utterance(author="system", text=script.book.text("system")))
    _open(script)
    if shape.use_tools:
        _use_tools(script)
    _answer_question(script)
    _follow_up(script)
    _close(script)
    return tuple(script.lines)


def _open(script: Script) -> None:
    text = script.book.scenario(script.scenario.key)
    ask = script.render(text.ask)
    kind = script.scenario.reference
    if kind and not script.shape.ask_reference and script.shape.use_tools:
        ask = script.join(ask, script.render(script.book.reference(kind, "give")))
    openers = "named_openers" if script.shape.named else "openers"
    script.ask(script.render(script.book.phrases(openers), ask=ask))
    if kind and script.shape.ask_reference:
        _ask_reference(script, kind)


def _ask_reference(script: Script, kind: str) -> None:
    def phrases(name: str) -> tuple[str, ...]:
        return script.book.reference(kind, name)

    script.answer(script.render(phrases("ask")))
    turn = script.rng.random()
    if turn < 0.2:
        script.ask(script.render(phrases("where")))
        script.answer(script.render(phrases("place")))
    if 0.2 <= turn < 0.35:
        script.ask(script.render(phrases("wrong"), wrong=other_reference(kind, script.case)))
    else:
        script.ask(script.render((*phrases("give"), str(script.case.raw[kind]))))


def _use_tools(script: Script) -> None:
    for step in script.scenario.steps:
        calls = []
        for name in step:
            script.calls += 1
            calls.append(tool_call(name, call_id=f"call_{script.calls}", case=script.case))
        wait = script.render(script.book.phrases("wait")) if script.rng.random() < 0.25 else ""
        script.lines.append(Utterance(author="agent", text=wait, tool_calls=tuple(calls)))
        for name, call in zip(step, calls, strict=True):
            result = tool_result(name, case=script.case)
            script.lines.append(Utterance(author="tool", text=result, tool_call_id=str(call["id"])))


def _answer_question(script: Script) -> None:
    answers = script.book.scenario(script.scenario.key).answer[script.case.name]
    answer = script.render(answers)
    if script.scenario.reference and script.shape.ask_reference:
        answer = script.join(script.render(script.book.phrases("thanks_for_reference")), answer)
    script.answer(answer)


def _follow_up(script: Script) -> None:
    turns = sum(line.author != "system" for line in script.lines)
    room = (MAX_TURNS - turns) // 2 - 1
    own = [more for more in script.book.scenario(script.scenario.key).more if more.fits(script.case.name)]
    pool = [*own, *script.rng.sample(list(script.book.common_more), 1)]
    for more in script.rng.sample(pool, max(0, min(script.shape.follow_ups, room, len(pool)))):
        _exchange(script, more)


def _exchange(script: Script, more: FollowUp) -> None:
    lead = script.rng.choice(script.book.phrases("lead"))
    ask = script.join(lead.strip(), script.render(more.ask))
    answer = script.render(more.answer)
    if not script.chatted and script.rng.random() < SMALL_TALK_SHARE:
        script.chatted = True
        remark, reply = script.rng.choice(script.book.data["common"]["smalltalk"])
        ask = script.join(ask, script.render([remark]))
        answer = script.join(script.render([reply]), answer)
    script.ask(ask)
    script.answer(answer)


def _close(script: Script) -> None:
    signoff = script.render(script.book.phrases("signoff"))
    if not script.shape.thanks:
        last = script.lines.pop()
        script.lines.append(Utterance(author="agent", text=script.join(last.text, signoff)))
        return
    bad_news = f"{script.scenario.key}.{script.case.name}" in BAD_NEWS
    script.ask(script.render(script.book.phrases("thanks_anyway" if bad_news else "thanks")))
    recaps = script.book.scenario(script.scenario.key).recap
    recap = render(recaps, script.case.slots, script.rng, capital=False)
    script.answer(script.join(script.render(script.book.phrases("recap"), recap=recap), signoff))
