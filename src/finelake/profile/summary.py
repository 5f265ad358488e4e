"""From the profile table to bounded summaries: distributions, rates of the rules, and the rows beside a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

from finelake.config.replies import Replies
from finelake.profile.lines import LINES, LineOf, proposed

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


@dataclass(frozen=True, slots=True)
class Distribution:
    """A measure of a role: how many values, their quantiles by share, and those of the wanted tails."""

    role: str
    measure: str
    count: int
    quantiles: Mapping[str, float]
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Beside:
    """A row beside a line; `text` is an excerpt without personal data, "" for a whole conversation."""

    conversation_id: str
    turn: int | None
    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A setting's line: where it is, what share lies beyond, where it could be, and the rows next to that place."""

    setting: str
    role: str
    measure: str
    side: str
    current: float
    share_beyond: float
    proposed: float
    beyond: tuple[Beside, ...]
    within: tuple[Beside, ...]


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a rule finds something, over the turns of a role, with some of what it found."""

    rule: str
    role: str
    action: str
    found: int
    of: int
    rows: tuple[Beside, ...]


def distributions(rows: DataFrame, *, tail: float) -> list[Distribution]:
    """Measure the distribution of every role and measure; exact quantiles, in one job over the sample."""
    shares = [*QUANTILES, tail, 1 - tail]
    values = (
        long_form(rows)
        .groupBy("role", "measure")
        .agg(F.count(F.lit(1)).alias("count"), F.percentile("value", shares).alias("quantiles"))
    )
    found = values.orderBy("role", "measure").collect()
    return [
        Distribution(
            row["role"],
            row["measure"],
            int(row["count"]),
            {f"{share:g}": float(value) for share, value in zip(QUANTILES, row["quantiles"], strict=False)},
            float(row["quantiles"][-2]),
            float(row["quantiles"][-1]),
        )
        for row in found
    ]


def lines(rows: DataFrame, measured: Sequence[Distribution], *, replies: Replies, beside: int) -> list[Line]:
    """Describe each setting's line, with at most `beside` rows on either side of the proposed one; two jobs."""
    known = {(item.role, item.measure): item for item in measured}
    drawn = [(line, known[line.role, line.measure]) for line in LINES if (line.role, line.measure) in known]
    if not drawn:
        return []
    places = {line.setting: proposed(line.side, low=item.low, high=item.high) for line, item in drawn}
    values = long_form(rows)
    beyond = _shares_beyond(values, [line for line, _ in drawn], replies)
    rows_by = _beside(values, [line for line, _ in drawn], places, beside)
    return [
        Line(
            line.setting,
            line.role,
            line.measure,
            line.side,
            line.current(replies),
            beyond[line.setting],
            places[line.setting],
            tuple(rows_by.get((line.setting, True), ())),
            tuple(rows_by.get((line.setting, False), ())),
        )
        for line, _ in drawn
    ]


def rates(rows: DataFrame, *, replies: Replies, beside: int) -> list[Rate]:
    """Count what each rule finds, by role, with at most `beside` rows of it; two jobs."""
    totals = {row["role"]: int(row["count"]) for row in rows.groupBy("role").count().collect()}
    found = rows.select("role", "conversation_id", "turn", "text", F.explode("found").alias("rule"))
    counted = F.count(F.lit(1)).over(Window.partitionBy("role", "rule"))
    place = F.row_number().over(Window.partitionBy("role", "rule").orderBy("conversation_id", "turn"))
    shown = found.withColumns({"count": counted, "place": place}).where(F.col("place") <= beside)
    by_rule: dict[tuple[str, str], list[Row]] = {}
    for row in shown.orderBy("rule", "role", "place").collect():
        by_rule.setdefault((row["rule"], row["role"]), []).append(row)
    return [
        Rate(
            rule,
            role,
            replies.rule(rule).action,
            int(some[0]["count"]),
            totals[role],
            tuple(Beside(row["conversation_id"], row["turn"], 1.0, row["text"]) for row in some),
        )
        for (rule, role), some in by_rule.items()
    ]


def long_form(rows: DataFrame) -> DataFrame:
    """Give one row a value: role, measure, value, conversation_id, turn, text; `canned` counts equal replies."""
    kept = ("role", "conversation_id", "turn", "text")
    measured = rows.select(*kept, F.explode("values").alias("measure", "value"))
    signed = rows.where(F.col("signature").isNotNull())
    times = F.count(F.lit(1)).over(Window.partitionBy("signature")).cast("double")
    return measured.unionByName(signed.select(*kept, F.lit("canned").alias("measure"), times.alias("value")))


def _shares_beyond(values: DataFrame, drawn: Sequence[LineOf], replies: Replies) -> dict[str, float]:
    sums = [
        F.avg(F.when(_of(line), _is_beyond(line, line.current(replies)).cast("double"))).alias(f"s{n}")
        for n, line in enumerate(drawn)
    ]
    row = values.agg(*sums).collect()[0]
    return {line.setting: float(row[f"s{n}"]) for n, line in enumerate(drawn)}


def _beside(
    values: DataFrame, drawn: Sequence[LineOf], places: Mapping[str, float], beside: int
) -> dict[tuple[str, bool], list[Beside]]:
    parts = [
        values.where(_of(line)).select(
            "*",
            F.lit(line.setting).alias("setting"),
            _is_beyond(line, places[line.setting]).alias("is_beyond"),
            F.abs(F.col("value") - places[line.setting]).alias("distance"),
        )
        for line in drawn
    ]
    order = Window.partitionBy("setting", "is_beyond").orderBy("distance", "conversation_id", "turn")
    near = reduce(DataFrame.unionByName, parts).withColumn("place", F.row_number().over(order))
    found: dict[tuple[str, bool], list[Beside]] = {}
    for row in near.where(F.col("place") <= beside).orderBy("setting", "is_beyond", "place").collect():
        one = Beside(row["conversation_id"], row["turn"], float(row["value"]), row["text"])
        found.setdefault((row["setting"], row["is_beyond"]), []).append(one)
    return found


def _of(line: LineOf) -> Column:
    return (F.col("role") == line.role) & (F.col("measure") == line.measure)


def _is_beyond(line: LineOf, place: float) -> Column:
    return F.col("value") > place if line.side == "above" else F.col("value") < place
