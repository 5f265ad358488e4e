"""How raw turns become conversations, and conversations become training examples."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from finelake.config.section import PositiveInt, Section


class Conversations(Section):
    """How raw turns become conversations; each field is the policy of one rule or its threshold.

    `max_turns` defaults to the most messages a chat request may hold on Azure (2,048).
    """

    gaps: Literal["quarantine", "keep"] = "quarantine"
    clock_skew: Literal["note", "quarantine"] = "note"
    clock_skew_tolerance_seconds: Annotated[float, Field(ge=0)] = 5.0
    assistant_leading: Literal["trim", "keep", "quarantine"] = "trim"
    special_tokens: Literal["quarantine", "keep"] = "quarantine"
    control_characters: Literal["quarantine", "keep"] = "quarantine"
    merge_separator: str = "\n"
    max_turns: PositiveInt = 2048


class SystemPrompt(Section):
    """What happens to system prompts: keep them, inject one where none is, or replace all."""

    policy: Literal["keep", "inject", "replace"] = "keep"
    text: str | None = None

    @model_validator(mode="after")
    def _text_is_given(self) -> SystemPrompt:
        if self.policy != "keep" and not self.text:
            raise ValueError(f"system_prompt.policy {self.policy!r} needs system_prompt.text")
        return self


class Tools(Section):
    """Tool definitions written into an example: none, those it calls, or all of them.

    Definitions come from `file` (a JSON list in OpenAI's form), else they are inferred from the calls
    in the table (name and argument names).
    """

    include: Literal["none", "called", "all"] = "called"
    file: str | None = None


class Examples(Section):
    """How conversations become training examples.

    `long` says what becomes of a conversation that is longer than an example may be: `window` cuts it into several
    examples, each beginning with as many earlier exchanges as fit into the share `overlap` of the limit (context with
    weight 0, so that no reply is trained twice), `keep_last` keeps the last exchanges that fit, `drop` sets it aside.
    """

    system_prompt: SystemPrompt = SystemPrompt()
    tools: Tools = Tools()
    train: Literal["all", "last"] = "all"
    long: Literal["window", "keep_last", "drop"] = "window"
    overlap: Annotated[float, Field(ge=0.0, le=0.9)] = 0.25


class Tokens(Section):
    """Token counting: `auto` takes the fast engine where its self-check passes."""

    engine: Literal["auto", "toktok", "tiktoken"] = "auto"
    max_per_example: PositiveInt | None = None


class Checks(Section):
    """Row checks: pandera schemas of the user's, each named as `module:attribute`."""

    row_schemas: tuple[Annotated[str, StringConstraints(pattern=r"^[\w.]+:[\w.]+$")], ...] = ()
