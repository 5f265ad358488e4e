"""How widely the published conversations are spread over topics: counts, shares, entropy, coverage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finelake.topics.model import NO_TOPIC, TopicModel


def topic_counts(examples: DataFrame, topics: DataFrame, *, model: TopicModel) -> DataFrame:
    """Count by split and topic: conversations, trained_tokens, and how many lie inside the topic (`inside`).

    Needs examples with columns conversation_id, split and trained_tokens (one row a window or more), and topics with
    conversation_id, topic and similarity; gives at most three times as many rows as there are topics and one.
    """
    floor = F.lit(None).cast("double")
    if model.count:
        floor = F.get(F.array(*[F.lit(each) for each in model.floors]), F.col("topic"))
    inside: Column = F.coalesce(F.col("similarity") >= floor, F.lit(False))
    tokens = F.sum(F.coalesce("trained_tokens", F.lit(0))).alias("trained_tokens")
    conversations = examples.groupBy("conversation_id", "split").agg(tokens)
    placed = conversations.join(topics, on="conversation_id", how="inner")
    return placed.groupBy("split", "topic").agg(
        F.count(F.lit(1)).alias("conversations"),
        F.sum("trained_tokens").alias("trained_tokens"),
        F.count_if(inside).alias("inside"),
    )


def summarise(counts: Sequence[Mapping[str, Any]], *, model: TopicModel) -> dict[str, Any]:
    """Make the manifest's entry `topics` of the collected rows of `topic_counts`.

    `entropy` is Shannon's over the topics' shares of conversations (of trained tokens: `entropy_tokens`), divided by
    the logarithm of the number of topics, so 1.0 is an even spread; `effective_topics` is its exponential before that
    division. `coverage` is the share of conversations inside their topic: as similar to its centre as 95 % of the
    conversations it was fitted on, so new kinds of conversations lower it. Without a topic are those with no known
    term; they count in `coverage` and not in the entropies.
    """
    every = {topic: {"conversations": 0, "trained_tokens": 0, "inside": 0} for topic in range(NO_TOPIC, model.count)}
    splits: dict[int, dict[str, int]] = {topic: {} for topic in every}
    for row in counts:
        entry = every[row["topic"]]
        for name in entry:
            entry[name] += int(row[name])
        splits[row["topic"]][row["split"]] = int(row["conversations"])
    total = sum(entry["conversations"] for entry in every.values())
    shown = [_topic(topic, every[topic], splits[topic], total, model) for topic in range(model.count)]
    by_conversations = _entropy([entry["conversations"] for entry in shown])
    by_tokens = _entropy([entry["trained_tokens"] for entry in shown])
    most = math.log(model.count) if model.count > 1 else 1.0
    return {
        "model": model.config_hash,
        "topics_fitted": model.count,
        "topics_present": sum(entry["conversations"] > 0 for entry in shown),
        "conversations": total,
        "without_topic": every[NO_TOPIC]["conversations"],
        "entropy": round(by_conversations / most, 6),
        "entropy_tokens": round(by_tokens / most, 6),
        "effective_topics": round(math.exp(by_conversations), 3) if total else 0.0,
        "coverage": _share(sum(entry["inside"] for entry in shown), total),
        "topics": shown,
    }


def _topic(
    topic: int, counts: Mapping[str, int], splits: Mapping[str, int], total: int, model: TopicModel
) -> dict[str, Any]:
    return {
        "topic": topic,
        "label": model.labels[topic],
        **counts,
        "share": _share(counts["conversations"], total),
        "coverage": _share(counts["inside"], counts["conversations"]),
        "splits": dict(sorted(splits.items())),
    }


def _entropy(counts: Sequence[int]) -> float:
    total = sum(counts)
    return -sum(count / total * math.log(count / total) for count in counts if count) if total else 0.0


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
