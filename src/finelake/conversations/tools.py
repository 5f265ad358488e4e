"""Tool definitions inferred from the calls in a table, for users who have no file of them."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finelake.config.settings import ToolCallFields
from finelake.errors import ConfigError

_CALLS = "array<map<string,string>>"


def called_tools(mapped: DataFrame, *, fields: ToolCallFields) -> DataFrame:
    """List (name string, argument string or null) pairs over all tool calls of mapped turns, each once."""
    call = F.col("call")
    function = F.try_element_at(call, F.lit("function"))
    name = F.coalesce(F.get_json_object(function, "$.name"), F.try_element_at(call, F.lit(fields.name)))
    arguments = F.coalesce(F.get_json_object(function, "$.arguments"), F.try_element_at(call, F.lit(fields.arguments)))
    calls = mapped.where(F.col("turn.c").isNotNull()).select(F.explode(F.from_json("turn.c", _CALLS)).alias("call"))
    return (
        calls.select(name.alias("name"), F.explode_outer(F.json_object_keys(arguments)).alias("argument"))
        .where(F.col("name").isNotNull())
        .distinct()
    )


def infer_tools(mapped: DataFrame, *, fields: ToolCallFields, max_tools: int) -> dict[str, dict[str, Any]]:
    """Collect a definition for each called function: its name and its arguments as strings, all sorted.

    Runs one job over the tool-call column. Raises ConfigError beyond `max_tools` functions (what a chat request may
    carry), where a file of definitions is needed.
    """
    names = (
        called_tools(mapped, fields=fields).groupBy("name").agg(F.sort_array(F.collect_set("argument")).alias("keys"))
    )
    rows = names.orderBy("name").limit(max_tools + 1).collect()
    if len(rows) > max_tools:
        raise ConfigError(
            f"examples.tools: the table calls more than {max_tools} functions, more than a request may define. "
            f"Name a file of the definitions to keep in examples.tools.file, or set examples.tools.include to none."
        )
    return {row["name"]: _definition(row["name"], row["keys"]) for row in rows}


def _definition(name: str, arguments: list[str]) -> dict[str, Any]:
    properties = {argument: {"type": "string"} for argument in arguments}
    return {
        "type": "function",
        "function": {"name": name, "parameters": {"type": "object", "properties": properties}},
    }
