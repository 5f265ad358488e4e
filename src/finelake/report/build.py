"""Building the report: the manifest of the last curation and few bounded counts of the tables that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from finelake.config.catalogue import catalogue_of
from finelake.config.models import ModelInfo
from finelake.config.settings import Settings
from finelake.conversations.assemble import CONVERSATION_ID_MISSING
from finelake.decide import KEPT, MERGED, OUTCOME_STEP, QUARANTINED
from finelake.errors import InputError
from finelake.ingest import ROW_NOT_JSON
from finelake.publish import MANIFEST, read_manifest
from finelake.report import counts, document, facts
from finelake.report.cost import training_cost
from finelake.report.sections import AuditCheck, SharedText, Written
from finelake.rules.catalogue import all_rules
from finelake.splits import SPLITS
from finelake.tables import names
from finelake.tables.names import TableRef
from finelake.tables.reading import read_table

_LOOSE = {ROW_NOT_JSON.code, CONVERSATION_ID_MISSING.code}
_PRIVACY = "privacy_"
_FATES: Mapping[str, document.Effect] = {"merged": "merge", "trimmed": "trim", "duplicate": "duplicate"}


def published_manifest(settings: Settings) -> dict[str, Any]:
    """Read the manifest of the last curation. Raises InputError when nothing was curated yet."""
    folder = settings.output.path
    manifest = read_manifest(folder)
    if manifest is None:
        raise InputError(
            f"{folder / MANIFEST} is not there, so nothing was curated into this folder yet. Run `finelake curate` "
            f"first, or name the folder in output.folder."
        )
    return manifest


def build_report(spark: SparkSession, settings: Settings, *, manifest: Mapping[str, Any]) -> document.Report:
    """Count the tables of a curation, at the versions that its manifest names. A few Spark jobs over narrow columns.

    Raises InputError when a table is gone, BalanceError when the tables do not add up.
    """
    catalogue = catalogue_of(settings)
    model = catalogue.find(manifest["model"])
    ledger, examples = (_table(spark, manifest, name) for name in (names.LEDGER, names.EXAMPLES))
    decisions = counts.decision_counts(ledger)
    ids = counts.example_ids(ledger, decisions)
    values = counts.value_counts(examples, _mixed_columns(settings))
    totals = counts.totals(examples)
    train, balance = manifest["files"]["train"], manifest["balance"]
    return document.Report(
        schema=document.SCHEMA,
        finelake=manifest["finelake"],
        project=settings.project,
        run_id=manifest["run_id"],
        model=document.Model(id=model.id, encoding=manifest["encoding"], context=model.training_context),
        source=document.Source(**manifest["source"]),
        rows=_rows(balance, decisions),
        conversations=_conversations(balance, decisions),
        turns=_turns(balance),
        rules=_rules(decisions, ids),
        splits=tuple(document.SplitFile(split=split, **manifest["files"][split]) for split in SPLITS),
        tokens=_histogram("tokens", "tokens", values, totals, limit=_limit(settings, model)),
        messages=_histogram("messages", "message_count", values, totals, limit=settings.conversations.max_turns),
        mixes=mixes_of(values),
        written=written_by(totals),
        system_prompts=facts.system_prompts_of(manifest),
        windows=facts.windows_of(manifest),
        topics=facts.topics_of(manifest),
        duplicates=facts.duplicates_of(manifest, verified=_verified(spark, manifest)),
        privacy=_privacy(decisions),
        audit=_audit(spark, manifest),
        contamination=_contamination(spark, manifest),
        cost=training_cost(
            examples=train["examples"],
            tokens=train["tokens"],
            model=model,
            catalogue=catalogue,
            training=settings.training,
        ),
        manifest=dict(manifest),
    )


def _table(spark: SparkSession, manifest: Mapping[str, Any], name: str) -> DataFrame:
    written = manifest["tables"][name]
    return read_table(spark, TableRef(written["table"]), version=written["version"])


def _limit(settings: Settings, model: ModelInfo) -> int | None:
    return settings.tokens.max_per_example or model.training_context


def _mixed_columns(settings: Settings) -> dict[str, Column]:
    mapped = {
        f"metadata.{name}": F.try_element_at("metadata", F.lit(name)) for name in settings.source.columns.metadata
    }
    origin = F.when(F.size("origins") > 0, F.array_join(F.array_sort("origins"), " + "))
    return {"language": F.col("language"), "origin": origin, **mapped}


def _outcomes(decisions: Sequence[Row], measure: str, *, loose: bool) -> dict[str, list[document.Fall]]:
    """List the outcomes by action, largest first; `loose` says whether rows without a conversation count."""
    found: dict[str, list[document.Fall]] = {KEPT: [], QUARANTINED: [], MERGED: []}
    for row in decisions:
        if row["step"] == OUTCOME_STEP and (loose or row["reason"] not in _LOOSE):
            fall = document.Fall(reason=row["reason"], effect=row["action"], count=int(row[measure]))
            found[row["action"]].append(fall)
    return {action: sorted(falls, key=lambda fall: (-fall.count, fall.reason)) for action, falls in found.items()}


def _rows(balance: Mapping[str, int], decisions: Sequence[Row]) -> document.Waterfall:
    outcomes = _outcomes(decisions, "rows", loose=True)
    return document.Waterfall(
        unit="raw rows",
        start=balance["rows_in"],
        falls=(*outcomes[QUARANTINED], *outcomes[MERGED]),
        end=sum(fall.count for fall in outcomes[KEPT]),
    )


def _conversations(balance: Mapping[str, int], decisions: Sequence[Row]) -> document.Waterfall:
    outcomes = _outcomes(decisions, "units", loose=False)
    return document.Waterfall(
        unit="conversations",
        start=balance["conversations"],
        falls=(*outcomes[QUARANTINED], *outcomes[MERGED]),
        end=sum(fall.count for fall in outcomes[KEPT]),
    )


def _turns(balance: Mapping[str, int]) -> document.Waterfall:
    falls = (
        document.Fall(reason=f"turns_{fate}", effect=effect, count=balance[f"turns_{fate}"])
        for fate, effect in _FATES.items()
    )
    return document.Waterfall(
        unit="turns of kept conversations",
        start=balance["rows_kept"],
        falls=tuple(falls),
        end=balance["turns_kept"],
    )


def _rules(
    decisions: Sequence[Row], ids: Mapping[tuple[str, str, str], tuple[str, ...]]
) -> tuple[document.RuleCount, ...]:
    """List what each rule decided; outcomes only where no earlier step says the same."""
    earlier = {(row["reason"], row["action"]) for row in decisions if row["step"] != OUTCOME_STEP}
    told = [row for row in decisions if row["step"] != OUTCOME_STEP or (row["reason"], row["action"]) not in earlier]
    return tuple(_rule(row, ids) for row in told)


def _rule(row: Row, ids: Mapping[tuple[str, str, str], tuple[str, ...]]) -> document.RuleCount:
    rule = all_rules().get(row["reason"])
    return document.RuleCount(
        reason=row["reason"],
        step=rule.step if rule and row["step"] == OUTCOME_STEP else row["step"],
        effect=row["action"],
        meaning=rule.summary if rule else "A check of your own schema failed.",
        units=row["units"],
        rows=row["rows"],
        ids=ids.get((row["step"], row["action"], row["reason"]), ()),
    )


def _histogram(
    column: str, measured: str, values: Sequence[Row], totals: Row, *, limit: int | None
) -> document.Histogram:
    counted = {int(row["value"]): int(row["examples"]) for row in values if row["column"] == column}
    between = range(min(counted), max(counted) + 1) if counted else ()
    bins = [document.Bin(*counts.bin_bounds(number), counted.get(number, 0)) for number in between]
    return document.Histogram(
        bins=tuple(each for each in bins if each.low <= each.high),
        median=int(totals[f"{measured}_median"] or 0),
        p95=int(totals[f"{measured}_p95"] or 0),
        largest=int(totals[f"{measured}_largest"] or 0),
        limit=limit,
    )


def mixes_of(values: Sequence[Row]) -> tuple[document.Mix, ...]:
    """Make the mixes of the rows of `counts.value_counts`, commonest values first."""
    columns = sorted({row["column"] for row in values} - {"tokens", "messages"}, key=_order)
    return tuple(_mix(column, [row for row in values if row["column"] == column]) for column in columns)


def _mix(column: str, rows: Sequence[Row]) -> document.Mix:
    ordered = sorted(rows, key=lambda row: (-row["examples"], row["value"] or ""))
    return document.Mix(
        column=column.removeprefix("metadata."),
        values=rows[0]["values"],
        shares=tuple(_share(row) for row in ordered if not row["other"]),
        others=next((_share(row) for row in ordered if row["other"]), None),
    )


def _order(column: str) -> tuple[int, str]:
    return {"language": 0, "origin": 1}.get(column, 2), column


def _share(row: Row) -> document.Share:
    return document.Share(
        value=row["value"], examples=row["examples"], tokens=row["tokens"], trained_tokens=row["trained_tokens"]
    )


def written_by(totals: Row) -> Written | None:
    """Say who wrote the replies, where any origin is known."""
    counted = {name: totals[name] for name in ("trained_tokens", "known_tokens", "human_tokens")}
    return Written(**counted) if all(value is not None for value in counted.values()) else None


def _verified(spark: SparkSession, manifest: Mapping[str, Any]) -> int:
    return _table(spark, manifest, names.PAIRS).count() if names.PAIRS in manifest["tables"] else 0


def _audit(spark: SparkSession, manifest: Mapping[str, Any]) -> tuple[AuditCheck, ...] | None:
    if names.AUDIT not in manifest["tables"]:
        return None
    return tuple(AuditCheck(**row.asDict()) for row in counts.audit_checks(_table(spark, manifest, names.AUDIT)))


def _contamination(spark: SparkSession, manifest: Mapping[str, Any]) -> tuple[SharedText, ...] | None:
    if names.CONTAMINATION not in manifest["tables"]:
        return None
    found = counts.shared_text(_table(spark, manifest, names.CONTAMINATION))
    return tuple(SharedText(**row.asDict()) for row in found)


def _privacy(decisions: Sequence[Row]) -> tuple[document.PrivacyCount, ...]:
    found = [row for row in decisions if row["reason"].startswith(_PRIVACY) and row["step"] != OUTCOME_STEP]
    return tuple(
        document.PrivacyCount(
            kind=row["reason"].removeprefix(_PRIVACY),
            policy=cast(str, row["threshold"]),
            values=row["values"],
            conversations=row["units"],
        )
        for row in found
    )
