"""The balance: every raw row ends in exactly one outcome, and the written tables agree on the counts."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finelake.decide import KEPT, MERGED, OUTCOME_STEP, QUARANTINED
from finelake.errors import BalanceError


@dataclass(frozen=True, slots=True)
class Balance:
    """Raw rows by outcome, conversations by outcome, and the fates of the raw turns inside kept conversations.

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
    turns_kept: int
    turns_merged: int
    turns_trimmed: int
    turns_duplicate: int

    def as_dict(self) -> dict[str, int]:
        """Give the counts as the manifest lists them."""
        return asdict(self)


def check_balance(rows_in: int, *, ledger: DataFrame, examples: DataFrame, quarantine: DataFrame) -> Balance:
    """Count the outcomes in the written tables; raises BalanceError when they do not add up to `rows_in`.

    Runs three aggregations over narrow columns.
    """
    outcomes = _outcomes(ledger)
    kept = examples.agg(
        F.count(F.lit(1)).alias("examples"),
        *(F.coalesce(F.sum(fate), F.lit(0)).alias(fate) for fate in ("kept", "merged", "trimmed", "duplicate")),
        F.coalesce(F.sum("turns_in"), F.lit(0)).alias("turns"),
    ).first()
    aside = quarantine.agg(
        F.count(F.lit(1)).alias("units"),
        F.coalesce(F.sum("rows_in"), F.lit(0)).alias("rows"),
        F.count_if(F.col("unit") == "row").alias("loose"),
    ).first()
    if kept is None or aside is None:
        raise BalanceError("The balance could not be counted: an aggregate gave no row. Run `finelake curate` again.")
    balance = Balance(
        rows_in=rows_in,
        rows_kept=outcomes[KEPT][1],
        rows_quarantined=outcomes[QUARANTINED][1],
        rows_merged=outcomes[MERGED][1],
        loose_rows=aside["loose"],
        conversations=sum(count for count, _ in outcomes.values()) - aside["loose"],
        conversations_kept=outcomes[KEPT][0],
        conversations_quarantined=outcomes[QUARANTINED][0] - aside["loose"],
        conversations_merged=outcomes[MERGED][0],
        turns_kept=kept["kept"],
        turns_merged=kept["merged"],
        turns_trimmed=kept["trimmed"],
        turns_duplicate=kept["duplicate"],
    )
    fates = kept["kept"] + kept["merged"] + kept["trimmed"] + kept["duplicate"]
    _require("raw rows", rows_in, balance.rows_kept + balance.rows_quarantined + balance.rows_merged)
    _require("kept conversations and examples", balance.conversations_kept, kept["examples"])
    _require("quarantined rows in ledger and quarantine", balance.rows_quarantined, aside["rows"])
    _require("quarantined units in ledger and quarantine", outcomes[QUARANTINED][0], aside["units"])
    _require("turns of kept conversations and their fates", kept["turns"], fates)
    return balance


def _outcomes(ledger: DataFrame) -> dict[str, tuple[int, int]]:
    counted = (
        ledger.where(F.col("step") == OUTCOME_STEP)
        .groupBy("action")
        .agg(F.count(F.lit(1)).alias("units"), F.sum("rows").alias("rows"))
        .collect()
    )
    found = {row["action"]: (row["units"], row["rows"]) for row in counted}
    return {action: found.get(action, (0, 0)) for action in (KEPT, QUARANTINED, MERGED)}


def _require(what: str, expected: int, found: int) -> None:
    if expected != found:
        raise BalanceError(
            f"The ledger does not balance: {what} should be {expected}, found {found}. Nothing was published. "
            f"This is a defect of finelake or the tables were changed during the run; run `finelake curate` again."
        )
