"""Turn a written script into the raw rows of one conversation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from finelake.sample.log import Entry, Row, iso
from finelake.sample.people import agent_id, pick_customer
from finelake.sample.phrasebook import Phrasebook
from finelake.sample.scenarios import SCENARIOS, Scenario
from finelake.sample.script import Shape, Utterance, write_script
from finelake.sample.situations import build_case

FIRST_DAY = datetime(2025, 3, 3, tzinfo=UTC)
DAYS = 55
TOOL_SHARE = 0.22
_PAUSE = {"system": (0, 0), "customer": (35, 260), "agent": (15, 120), "tool": (1, 3)}
_AGENT_ORIGINS = ("human", "human", "human", "human", "human", "human", "template", "model")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a conversation must be like so that a defect can be planted in it; None leaves it to chance.

    `parallel` False asks for tool calls one at a time.
    """

    tools: bool | None = None
    parallel: bool = True
    system_prompt: bool | None = None
    follow_ups: int | None = None
    thanks: bool | None = None
    ask_reference: bool | None = None


def write_conversation(conversation_id: str, *, book: Phrasebook, rng: Random, wish: Wish | None = None) -> list[Entry]:
    """Write a clean conversation that fulfils the wish."""
    wish = wish or Wish()
    started = _start(rng)
    shape = _shape(wish, rng)
    scenario = _scenario(shape, wish, rng)
    case = build_case(scenario, book=book, today=started.date(), rng=rng)
    customer = pick_customer(book, rng)
    script = write_script(scenario=scenario, case=case, customer=customer, shape=shape, rng=rng)
    frame: Row = {
        "conversation_id": conversation_id,
        "user_id": customer.user_id,
        "language": book.language,
        "topic": scenario.topic,
    }
    return _entries(script, frame=frame, agent=agent_id(book, case.slots["agent"]), started=started, rng=rng)


def _start(rng: Random) -> datetime:
    return FIRST_DAY + timedelta(days=rng.randrange(DAYS), seconds=rng.randrange(6 * 3600, 20 * 3600))


def _shape(wish: Wish, rng: Random) -> Shape:
    follow_ups = rng.choices((0, 1, 2, 3), weights=(27, 33, 25, 15))[0]
    chance = {"system": rng.random() < 0.85, "tools": rng.random() < TOOL_SHARE, "thanks": rng.random() < 0.45}
    named = rng.random() < 0.7
    asked = rng.random() < 0.45
    follow_ups = follow_ups if wish.follow_ups is None else wish.follow_ups
    return Shape(
        system_prompt=chance["system"] if wish.system_prompt is None else wish.system_prompt,
        named=named,
        ask_reference=asked if wish.ask_reference is None else wish.ask_reference,
        use_tools=chance["tools"] if wish.tools is None else wish.tools,
        follow_ups=follow_ups,
        thanks=(chance["thanks"] or follow_ups > 0) if wish.thanks is None else wish.thanks,
    )


def _scenario(shape: Shape, wish: Wish, rng: Random) -> Scenario:
    return rng.choice([scenario for scenario in SCENARIOS if _suits(scenario, shape, wish)])


def _suits(scenario: Scenario, shape: Shape, wish: Wish) -> bool:
    tools = not shape.use_tools or (bool(scenario.steps) and (wish.parallel or len(scenario.steps[0]) == 1))
    return tools and (not wish.ask_reference or bool(scenario.reference))


def _entries(script: tuple[Utterance, ...], *, frame: Row, agent: str, started: datetime, rng: Random) -> list[Entry]:
    entries = []
    now = started
    for index, line in enumerate(script):
        if index:
            now += timedelta(seconds=rng.randint(*_PAUSE[line.author]))
        row = frame | {"turn_index": index, "sent_at": iso(now), "author": line.author, "text": line.text}
        if line.tool_calls:
            row["tool_calls"] = list(line.tool_calls)
        if line.tool_call_id is not None:
            row["tool_call_id"] = line.tool_call_id
        if line.author == "agent":
            row |= {"agent_id": agent, "origin": "model" if line.tool_calls else rng.choice(_AGENT_ORIGINS)}
        elif line.author != "tool":
            row["origin"] = "human" if line.author == "customer" else "template"
        entries.append(Entry(arrived=now + timedelta(seconds=rng.randrange(240)), row=row))
    return entries
