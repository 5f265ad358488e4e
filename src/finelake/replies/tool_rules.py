"""Rules about tool calls against the definitions that the user gives: is the tool there, do the arguments fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jsonschema.exceptions import SchemaError
from jsonschema.protocols import Validator
from jsonschema.validators import Draft202012Validator, validator_for
from jsonschema_specifications import REGISTRY
from referencing.exceptions import Unresolvable

from finelake.chat import decode_json
from finelake.errors import ConfigError
from finelake.replies.talk import Found, Talk

Definitions = Mapping[str, Mapping[str, Any]]


def undefined_tools(talk: Talk, definitions: Definitions) -> Found | None:
    """Messages that call a function without a definition."""
    found = [
        n
        for n, message in enumerate(talk.messages)
        for call in message.get("tool_calls") or ()
        if call["function"]["name"] not in definitions
    ]
    return Found(sorted(set(found)), len(found)) if found else None


class ArgumentChecks:
    """Validators of one set of definitions, each built where the first call needs it."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._validators: dict[str, Validator | None] = {}

    def find(self, talk: Talk) -> Found | None:
        """Messages with a call whose arguments break the schema; the value is the first broken keyword."""
        found: list[int] = []
        keyword = ""
        for n, message in enumerate(talk.messages):
            for call in message.get("tool_calls") or ():
                broken = self._broken(call["function"])
                if broken:
                    found.append(n)
                    keyword = keyword or broken
        return Found(sorted(set(found)), keyword) if found else None

    def _broken(self, function: Mapping[str, str]) -> str | None:
        validator = self._validator(function["name"])
        if validator is None:
            return None
        try:
            error = next(validator.iter_errors(decode_json(function["arguments"])), None)
        except (Unresolvable, re.error):
            return None
        return None if error is None else str(error.validator)

    def _validator(self, name: str) -> Validator | None:
        if name not in self._validators:
            self._validators[name] = _validator_of(parameters_of(self._definitions.get(name)))
        return self._validators[name]


def _validator_of(schema: dict[str, Any] | None) -> Validator | None:
    """Build a validator that fetches nothing; None where the schema is none or cannot be one."""
    if schema is None:
        return None
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError:
        return None
    return kind(schema, registry=REGISTRY)


def parameters_of(definition: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Give the JSON schema of a definition's arguments, in OpenAI's form or the inner object; None where none is."""
    if definition is None:
        return None
    function = definition.get("function", definition)
    parameters = function.get("parameters") if isinstance(function, Mapping) else None
    return parameters if isinstance(parameters, dict) and parameters else None


def check_definitions(definitions: Definitions) -> None:
    """Raise ConfigError when a definition's parameters are no JSON schema."""
    for name, definition in definitions.items():
        schema = parameters_of(definition)
        if schema is None:
            continue
        try:
            validator_for(schema, default=Draft202012Validator).check_schema(schema)
        except SchemaError as error:
            raise ConfigError(
                f"examples.tools: the parameters of {name!r} are no JSON schema ({error.validator} at "
                f"{'/'.join(map(str, error.absolute_path)) or 'the top'}). Mend the definition."
            ) from None
