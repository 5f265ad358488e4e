"""What the Python pass needs to know, as plain values that travel to the workers once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from finelake.annotate.row_checks import Limits
from finelake.config.models import ModelCatalogue, TokenOverhead
from finelake.config.settings import Settings
from finelake.conversations.examples import ExamplePolicy, Side, SystemPrompt, ToolSet
from finelake.conversations.turns import RepairPolicy, ToolFields
from finelake.conversations.windows import LongPolicy, Room
from finelake.errors import ConfigError
from finelake.privacy.plan import plan_privacy
from finelake.privacy.redact import PrivacyPlan
from finelake.replies.plan import ReplyPlan
from finelake.replies.tool_rules import check_definitions

Definitions = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassPlan:
    """Policies, counting formula and limits of one curation."""

    layout: Literal["turns", "conversations"]
    repair: RepairPolicy
    example: ExamplePolicy
    encoding: str
    overhead: TokenOverhead
    engine: Literal["auto", "toktok", "tiktoken"]
    limits: Limits
    long: LongPolicy
    room: Room
    side: Side
    row_schemas: tuple[str, ...]
    privacy: PrivacyPlan
    replies: ReplyPlan


def plan_pass(
    settings: Settings, catalogue: ModelCatalogue, tools: Definitions, *, canned: frozenset[str] = frozenset()
) -> PassPlan:
    """Turn settings, the model's data, tool definitions and the table's canned replies into the plan of the pass.

    Raises ConfigError when the model is unknown, cannot be counted, or has no known limit and none is set, and when
    the key of the pseudonyms cannot be read.
    """
    model = catalogue.find(settings.model)
    encoding, overhead = model.counting()
    limit = settings.tokens.max_per_example or model.training_context
    if limit is None:
        raise ConfigError(
            f"model {model.id}: no source says how many tokens an example may have. Set tokens.max_per_example."
        )
    conversations = settings.conversations
    prompt = settings.examples.system_prompt
    messages = catalogue.limits.max_messages_per_request
    return PassPlan(
        layout=settings.source.layout,
        repair=RepairPolicy(
            **conversations.model_dump(), tool_fields=ToolFields(**settings.source.tool_call_fields.model_dump())
        ),
        example=ExamplePolicy(
            system=SystemPrompt(policy=prompt.policy, text=prompt.text),
            tools=ToolSet(definitions=tools, mode=settings.examples.tools.include),
            train=settings.examples.train,
        ),
        encoding=encoding,
        overhead=overhead,
        engine=settings.tokens.engine,
        limits=Limits(tokens=limit, messages=messages),
        long=settings.examples.long,
        room=Room(tokens=limit, messages=messages, overlap=settings.examples.overlap),
        side=settings.duplicates.side,
        row_schemas=settings.checks.row_schemas,
        privacy=plan_privacy(settings.privacy, table=settings.source.table),
        replies=ReplyPlan(
            rules=settings.replies,
            origins=settings.origins,
            canned=canned,
            definitions_given=settings.examples.tools.file is not None and bool(tools),
            stored=settings.source.layout == "conversations",
        ),
    )


def read_tool_file(path: Path) -> dict[str, dict[str, Any]]:
    """Read tool definitions (a JSON list in OpenAI's form) by function name. Raises ConfigError when unreadable."""
    expected = 'a JSON list of {"type": "function", "function": {"name": ..., "parameters": ...}}'
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
        definitions = {item["function"]["name"]: item for item in loaded}
    except OSError as error:
        raise ConfigError(
            f"examples.tools.file: {path} cannot be read ({type(error).__name__}). Give {expected}."
        ) from None
    except (ValueError, TypeError, KeyError):
        raise ConfigError(f"examples.tools.file: {path} is not {expected}.") from None
    check_definitions(definitions)
    return definitions
