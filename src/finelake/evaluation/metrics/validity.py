"""Whether an answer is JSON that its schema allows (jsonschema, the draft that the schema names, else 2020-12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finelake.chat import decode_json
from finelake.errors import ConfigError
from finelake.evaluation.metrics.case import Case
from finelake.evaluation.metrics.metric import Metric


def schema_valid(case: Case) -> float | None:
    """Tell whether the answer's text is JSON that meets the item's schema: 1 or 0; None without a schema."""
    return None if case.schema is None else float(meets_schema(case.answer.text, case.schema))


def meets_schema(text: str, schema: Mapping[str, Any]) -> bool:
    """Tell whether a text is strict JSON that a schema allows; references to other documents are never fetched.

    A schema that is none itself allows nothing.
    """
    from jsonschema.exceptions import SchemaError
    from referencing.exceptions import Unresolvable

    try:
        value = decode_json(text)
        return bool(_validator(schema).is_valid(value))
    except (ValueError, SchemaError, Unresolvable, RecursionError):
        return False


def check_schema(schema: Mapping[str, Any], *, where: str) -> None:
    """Raise ConfigError when something is not a JSON schema; `where` names its place."""
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for

    try:
        validator_for(schema).check_schema(dict(schema))
    except SchemaError as error:
        place = "/".join(str(part) for part in error.absolute_path) or "its top"
        raise ConfigError(
            f"{where} is not a JSON schema: {place} breaks the rule {error.validator!r}. Expected a schema of a "
            f"published draft; correct it there."
        ) from None


METRICS = (Metric("schema_valid", "JSON schema met", 3, schema_valid, pass_fail=True),)


def _validator(schema: Mapping[str, Any]) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for
    from referencing import Registry

    kind = validator_for(schema, default=Draft202012Validator)
    kind.check_schema(dict(schema))
    return kind(dict(schema), registry=Registry())
