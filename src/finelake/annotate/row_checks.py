"""Row checks by pandera: the built-in schema and the user's, run on each batch inside the Python pass.

The frame that a schema sees has one row an example, columns: messages int, tokens int, trained_tokens int,
tool_tokens int, and, for the user's schemas, also system_text, user_text, assistant_text (turns joined by newlines),
last_user and last_reply str.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaError, SchemaErrorReason, SchemaErrors

from finelake.errors import ConfigError
from finelake.rules.registry import Rule, register

EXAMPLE_TOO_LONG = register(
    Rule(
        code="example_too_long",
        step="checks",
        action="quarantine",
        summary="The example has more tokens than the model trains on in one example.",
        policy_key="max_per_example",
    )
)
TOO_MANY_MESSAGES = register(
    Rule(
        code="too_many_messages",
        step="checks",
        action="quarantine",
        summary="The example has more messages than a chat request may hold.",
    )
)
NOTHING_TRAINED = register(
    Rule(
        code="nothing_trained",
        step="checks",
        action="quarantine",
        summary="No token of the example would be trained: every assistant turn has weight 0 or is empty.",
    )
)

_STRUCTURAL = {
    SchemaErrorReason.COLUMN_NOT_IN_SCHEMA,
    SchemaErrorReason.COLUMN_NOT_IN_DATAFRAME,
    SchemaErrorReason.COLUMN_NOT_ORDERED,
    SchemaErrorReason.WRONG_DATATYPE,
}

NUMBER_COLUMNS = ("messages", "tokens", "trained_tokens", "tool_tokens")
TEXT_COLUMNS = ("system_text", "user_text", "assistant_text", "last_user", "last_reply")


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed row check: position in the batch, reason code, and the value where it is a number."""

    row: int
    reason: str
    value: str | None
    threshold: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the built-in schema compares with: tokens and messages an example may have."""

    tokens: int
    messages: int


def built_in_schema(limits: Limits) -> pa.DataFrameSchema:
    """Build the schema of what every model needs; a check's name is its reason code."""
    return pa.DataFrameSchema(
        {
            "tokens": pa.Column(checks=pa.Check.le(limits.tokens, name=EXAMPLE_TOO_LONG.code)),
            "messages": pa.Column(checks=pa.Check.le(limits.messages, name=TOO_MANY_MESSAGES.code)),
            "trained_tokens": pa.Column(checks=pa.Check.gt(0, name=NOTHING_TRAINED.code)),
        }
    )


def load_schemas(names: Sequence[str]) -> list[Any]:
    """Import the user's schemas (`module:attribute`, a DataFrameSchema or DataFrameModel).

    Raises ConfigError when a name cannot be imported, is no pandera schema, or asks for columns the frame lacks.
    """
    return [_load(name) for name in names]


def schema_hashes(names: Sequence[str]) -> list[str]:
    """Give the SHA-256 (hex) of the module files of the user's schemas, as an edited schema is another one.

    Raises what `load_schemas` raises.
    """
    load_schemas(names)
    files = [getattr(sys.modules[name.partition(":")[0]], "__file__", None) for name in names]
    return [hashlib.sha256(Path(file).read_bytes() if file else b"").hexdigest() for file in files]


def check_rows(frame: pd.DataFrame, limits: Limits, schemas: Sequence[Any]) -> list[Failure]:
    """Run the built-in and the user's schemas and list every failed row check, in row order."""
    failures = list(_failures(frame, built_in_schema(limits), prefix=""))
    for schema in schemas:
        failures += _failures(frame, schema, prefix="check_")
    return sorted(failures, key=lambda failure: (failure.row, failure.reason))


def _failures(frame: pd.DataFrame, schema: Any, *, prefix: str) -> Iterator[Failure]:
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        for error in errors.schema_errors:
            yield from _rows_of(error, frame, prefix)


def _rows_of(error: SchemaError, frame: pd.DataFrame, prefix: str) -> Iterator[Failure]:
    column = getattr(error.schema, "name", None)
    reason = _code(error, column, prefix)
    cases = error.failure_cases
    if not isinstance(cases, pd.DataFrame) or cases["index"].isna().all():
        yield from (Failure(int(row), reason, None, None) for row in frame.index)
        return
    for row in sorted(set(cases["index"].dropna().astype(int))):
        value = str(frame.at[row, column]) if column in NUMBER_COLUMNS else None
        threshold = getattr(error.check, "statistics", None) or {}
        yield Failure(row, reason, value, ",".join(str(item) for item in threshold.values()) or None)


def _code(error: SchemaError, column: object, prefix: str) -> str:
    name = getattr(error.check, "name", None) or str(getattr(error.reason_code, "name", "failed"))
    parts = [str(column), str(name)] if prefix and isinstance(column, str) and column not in str(name) else [str(name)]
    return prefix + re.sub(r"[^a-z0-9]+", "_", "_".join(parts).lower()).strip("_")


def _load(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        schema = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"checks.row_schemas: {name} cannot be imported ({type(error).__name__}). Give module:attribute of a "
            f"pandera schema in a package that is installed on the driver and the workers."
        ) from None
    if not isinstance(schema, pa.DataFrameSchema) and not (
        isinstance(schema, type) and issubclass(schema, pa.DataFrameModel)
    ):
        raise ConfigError(f"checks.row_schemas: {name} is no pandera.pandas DataFrameSchema or DataFrameModel.")
    columns = schema.columns if isinstance(schema, pa.DataFrameSchema) else schema.to_schema().columns
    known = (*NUMBER_COLUMNS, *TEXT_COLUMNS)
    unknown = [column for column, spec in columns.items() if spec.required and column not in known]
    if unknown:
        raise ConfigError(f"checks.row_schemas: {name} asks for columns {unknown}. Available: {', '.join(known)}.")
    _require_fit(name, schema)
    return schema


def _require_fit(name: str, schema: Any) -> None:
    """Refuse a schema that no frame of ours can fit: it would reject every example instead of some."""
    numbers = {column: pd.Series([], dtype="int64") for column in NUMBER_COLUMNS}
    empty = pd.DataFrame(numbers | {column: pd.Series([], dtype="object") for column in TEXT_COLUMNS})
    try:
        schema.validate(empty, lazy=True)
    except SchemaErrors as errors:
        reasons = {error.reason_code for error in errors.schema_errors} & _STRUCTURAL
        if reasons:
            listed = ", ".join(sorted(reason.name.lower() for reason in reasons))
            raise ConfigError(
                f"checks.row_schemas: {name} does not fit the frame it is given ({listed}). Columns are int64 "
                f"({', '.join(NUMBER_COLUMNS)}) and text ({', '.join(TEXT_COLUMNS)}); leave out strict and ordered."
            ) from None
