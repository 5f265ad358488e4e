"""Choose what the train split is mixed of: caps in their order, then the budget by weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from finelake.config.settings import Cap, Mixing
from finelake.errors import InputError
from finelake.mixing.places import MOST_STRATA, last_places, place_of
from finelake.mixing.quotas import share_quotas, weighted_quotas
from finelake.rules.registry import Rule, register
from finelake.tables.local import local_frame

OVER_CAP = register(
    Rule(
        code="over_cap",
        step="mixing",
        action="quarantine",
        summary="The train split already holds as many trained tokens of this value as its cap allows.",
        policy_key="mixing",
    )
)
OVER_BUDGET = register(
    Rule(
        code="over_budget",
        step="mixing",
        action="quarantine",
        summary="The token budget of the train split (this value's part of it) is used up.",
        policy_key="mixing",
    )
)

NONE = "(none)"
"""How a value that is null or empty is named."""

_WHOLE = "train"
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Mixed:
    """`removals`: conversation_id, step, action, reason, kept_id, value, threshold; `summary` for the manifest."""

    removals: DataFrame
    summary: dict[str, Any]


@dataclass(slots=True)
class _Mix:
    """Rows still in the mix, what was cut, and what each limit did."""

    rows: DataFrame
    cuts: list[DataFrame] = field(default_factory=list)
    limits: list[dict[str, Any]] = field(default_factory=list)

    def strata(self, stratum: Column) -> DataFrame:
        return self.rows.select(stratum.alias("stratum"), "place", "tokens")

    def totals(self, stratum: Column) -> dict[str, int]:
        found = (
            self.strata(stratum)
            .groupBy("stratum")
            .agg(F.sum("tokens").alias("tokens"))
            .limit(MOST_STRATA + 1)
            .collect()
        )
        if len(found) > MOST_STRATA:
            raise InputError(
                f"mixing: a column with more than {MOST_STRATA} values has no shares or weights. Cap it by tokens."
            )
        return {row["stratum"]: int(row["tokens"]) for row in found}

    def cut(self, column: str | None, stratum: Column, quotas: Mapping[str, int] | int, rule: Rule) -> None:
        """Take out what lies behind the last place of its stratum."""
        last = last_places(self.strata(stratum), quotas=quotas) if quotas != {} else {}
        self.limits.append(_limit(column, quotas, last, rule))
        if not last:
            return
        quota = {value: quotas if isinstance(quotas, int) else quotas[value] for value in last}
        items = [(value, place, str(quota[value])) for value, place in sorted(last.items())]
        found = local_frame(self.rows.sparkSession, items, schema="stratum string, last bigint, threshold string")
        marked = self.rows.withColumn("stratum", stratum).join(F.broadcast(found), on="stratum", how="left")
        behind = F.coalesce(F.col("place") > F.col("last"), F.lit(False))
        named = F.col("stratum") if column is None else F.concat(F.lit(f"{column}="), "stratum")
        self.cuts.append(
            marked.where(behind).select(
                "conversation_id",
                F.lit(rule.step).alias("step"),
                F.lit(rule.action).alias("action"),
                F.lit(rule.code).alias("reason"),
                F.lit(None).cast("string").alias("kept_id"),
                named.alias("value"),
                "threshold",
            )
        )
        self.rows = marked.where(~behind).drop("stratum", "last", "threshold")


def mix(conversations: DataFrame, *, config: Mixing) -> Mixed | None:
    """Choose the removals that bring the train split to its caps and budget; None where none are set.

    Needs one row a conversation that would be published, with columns conversation_id, group_key, split,
    trained_tokens and every column that a cap or the weights name. Other splits are left alone. Runs at most two
    small jobs a limit over narrow columns; what comes to the driver is one number a value.
    """
    if not config.caps and config.budget_tokens is None:
        return None
    named = dict.fromkeys([cap.column for cap in config.caps] + ([config.weights.column] if config.weights else []))
    strata = {column: f"by {place}" for place, column in enumerate(named)}
    state = _Mix(
        conversations.where(F.col("split") == "train").select(
            "conversation_id",
            place_of(config.salt).alias("place"),
            F.coalesce("trained_tokens", F.lit(0)).cast("bigint").alias("tokens"),
            *[stratum_of(conversations, column).alias(name) for column, name in strata.items()],
        )
    )
    for cap in config.caps:
        stratum = F.col(strata[cap.column])
        state.cut(cap.column, stratum, _cap_quotas(cap, state, stratum, config.budget_tokens), OVER_CAP)
    if config.budget_tokens is not None:
        if config.weights is None:
            state.cut(None, F.lit(_WHOLE), config.budget_tokens, OVER_BUDGET)
        else:
            stratum = F.col(strata[config.weights.column])
            quotas = weighted_quotas(
                state.totals(stratum),
                weights=config.weights.values,
                other=config.weights.other,
                budget=config.budget_tokens,
            )
            state.cut(config.weights.column, stratum, quotas, OVER_BUDGET)
    removals = state.cuts[0] if state.cuts else _no_removals(conversations)
    for more in state.cuts[1:]:
        removals = removals.unionByName(more)
    return Mixed(removals, {"budget_tokens": config.budget_tokens, "limits": state.limits})


def stratum_of(conversations: DataFrame, column: str) -> Column:
    """Give a column's value as text: `origin` joins the origins, `metadata.KEY` looks into metadata.

    Raises InputError where there is no such column.
    """
    name, _, key = column.partition(".")
    name = "origins" if name == "origin" and "origins" in conversations.columns else name
    if name not in conversations.columns:
        raise InputError(
            f"mixing names the column {column!r}, which conversations do not have. Expected topic, language, origin, "
            f"metadata.KEY or one of: {', '.join(sorted(conversations.columns))}."
        )
    value, kind = F.col(name), conversations.schema[name].dataType
    if isinstance(kind, T.MapType):
        value = F.try_element_at(value, F.lit(key))
    elif isinstance(kind, T.ArrayType):
        value = F.array_join(F.array_sort(F.array_distinct(value.cast("array<string>"))), "+")
    text = value.cast("string")
    return F.when(text.isNull() | (text == ""), F.lit(NONE)).otherwise(text)


def _cap_quotas(cap: Cap, state: _Mix, stratum: Column, budget: int | None) -> Mapping[str, int] | int:
    if cap.share is not None:
        return share_quotas(state.totals(stratum), share=cap.share, values=cap.values, budget=budget)
    tokens = cap.tokens or 0
    return tokens if cap.values is None else dict.fromkeys(cap.values, tokens)


def _limit(column: str | None, quotas: Mapping[str, int] | int, last: Mapping[str, int], rule: Rule) -> dict[str, Any]:
    """Describe a limit for the manifest: its values that were cut (the first ones by name), with their quotas."""
    shown = sorted(last)[:_SHOWN]
    return {
        "reason": rule.code,
        "column": column,
        "values_cut": len(last),
        "quotas": {value: quotas if isinstance(quotas, int) else quotas[value] for value in shown},
    }


def _no_removals(conversations: DataFrame) -> DataFrame:
    schema = "conversation_id string, step string, action string, reason string, kept_id string, value string"
    return local_frame(conversations.sparkSession, [], schema=f"{schema}, threshold string")
