"""Curation: raw rows in, published training files out. `curate` is the pipeline, to be read from top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake import __version__
from finelake.annotate.long_summary import summarise_long
from finelake.annotate.plan import PassPlan, plan_pass, read_tool_file
from finelake.annotate.prompt_summary import summarise_prompts
from finelake.annotate.row_checks import load_schemas
from finelake.audit import Evidence, Finding, audit_frame, audit_splits, require_proof
from finelake.config.catalogue import catalogue_of
from finelake.config.settings import Settings
from finelake.contamination.find import find_contamination
from finelake.contamination.sources import check_evaluation, identity_of
from finelake.contamination.spans import contaminated
from finelake.conversations.assemble import loose_rows
from finelake.conversations.erased import blank_erased
from finelake.conversations.mapping import check_source, map_rows
from finelake.conversations.tools import infer_tools
from finelake.curation.erased import forget, require_none_since
from finelake.curation.identity import fingerprints_of, run_id_of, short_hash
from finelake.curation.increment import Rows, annotated_conversations
from finelake.curation.run import CurationObserver, CurationRun
from finelake.decide import candidates_of, decided, examples_of, ledger_of, quarantine_of, removed_ids, without
from finelake.diversity import (
    check_vectors,
    find_mix,
    find_semantic,
    find_topics,
    find_vectors,
    vectors_version,
    with_topics,
)
from finelake.erasure.requests import read_erasures
from finelake.errors import InputError
from finelake.lineage.record import curation_origin, record_curation
from finelake.publish import PublishedFile, describe, is_whole, publish, read_manifest, write_manifest
from finelake.relate.documents import documents, trained_tokens
from finelake.relate.exact import exact_duplicates, followed
from finelake.relate.near import Near, near_duplicates, near_groups, near_removals
from finelake.relate.semantic import semantic_removals
from finelake.relate.signatures import signed
from finelake.replies.canned import canned_replies
from finelake.replies.origin_rules import check_origin_rules
from finelake.splits import Known, assign_splits
from finelake.splitting.groups import single_group
from finelake.splitting.pins import Pins, pin, read_pins
from finelake.tables import names
from finelake.tables.balance import Balance, check_balance, count_totals
from finelake.tables.changes import identify, same_rows_since
from finelake.tables.names import TableRef, source_ref, table_ref
from finelake.tables.reading import latest_version, read_table, table_exists
from finelake.tables.together import at_once
from finelake.tokens.engine import select_engine


@dataclass(frozen=True, slots=True)
class Curation:
    """What a curation gave: counts, files, tables with their versions, seconds a step."""

    run_id: str
    folder: Path
    balance: Balance
    files: dict[str, PublishedFile]
    rules: dict[str, dict[str, Any]]
    tables: dict[str, dict[str, Any]]
    seconds: dict[str, float] = field(default_factory=dict)
    up_to_date: bool = False


def curate(spark: SparkSession, settings: Settings, *, observer: CurationObserver | None = None) -> Curation:
    """Curate the source table at one version and publish the splits.

    The same input, settings and package version give the same run id and the same bytes; a run whose published
    folder is already whole is not repeated. Raises InputError when the source does not fit its mapping or fewer
    examples are left than the service accepts, BalanceError when rows are unaccounted for, LeakageError when the splits
    are not proven to be apart, ErasedMeanwhileError when conversations that it has read were erased since it began.
    """
    run = _begin(spark, settings, observer)
    finished = _already_published(run)
    if finished is not None:
        return finished
    with run.step("read"):
        raw = read_table(spark, run.source, version=run.version)
        check_source(raw, settings.source)
        check_origin_rules(settings.source, settings.origins)
        check_evaluation(spark, settings.decontamination, identities=run.evaluation)
        check_vectors(run)
        run.rows_in = rows_in = raw.count()
        if rows_in == 0:
            raise InputError(f"Table {run.source} is empty at version {run.version}. Load rows with `finelake ingest`.")
        mapped = map_rows(raw, settings.source, settings.origins)
        if run.erasures.subjects is not None:
            mapped = blank_erased(mapped, run.erasures.subjects)
        canned = canned_replies(mapped, rows=rows_in, layout=settings.source.layout, config=settings.replies.canned)
        tools = _tools(run, mapped)
        plan = plan_pass(settings, run.catalogue, tools, canned=canned)
        load_schemas(plan.row_schemas)
    with run.step("annotate"):
        require_none_since(run)
        forget(run, run.erasures)
        annotated = annotated_conversations(run, Rows(raw=raw, mapped=mapped, plan=plan, tools=tools))
    with run.step("relate"):
        candidates = candidates_of(annotated)
        # Kept, since it is used several times in what follows.
        exact = run.keep(exact_duplicates(candidates)) if settings.duplicates.exact else None
        near = _near_duplicates(run, candidates, exact) if settings.duplicates.near else None
        merged = [exact] if exact is not None else []
        merged += [near_removals(near.pairs, threshold=settings.duplicates.threshold)] if near else []
        vectors = find_vectors(run, candidates)
        semantic = find_semantic(run, _documents(candidates), vectors, merged)
        if semantic is not None:
            merged.append(semantic_removals(semantic.pairs, threshold=settings.duplicates.semantic.threshold))
        topics = find_topics(run, candidates, vectors)
        pins = read_pins(spark, run.table(names.ASSIGNMENTS), config=settings.splits, run_id=run.run_id)
        known = _known(run, near, pins, merged)
        copies = not settings.duplicates.exact
        topical = with_topics(annotated, topics, settings.splits)
        placed = assign_splits(topical, config=settings.splits, known=known, copies=copies, save=run.keep)
        others = [*placed.removals]
    with run.step("decontaminate"):
        contamination = _contamination(run, without(placed.rows, [*merged, *others]))
        if contamination is not None:
            others.append(contaminated(contamination, config=settings.decontamination))
    with run.step("mix"):
        mixed = find_mix(run, candidates_of(placed.rows), topics, [*merged, *others])
        others += [mixed.removals] if mixed else []
    with run.step("decide"):
        require_none_since(run)
        fingerprints = fingerprints_of(settings, plan)
        loose = loose_rows(mapped)
        rows = decided(placed.rows, removals=[*followed(merged), *others], save=run.keep)
        kept = examples_of(rows, run_id=run.run_id)
        aside = quarantine_of(
            rows, loose, run_id=run.run_id, fingerprints=fingerprints, rule_set=short_hash(fingerprints)
        )
        story = ledger_of(rows, loose, run_id=run.run_id, fingerprints=fingerprints)
        examples, quarantine, ledger = run.write_all(
            {names.EXAMPLES: kept, names.QUARANTINE: aside, names.LEDGER: story}
        )
    with run.step("balance"):
        counts: list[Callable[[], Any]] = [
            partial(count_totals, ledger=ledger, examples=examples, quarantine=quarantine),
            partial(summarise_long, annotated, limit=plan.limits.tokens, policy=plan.long),
            partial(summarise_prompts, examples),
        ]
        totals, windows, prompts = at_once(counts)
        balance = check_balance(rows_in, totals)
        rules = {code: {**entry, "fingerprint": fingerprints.get(code)} for code, entry in totals.rules().items()}
        summaries = {
            "increment": run.increment.as_dict() if run.increment else None,
            "windows": windows,
            "system_prompts": prompts,
            "duplicates": near.facts if near else None,
            "duplicates_semantic": semantic.facts if semantic else None,
            "topics": topics.summary(examples) if topics else None,
            "mixing": mixed.summary if mixed else None,
        }
        _require_enough(run, totals.examples("train"), balance)
    with run.step("audit"):
        evidence = Evidence(
            examples=with_topics(examples, topics, settings.splits),
            pairs=known.pairs,
            pins=known.pins,
            contamination=contamination,
        )
        findings = _audit(run, evidence, pins)
    with run.step("publish"):
        require_none_since(run)
        files = publish(examples, config=settings.output)
        require_none_since(run, files)
        manifest = (
            _manifest(run, plan, balance, rules, files) | summaries | _proof(pins, findings) | curation_origin(run)
        )
        record_curation(spark, settings, manifest)
        write_manifest(manifest, folder=settings.output.path)
        # The last one comes after the last write: who asks later deletes what this run wrote.
        require_none_since(run, files)
    return Curation(run.run_id, settings.output.path, balance, files, rules, run.written, run.seconds)


def _near_duplicates(run: CurationRun, candidates: DataFrame, exact: DataFrame | None) -> Near:
    """Sign what earlier runs have not, then search; the signatures and the pairs found are written."""
    config, texts = run.settings.duplicates, _documents(candidates)
    distinct = texts if exact is None else texts.join(exact.select("conversation_id"), "conversation_id", "left_anti")
    table = run.table(names.SIGNATURES)
    stored = read_table(run.spark, table) if table_exists(run.spark, table) else None
    signatures = run.write(names.SIGNATURES, signed(distinct, stored=stored, config=config))
    found = near_duplicates(texts, signatures, config=config, save=run.keep, at_most=run.rows_in)
    pairs = found.pairs.withColumn("run_id", F.lit(run.run_id))
    return replace(found, pairs=run.write(names.PAIRS, pairs))


def _documents(candidates: DataFrame) -> DataFrame:
    return documents(candidates, findings=F.size("decisions"), tokens=trained_tokens(), group=single_group())


def _begin(spark: SparkSession, settings: Settings, observer: CurationObserver | None) -> CurationRun:
    catalogue = catalogue_of(settings)
    source = source_ref(settings.source.table)
    version = settings.source.version if settings.source.version is not None else latest_version(spark, source)
    evaluation = {table.name: identity_of(spark, table) for table in settings.decontamination.tables}
    erasures = read_erasures(spark, table_ref(settings.tables, names.ERASURES))
    vectors = vectors_version(spark, settings)
    run_id = run_id_of(
        settings,
        catalogue,
        source,
        version,
        evaluation,
        source_id=identify(spark, source).id,
        vectors=vectors,
        erasures=erasures.digest,
    )
    return CurationRun(spark, settings, catalogue, source, version, run_id, observer, evaluation, erasures)


def _known(run: CurationRun, near: Near | None, pins: Pins, removals: Sequence[DataFrame]) -> Known:
    # Groups are kept, so that Spark knows how few they are and shuffles no line to join them.
    pairs, groups = (near.pairs, run.keep(near_groups(near.pairs))) if near else (None, None)
    return Known(groups=groups, pairs=pairs, pins=pins.frame, removed=removed_ids(removals))


def _contamination(run: CurationRun, placed: DataFrame) -> DataFrame | None:
    found = find_contamination(placed, config=run.settings.decontamination, identities=run.evaluation, save=run.keep)
    return None if found is None else run.write(names.CONTAMINATION, found)


def _audit(run: CurationRun, evidence: Evidence, pins: Pins) -> list[Finding]:
    """Write what the proof found, and pin the examples where it holds; the two do not wait for each other."""
    settings = run.settings
    findings = audit_splits(evidence, splits=settings.splits, decontamination=settings.decontamination)
    writes: list[Callable[[], Any]] = [
        partial(run.write, names.AUDIT, audit_frame(run.spark, findings, run_id=run.run_id))
    ]
    if all(finding.passed for finding in findings):
        writes.append(partial(_pin, run, evidence.examples, pins))
    at_once(writes)
    require_proof(findings, table=str(run.table(names.AUDIT)))
    return findings


def _pin(run: CurationRun, examples: DataFrame, pins: Pins) -> None:
    table = run.table(names.ASSIGNMENTS)
    pin(examples, table, pins=pins, config=run.settings.splits, run_id=run.run_id)
    run.written[names.ASSIGNMENTS] = {"table": str(table), "version": latest_version(run.spark, table)}


def _proof(pins: Pins, findings: Sequence[Finding]) -> dict[str, Any]:
    return {"assignments": pins.as_dict(), "audit": [each.as_dict() for each in findings]}


def _already_published(run: CurationRun) -> Curation | None:
    folder = run.settings.output.path
    manifest = read_manifest(folder)
    if manifest is None or manifest.get("run_id") != run.run_id or not is_whole(folder, manifest["files"]):
        return None
    if not all(_still_its_own(run, **item) for item in manifest["tables"].values()):
        return None
    files = {split: PublishedFile(**item) for split, item in manifest["files"].items()}
    balance = Balance(**manifest["balance"])
    return Curation(run.run_id, folder, balance, files, manifest["rules"], manifest["tables"], up_to_date=True)


def _still_its_own(run: CurationRun, table: str, version: int) -> bool:
    """Tell whether a table has the rows that a finished run left in it; another may have written to it since."""
    place = TableRef(table)
    return table_exists(run.spark, place) and same_rows_since(run.spark, place, version)


def _tools(run: CurationRun, mapped: DataFrame) -> Mapping[str, Mapping[str, Any]]:
    tools, source = run.settings.examples.tools, run.settings.source
    if tools.include == "none":
        return {}
    if tools.file:
        return read_tool_file(Path(tools.file))
    if source.layout == "conversations" or source.columns.tool_calls is None:
        return {}
    limit = run.catalogue.limits.max_tools_per_request
    return infer_tools(mapped, fields=source.tool_call_fields, max_tools=limit)


def _require_enough(run: CurationRun, found: int, balance: Balance) -> None:
    needed = run.catalogue.limits.min_training_examples
    if found < needed:
        raise InputError(
            f"{found} training examples are left of {balance.conversations} conversations; the service needs {needed}. "
            f"Table {run.written[names.LEDGER]['table']} says why each was set aside; `finelake why ID` tells one."
        )


def _manifest(
    run: CurationRun,
    plan: PassPlan,
    balance: Balance,
    rules: dict[str, dict[str, Any]],
    files: dict[str, PublishedFile],
) -> dict[str, Any]:
    engine = select_engine(plan.encoding, plan.engine)
    return {
        "finelake": __version__,
        "run_id": run.run_id,
        "model": run.catalogue.find(run.settings.model).id,
        "encoding": plan.encoding,
        "token_engine": engine.name,
        "source": {"table": str(run.source), "version": run.version, "rows": balance.rows_in},
        "tables": run.written,
        "files": describe(files),
        "rules": rules,
        "balance": balance.as_dict(),
    }
