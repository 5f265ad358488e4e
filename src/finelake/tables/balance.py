"""The balance: every raw row ends in exactly one outcome, and the written tables agree on the counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from finelake.decide import KEPT, MERGED, OUTCOME_STEP, QUARANTINED
from finelake.errors import BalanceError
from finelake.tables.together import at_once

_FATES = ("kept", "merged", "trimmed", "duplicate")


@dataclass(frozen=True, slots=True)
class Balance:
    """Raw rows by outcome, conversations by outcome, examples, and the fates of the turns of kept conversations.

    `loose_rows` belong to no conversation and are part of `rows_quarantined`.
    """

    rows_in: int
    rows_kept: int
    rows_quarantined: int
    rows_merged: int
    loose_rows: int
    conversations: int
    conversations_kept: int
    conversations_quarantined: int
    conversations_merged: int
    examples: int
    turns_kept: int
    turns_merged: int
    turns_trimmed: int
    turns_duplicate: int

    def as_dict(self) -> dict[str, int]:
        """Give the counts as the manifest lists them."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Totals:
    """Bounded counts of the written tables: by step, action and reason; by split; by unit."""

    decisions: Sequence[Row]
    splits: Mapping[str, Row]
    units: Mapping[str, Row]

    def rules(self) -> dict[str, dict[str, int | str]]:
        """Count the conversations (or loose rows) that each reason code was given to, with the action taken.

        A rule may take several actions, each on other conversations. An outcome repeats the reason that decided it.
        """
        counts: dict[str, dict[str, int | str]] = {}
        ends: dict[str, int] = {}
        for row in self.decisions:
            entry = counts.setdefault(row["reason"], {"action": row["action"], "count": 0})
            if row["step"] == OUTCOME_STEP:
                ends[row["reason"]] = ends.get(row["reason"], 0) + row["units"]
            else:
                entry["count"] = int(entry["count"]) + row["units"]
        for code, units in ends.items():
            counts[code]["count"] = max(int(counts[code]["count"]), units)
        return dict(sorted(counts.items()))

    def examples(self, split: str) -> int:
        """Count the examples of a split."""
        return int(self.splits[split]["examples"]) if split in self.splits else 0


def count_totals(*, ledger: DataFrame, examples: DataFrame, quarantine: DataFrame) -> Totals:
    """Count the written tables, side by side: one job each, over narrow columns."""
    decisions = ledger.groupBy("step", "action", "reason").agg(
        F.count(F.lit(1)).alias("units"), F.sum("rows").alias("rows")
    )
    once = F.col("window") == 0
    splits = examples.groupBy("split").agg(
        F.count(F.lit(1)).alias("examples"),
        F.count_if(once).alias("conversations"),
        F.sum(F.when(once, F.col("windows"))).alias("windows"),
        *(F.sum(F.when(once, F.col(name))).alias(name) for name in ("turns_in", *_FATES)),
    )
    units = quarantine.groupBy("unit").agg(F.count(F.lit(1)).alias("units"), F.sum("rows_in").alias("rows"))
    counts = (decisions.orderBy("step", "action", "reason"), splits, units)
    in_order, by_split, by_unit = at_once([partial(_rows, frame) for frame in counts])
    return Totals(
        decisions=in_order,
        splits={row["split"]: row for row in by_split},
        units={row["unit"]: row for row in by_unit},
    )


def _rows(counts: DataFrame) -> list[Row]:
    return counts.collect()


def check_balance(rows_in: int, totals: Totals) -> Balance:
    """Hold the totals of the tables against each other; raises BalanceError when they do not add up to `rows_in`."""
    units = {action: _outcomes(totals, action, "units") for action in (KEPT, QUARANTINED, MERGED)}
    rows = {action: _outcomes(totals, action, "rows") for action in (KEPT, QUARANTINED, MERGED)}
    loose = int(totals.units["row"]["units"]) if "row" in totals.units else 0
    fates = {name: sum(int(row[name] or 0) for row in totals.splits.values()) for name in _FATES}
    examples = sum(totals.examples(split) for split in totals.splits)
    balance = Balance(
        rows_in=rows_in,
        rows_kept=rows[KEPT],
        rows_quarantined=rows[QUARANTINED],
        rows_merged=rows[MERGED],
        loose_rows=loose,
        conversations=sum(units.values()) - loose,
        conversations_kept=units[KEPT],
        conversations_quarantined=units[QUARANTINED] - loose,
        conversations_merged=units[MERGED],
        examples=examples,
        **{f"turns_{name}": count for name, count in fates.items()},
    )
    kept, windows, turns = (
        sum(int(row[name] or 0) for row in totals.splits.values()) for name in ("conversations", "windows", "turns_in")
    )
    aside = totals.units.values()
    _require("raw rows", rows_in, sum(rows.values()))
    _require("kept conversations and first windows", units[KEPT], kept)
    _require("windows of kept conversations and examples", windows, examples)
    _require("quarantined rows in ledger and quarantine", rows[QUARANTINED], sum(int(row["rows"]) for row in aside))
    _require("quarantined units in ledger and quarantine", units[QUARANTINED], sum(int(row["units"]) for row in aside))
    _require("turns of kept conversations and their fates", turns, sum(fates.values()))
    return balance


def _outcomes(totals: Totals, action: str, measure: str) -> int:
    chosen = (row for row in totals.decisions if row["step"] == OUTCOME_STEP and row["action"] == action)
    return sum(int(row[measure]) for row in chosen)


def _require(what: str, expected: int, found: int) -> None:
    if expected != found:
        raise BalanceError(
            f"The ledger does not balance: {what} should be {expected}, found {found}. Nothing was published. "
            f"This is a defect of finelake or the tables were changed during the run; run `finelake curate` again."
        )
