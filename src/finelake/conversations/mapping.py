"""From the user's columns to turns: the one place where a raw row first gets a role.

`map_turns` gives columns conversation_id string, user_id string, agent_id string, origin string, language string,
metadata map<string,string>, problem string (a reason code that ingest found), payload string (the raw row as JSON),
turn struct<i bigint, t bigint (microseconds), k string (hash of the content), r string, x string, u boolean,
c string, d string, n string, o string, w int>. The short names are the fields of the JSON text that goes to the
Python pass.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from finelake.chat import ASSISTANT
from finelake.config.replies import Origins
from finelake.config.settings import Columns, Source
from finelake.conversations.text import TEXT_INVALID_UNICODE
from finelake.errors import InputError
from finelake.replies.origin_rules import OriginRow, origin_column
from finelake.tables.names import ROW_PROBLEM

ORIGINS = Origins()

_NUMBERS = (T.ByteType, T.ShortType, T.IntegerType, T.LongType, T.FloatType, T.DoubleType, T.DecimalType)
_NESTED = (T.ArrayType, T.StructType, T.MapType)

# Epoch numbers by magnitude: seconds stay below 1e11 until the year 5138, milliseconds below 1e14.
_SECONDS_BELOW = 1e11
_MILLISECONDS_BELOW = 1e14


def check_source(raw: DataFrame, source: Source) -> None:
    """Check that the mapped columns are there and can be read as what they are mapped to.

    Raises InputError that names every missing or unsuitable column, what was found and the closest name.
    """
    found = {field.name: field.dataType for field in raw.schema.fields}
    problems = []
    for setting, column in _mapped(source):
        if column not in found:
            close = difflib.get_close_matches(column, found, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            problems.append(f"source.columns.{setting}: no column {column}.{hint}")
        elif not _suits(setting, found[column]):
            problems.append(
                f"source.columns.{setting}: column {column} has type {found[column].simpleString()}, "
                f"expected {_expected(setting)}."
            )
    if problems:
        listed = "\n  ".join(problems)
        raise InputError(
            f"Table {source.table} does not fit the mapping.\n  {listed}\n"
            f"  Its columns: {', '.join(found)}. Mend source.columns in the configuration."
        )


def mapped_types(raw: DataFrame, source: Source) -> dict[str, str]:
    """Give the types of the mapped columns as Spark writes them, by column."""
    types = dict(raw.dtypes)
    return {column: types[column] for _, column in _mapped(source)}


def map_rows(raw: DataFrame, source: Source, origins: Origins = ORIGINS) -> DataFrame:
    """Map raw rows by the layout of the source: see `map_turns` and `map_conversations`."""
    return map_turns(raw, source, origins) if source.layout == "turns" else map_conversations(raw, source, origins)


def map_turns(raw: DataFrame, source: Source, origins: Origins = ORIGINS) -> DataFrame:
    """Map raw rows, one a turn, to the columns of the module's docstring; `origins` name who wrote a reply."""
    columns = source.columns
    author, text = _column(columns.author).cast("string"), _column(columns.text).cast("string")
    origin = origin_column(origins, _row_of(columns, role=_role(source), author=author, text=text))
    problem = _problem(raw)
    calls = _json_text(raw, columns.tool_calls)
    call_id, name = _raw_string(columns.tool_call_id), _raw_string(columns.name)
    turn = F.struct(
        _optional(columns.turn_index, lambda index: _column(index).try_cast("bigint"), "bigint").alias("i"),
        _micros(raw, columns).alias("t"),
        F.xxhash64(author, text, calls, call_id).cast("string").alias("k"),
        _role(source).alias("r"),
        F.make_valid_utf8(text).alias("x"),
        _invalid(problem, text, calls, call_id, name).alias("u"),
        F.make_valid_utf8(calls).alias("c"),
        F.make_valid_utf8(call_id).alias("d"),
        F.make_valid_utf8(name).alias("n"),
        origin.alias("o"),
        _optional(columns.weight, lambda weight: _column(weight).try_cast("int"), "int").alias("w"),
    )
    return raw.select(
        _known(columns.conversation_id).alias("conversation_id"),
        *_about(columns, origin),
        problem.alias("problem"),
        _payload(raw).alias("payload"),
        turn.alias("turn"),
    )


def map_conversations(raw: DataFrame, source: Source, origins: Origins = ORIGINS) -> DataFrame:
    """Map raw rows that each hold a whole conversation.

    Columns: those of `map_turns` without `turn`, with chat string (the messages as JSON text) and tools string.
    Without a mapped id the hash of the messages is the id.
    """
    columns = source.columns
    chat = _json_text(raw, columns.messages)
    readable = F.make_valid_utf8(chat)
    problem = _problem(raw)
    tools = _json_text(raw, columns.tools)
    given = _known(columns.conversation_id) if columns.conversation_id in raw.columns else F.sha2(readable, 256)
    return raw.select(
        given.alias("conversation_id"),
        *_about(columns, origin_column(origins, _row_of(columns, role=F.lit(ASSISTANT)))),
        problem.alias("problem"),
        _payload(raw).alias("payload"),
        readable.alias("chat"),
        _invalid(problem, chat, tools).alias("invalid_unicode"),
        F.make_valid_utf8(tools).alias("tools"),
    )


def metadata_map(columns: Columns) -> Column:
    """Collect the metadata columns into one map<string,string>, without the ones that are null."""
    if not columns.metadata:
        return F.create_map().cast("map<string,string>")
    pairs = [item for name in columns.metadata for item in (F.lit(name), _string(name))]
    return F.map_filter(F.create_map(*pairs), lambda _key, value: value.isNotNull())


def _row_of(columns: Columns, *, role: Column, author: Column | None = None, text: Column | None = None) -> OriginRow:
    """Gather what origin rules look at; a stored conversation's row has neither author nor text."""
    nothing = F.lit(None).cast("string")
    return OriginRow(
        given=_string(columns.origin),
        role=role,
        author=nothing if author is None else F.make_valid_utf8(author),
        agent_id=_known(columns.agent_id),
        text=nothing if text is None else F.make_valid_utf8(text),
        metadata=metadata_map(columns),
    )


def _about(columns: Columns, origin: Column) -> list[Column]:
    """Map what describes a conversation beside its turns."""
    return [
        _known(columns.user_id).alias("user_id"),
        _known(columns.agent_id).alias("agent_id"),
        origin.alias("origin"),
        _string(columns.language).alias("language"),
        metadata_map(columns).alias("metadata"),
    ]


def _problem(raw: DataFrame) -> Column:
    return F.col(ROW_PROBLEM) if ROW_PROBLEM in raw.columns else F.lit(None).cast("string")


def _invalid(problem: Column, *texts: Column) -> Column:
    invalid = F.coalesce(problem == TEXT_INVALID_UNICODE.code, F.lit(False))
    for text in texts:
        invalid = invalid | ~F.coalesce(F.is_valid_utf8(text), F.lit(True))
    return invalid


def _payload(raw: DataFrame) -> Column:
    """The raw row as JSON text, for rows that are set aside by themselves."""
    return F.make_valid_utf8(F.to_json(F.struct(*(_column(name) for name in raw.columns))))


def _mapped(source: Source) -> list[tuple[str, str]]:
    """List (setting, column) of what the layout needs and what the user mapped."""
    columns = source.columns
    needed = ["conversation_id", "author", "text"] if source.layout == "turns" else ["messages"]
    if source.layout == "conversations" and "conversation_id" in columns.model_fields_set:
        needed = ["conversation_id", *needed]
    optional = ["turn_index", "sent_at", "tool_calls", "tool_call_id", "name", "weight"]
    optional = (optional if source.layout == "turns" else ["tools"]) + ["user_id", "agent_id", "origin", "language"]
    pairs = [(setting, str(getattr(columns, setting))) for setting in needed]
    pairs += [(setting, name) for setting in optional if (name := getattr(columns, setting)) is not None]
    return pairs + [("metadata", name) for name in columns.metadata]


def _suits(setting: str, found: T.DataType) -> bool:
    if setting in ("tool_calls", "messages", "tools", "metadata"):
        return not isinstance(found, T.BinaryType)
    if setting in ("turn_index", "weight"):
        return isinstance(found, (*_NUMBERS, T.StringType))
    if setting == "sent_at":
        return isinstance(found, (*_NUMBERS, T.StringType, T.TimestampType, T.TimestampNTZType, T.DateType))
    return not isinstance(found, (*_NESTED, T.BinaryType))


def _expected(setting: str) -> str:
    return {
        "turn_index": "a whole number",
        "weight": "a whole number",
        "sent_at": "a timestamp, a date, a text that holds one, or epoch seconds",
    }.get(setting, "text")


def _optional(name: str | None, make: Callable[[str], Column], data_type: str) -> Column:
    return F.lit(None).cast(data_type) if name is None else make(name)


def _column(name: str) -> Column:
    """Refer to a column by its whole name: a dot in it is no path into a struct."""
    return F.col(f"`{name.replace('`', '``')}`")


def _raw_string(name: str | None) -> Column:
    return _optional(name, lambda column: _column(column).cast("string"), "string")


def _string(name: str | None) -> Column:
    return _optional(name, lambda column: F.make_valid_utf8(_column(column).cast("string")), "string")


def _known(name: str | None) -> Column:
    """Read an id; a blank one is none, else all that nobody knows would be one user's or one conversation."""
    identifier = _string(name)
    return F.when(F.trim(identifier) != "", identifier)


def _json_text(raw: DataFrame, name: str | None) -> Column:
    if name is None:
        return F.lit(None).cast("string")
    if isinstance(raw.schema[name].dataType, _NESTED):
        return F.to_json(_column(name))
    return _column(name).cast("string")


def _micros(raw: DataFrame, columns: Columns) -> Column:
    name = columns.sent_at
    if name is None:
        return F.lit(None).cast("bigint")
    if isinstance(raw.schema[name].dataType, _NUMBERS):
        number = _column(name).cast("double")
        scale = F.when(number < _SECONDS_BELOW, 1_000_000).when(number < _MILLISECONDS_BELOW, 1_000).otherwise(1)
        return (number * scale).try_cast("bigint")
    return F.unix_micros(_column(name).try_cast("timestamp"))


def _role(source: Source) -> Column:
    roles = {author.strip().lower(): role for author, role in source.roles.items()}
    pairs = [item for author, role in roles.items() for item in (F.lit(author), F.lit(role))]
    author = F.lower(F.trim(_column(source.columns.author).cast("string")))
    return F.try_element_at(F.create_map(*pairs), author)
