"""Suites: prompts that the user names beside the test split, read from a Delta table or a JSONL file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake.config.evaluation import Suite, SuiteFields
from finelake.config.settings import SystemPrompt
from finelake.errors import InputError
from finelake.evaluation.item import Item
from finelake.evaluation.metrics.validity import check_schema
from finelake.evaluation.replies import Reply, reply_from_message
from finelake.tables.names import source_ref
from finelake.tables.reading import read_table

_LINES_READ_FOR_PROMPT = 1000
_PROMPT_ROLES = ("system", "developer")


def read_suite(spark: SparkSession, suite: Suite, *, system_prompt: str | None) -> list[Item]:
    """Give a suite's items, at most `max_examples`: of a file the first, of a table the first by id.

    `system_prompt` stands before the prompts that bring none, unless the suite wants its own. Raises InputError when
    the source is missing or empty, a named field is nowhere, an id comes twice, or a row holds no prompt.
    """
    rows = list(_file_rows(suite) if suite.jsonl is not None else _table_rows(spark, suite))
    _check_fields(rows, suite)
    own = system_prompt if suite.system_prompt == "training" else None
    items = [_item(row, place, suite, own) for place, row in enumerate(rows)]
    twice = [name for name, count in Counter(item.conversation_id for item in items).items() if count > 1]
    if twice:
        raise InputError(
            f"Suite {suite.name}: {len(twice)} ids come more than once. Expected one row an id: correct the data or "
            f"map another field as id."
        )
    return items


def training_system_prompt(config: SystemPrompt, train_files: Sequence[Path]) -> str | None:
    """Give the system prompt that the model was trained with; None when it was mostly trained without.

    Where conversations keep their own it is the one that most of the first 1,000 lines of the training file have.
    """
    if config.policy != "keep":
        return config.text
    found: Counter[str | None] = Counter()
    for file in train_files[:1]:
        with file.open(encoding="utf-8-sig") as lines:
            for line in islice(lines, _LINES_READ_FOR_PROMPT):
                first = json.loads(line)["messages"][0]
                found[str(first.get("content")) if first["role"] in _PROMPT_ROLES else None] += 1
    return max(found, key=lambda prompt: (found[prompt], str(prompt)), default=None)


def _file_rows(suite: Suite) -> Iterator[Mapping[str, Any]]:
    path = Path(str(suite.jsonl)).expanduser()
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(islice((line for line in lines if line.strip()), suite.max_examples), 1):
                row = _json(line)
                if not isinstance(row, dict):
                    raise _wrong(suite, number, "is not a JSON object")
                yield row
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"Suite {suite.name}: {path} cannot be read ({type(error).__name__}). Expected a JSONL file in UTF-8 there."
        ) from None


def _table_rows(spark: SparkSession, suite: Suite) -> Iterator[Mapping[str, Any]]:
    frame = read_table(spark, source_ref(str(suite.table)), version=suite.version)
    fields = [name for name in dict.fromkeys(suite.mapping.model_dump().values()) if name in frame.columns]
    if not fields:
        raise InputError(f"Suite {suite.name}: {suite.table} has none of the mapped columns. Set the suite's mapping.")
    by_id = suite.mapping.id in fields
    order = F.col(suite.mapping.id) if by_id else F.sha2(F.to_json(F.struct(*fields)), 256)
    for row in frame.select(*fields).orderBy(order).limit(suite.max_examples).collect():
        yield _without_nulls(row.asDict(recursive=True))


def _check_fields(rows: Sequence[Mapping[str, Any]], suite: Suite) -> None:
    if not rows:
        raise InputError(f"Suite {suite.name} is empty: {suite.jsonl or suite.table}. Expected a prompt a row.")
    named = [getattr(suite.mapping, field) for field in suite.mapping.model_fields_set]
    missing = sorted(name for name in named if not any(name in row for row in rows))
    if missing:
        raise InputError(
            f"Suite {suite.name}: no row has {', '.join(missing)}, which its mapping names. Correct one of them."
        )


def _item(row: Mapping[str, Any], place: int, suite: Suite, system_prompt: str | None) -> Item:
    fields = suite.mapping
    messages, reference = _prompt(row, place, suite)
    if system_prompt is not None and not any(message["role"] in _PROMPT_ROLES for message in messages):
        messages = [{"role": "system", "content": system_prompt}, *messages]
    tools = _parsed(row.get(fields.tools))
    if tools is not None and not (isinstance(tools, list) and all(_is_tool(tool) for tool in tools)):
        raise _wrong(suite, place + 1, f"has {fields.tools} that are no list of tool definitions")
    own_id = str(row.get(fields.id, place))
    return Item(
        conversation_id=own_id,
        window=0,
        message=len(messages),
        group_key=str(row.get(fields.group, own_id)),
        request={"messages": messages} | ({"tools": tools} if tools else {}),
        reference=reference,
        suite=suite.name,
        schema=_schema(row, place, suite),
        expects_refusal=suite.kind == "refusals",
    )


def _prompt(row: Mapping[str, Any], place: int, suite: Suite) -> tuple[list[dict[str, Any]], Reply | None]:
    """Give the messages to send and the reference."""
    fields: SuiteFields = suite.mapping
    given, reference = _parsed(row.get(fields.messages)), row.get(fields.reference)
    messages = [{"role": "user", "content": row.get(fields.prompt)}] if given is None else given
    if not isinstance(messages, list) or not messages or not all(_is_message(message) for message in messages):
        raise _wrong(suite, place + 1, f"has no prompt in {fields.messages} or {fields.prompt}")
    sent = [{key: value for key, value in message.items() if key != "weight"} for message in messages]
    said = reply_from_message(sent.pop()) if sent[-1]["role"] == "assistant" else None
    if not any(message["role"] == "user" for message in sent):
        raise _wrong(suite, place + 1, "has no message of a user")
    if reference is None:
        return sent, said
    expected = _parsed(reference)
    if isinstance(expected, Mapping) and expected.get("role") == "assistant":
        return sent, reply_from_message(expected)
    return sent, Reply(text=reference if isinstance(reference, str) else json.dumps(reference, ensure_ascii=False))


def _schema(row: Mapping[str, Any], place: int, suite: Suite) -> Mapping[str, Any] | None:
    schema = _parsed(row.get(suite.mapping.json_schema))
    if schema is None:
        return None
    if not isinstance(schema, dict):
        raise _wrong(suite, place + 1, f"has a {suite.mapping.json_schema} that is no JSON object")
    check_schema(schema, where=f"Suite {suite.name}, row {place + 1}, {suite.mapping.json_schema}")
    return schema


def _is_message(message: object) -> bool:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        return False
    return isinstance(message.get("content"), str | list) or bool(message.get("tool_calls"))


def _is_tool(tool: object) -> bool:
    function = tool.get("function") if isinstance(tool, dict) else None
    return isinstance(function, dict) and isinstance(function.get("name"), str)


def _wrong(suite: Suite, number: int, problem: str) -> InputError:
    return InputError(f"Suite {suite.name}: row {number} of {suite.jsonl or suite.table} {problem}. Correct it there.")


def _parsed(value: Any) -> Any:
    """Read JSON text; other values, and text that is no JSON, are given back as they are."""
    return _json(value) if isinstance(value, str) else value


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(entry) for key, entry in value.items() if entry is not None}
    return [_without_nulls(entry) for entry in value] if isinstance(value, list) else value
