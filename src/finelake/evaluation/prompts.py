"""Evaluation items: the prompts of the test split and the replies that people gave to them.

An item's prompt is everything before a trained assistant message of an example, with the system prompt and the
tools of training; its reference is that message. Each example gives the item of its last reply and, where it calls
tools, that of its last call: a curated example never ends with a call, so calls would otherwise not be measured.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from finelake.config.evaluation import Evaluation
from finelake.errors import InputError
from finelake.evaluation.item import TEST, Item
from finelake.evaluation.replies import reply_from_message
from finelake.tables.contracts import checked
from finelake.tables.names import EXAMPLES, TableRef
from finelake.tables.reading import read_table

logger = logging.getLogger(__name__)

_REQUEST_KEYS = ("tools", "parallel_tool_calls")


def items_from_line(line: str, *, conversation_id: str, group_key: str, window: int = 0) -> list[Item]:
    """Cut a JSONL line before its last trained tool call and before its last trained reply, in that order.

    One item where both are the same message or no tool is called; none without a trained message after a prompt.
    `weight` belongs to training files, not to chat requests, and is left out of the prompt.
    """
    example = json.loads(line)
    messages = example["messages"]
    trained = [at for at, message in enumerate(messages) if at > 0 and _is_trained(message)]
    calls = [at for at in trained if messages[at].get("tool_calls")]
    options = {key: example[key] for key in _REQUEST_KEYS if example.get(key) not in (None, [])}
    return [
        Item(
            conversation_id=conversation_id,
            window=window,
            message=at,
            group_key=group_key,
            request={"messages": [_sent(message) for message in messages[:at]]} | options,
            reference=reply_from_message(messages[at]),
        )
        for at in sorted({*calls[-1:], *trained[-1:]})
    ]


def read_items(spark: SparkSession, examples: TableRef, *, limit: int, version: int | None = None) -> list[Item]:
    """Give the items of the first `limit` test examples in the published order, at a version when given.

    Examples without a trained assistant message after a prompt are left out and counted in the log.
    Raises InputError when the table is missing, breaks its contract, or gives no item.
    """
    frame = checked(read_table(spark, examples, version=version), EXAMPLES)
    items = [item for row in _first_rows(frame, limit) for item in _items(row)]
    if not items:
        raise InputError(
            f"Table {examples} has no example in the {TEST} split to compare models on. "
            f"Raise splits.{TEST} or add conversations, then curate again."
        )
    return items


def payload(item: Item, *, model: str, evaluation: Evaluation) -> dict[str, Any]:
    """Build the chat request that asks `model` (a deployment or model name) an item."""
    options: dict[str, Any] = {
        "model": model,
        evaluation.length_parameter: evaluation.max_tokens,
        "seed": evaluation.seed,
    }
    if evaluation.temperature is not None:
        options["temperature"] = evaluation.temperature
    return options | dict(item.request)


def payload_key(request: Mapping[str, Any]) -> str:
    """Give the SHA-256 of a chat request, the model's name included, whatever the order of its keys."""
    text = json.dumps(request, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _is_trained(message: Mapping[str, Any]) -> bool:
    return message.get("role") == "assistant" and message.get("weight", 1) != 0


def _sent(message: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != "weight"}


def _first_rows(frame: DataFrame, limit: int) -> list[Row]:
    return (
        frame.where(F.col("split") == TEST)
        .orderBy("sort_key", "conversation_id", "window")
        .limit(limit)
        .select("conversation_id", "window", "group_key", "line")
        .collect()
    )


def _items(row: Row) -> list[Item]:
    group_key = row["group_key"] or row["conversation_id"]
    own = {"conversation_id": row["conversation_id"], "window": row["window"]}
    items = items_from_line(row["line"], group_key=group_key, **own)
    if not items:
        logger.warning("Conversation %s has no trained reply after a prompt: not evaluated.", row["conversation_id"])
    return items
