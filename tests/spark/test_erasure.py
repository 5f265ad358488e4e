"""Erasing conversations: gone from every table and file, from what is made later, and recorded without an id."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake.cli.main import commands
from finelake.config.settings import EvaluationTable, Settings
from finelake.curate import Curation, curate
from finelake.erasure.erase import Erasure, erase
from finelake.erasure.places import HOLDERS, naming
from finelake.erasure.wanted import wanted
from finelake.errors import ConfigError, InputError, NotReproducedError
from finelake.huggingface.publishing import publish_shards
from finelake.jobs import erase as erase_task
from finelake.lineage.reproduce import reproduce
from finelake.tables import names
from finelake.tables.contracts import CONTRACTS
from finelake.tables.names import source_ref, table_ref
from finelake.tables.reading import read_table, table_exists
from support.kills import Killed, killed_after, not_in_connect
from support.lake import TURN_COLUMNS, TurnTuple, contents, outcomes, save_turns, settings_for, table, talk, turn

pytestmark = pytest.mark.spark

SECRET = "quetzalcoatlus"
COUNT = 20


def chats() -> list[TurnTuple]:
    rows = [row for n in range(COUNT) for row in talk(f"c-{n:02d}", f"Where is order {n}?", f"On its way, {n}.")]
    rows += talk("s-1", f"My word is {SECRET}.", f"Thank you, {SECRET} it is.", user="ann")
    # A later copy of the same text: it stays, for another user wrote it; so does one that has been merged into s-1.
    rows += talk("s-2", f"And my word is {SECRET} too.", "Noted as well.", user="ann")
    return [*rows, *talk("t-1", "Where is order 3?", "On its way, 3.", user="bob"), turn("s-3", 0, "customer", SECRET)]


@dataclass(frozen=True)
class Erased:
    settings: Settings
    before: Curation
    erasure: Erasure


@pytest.fixture(scope="module")
def erased(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Erased:
    folder = tmp_path_factory.mktemp("erasure")
    save_turns(spark, chats(), folder / "raw")
    settings = settings_for(folder, duplicates={"near": True}, shards={"folder": str(folder / "open_shards")})
    before = curate(spark, settings)
    assert places_with(spark, settings, SECRET) == {"annotated", "examples", "quarantine", "train.jsonl"}
    publish_shards(spark, settings)
    leave(SECRET, folder / "open_shards" / "staging-8b5c" / "split=train" / "shard=0" / "part-0.zstd.parquet")
    leave(SECRET, before.folder / "evaluation.html", before.folder / ".answers-8b5c" / "k.json")
    # What others keep in the folder, which may be a whole Volume, is not finelake's to remove.
    leave("not finelake's", before.folder / "raw.jsonl", before.folder / "open" / "manifest.json")
    (erasure,) = erase(spark, settings, conversations=["s-3"], users=["ann"], reference="ticket 7")
    return Erased(settings, before, erasure)


def leave(text: str, *files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def places_with(spark: SparkSession, settings: Settings, text: str) -> set[str]:
    """Name the tables, as they are now, and the files that hold a text anywhere."""
    found = set()
    for name in CONTRACTS:
        if table_exists(spark, table_ref(settings.tables, name)):
            rows = table(spark, settings, name)
            if rows.where(F.contains(F.to_json(F.struct(*rows.columns)), F.lit(text))).count():
                found.add(name)
    files = (path for path in Path(settings.output.folder).rglob("*") if path.is_file())
    return found | {path.name for path in files if text.encode() in path.read_bytes()}


def test_nothing_of_the_conversations_is_left(erased: Erased, spark: SparkSession) -> None:
    assert places_with(spark, erased.settings, SECRET) == set()
    for name in ("s-1", "s-2", "s-3"):
        assert places_with(spark, erased.settings, f'"{name}"') == set()
    assert erased.erasure.conversations == 3
    assert erased.erasure.rows["annotated"] == 3
    assert {"evaluation.html", ".answers-8b5c/k.json"} <= set(erased.erasure.files)


def test_shards_beside_the_output_go_too_and_files_of_others_stay(erased: Erased) -> None:
    shards = Path(str(erased.settings.shards.folder))
    assert list(shards.iterdir()) == []
    removed = {name.removeprefix(f"{shards}/") for name in erased.erasure.files if name.startswith(str(shards))}
    assert {"manifest.json", "train-00000-of-00001.parquet"} <= removed
    output = erased.before.folder
    assert {path.name for path in output.iterdir() if path.is_dir() or path.name == "raw.jsonl"} == {
        "open",
        "raw.jsonl",
    }
    assert (output / "open" / "manifest.json").is_file()


def test_the_raw_rows_are_counted_under_a_reason_of_their_own(erased: Erased, spark: SparkSession) -> None:
    balance = erased.erasure.curation.balance
    assert (balance.rows_in, balance.rows_in - balance.rows_kept - balance.rows_merged) == (2 * COUNT + 7, 5)
    assert erased.erasure.curation.rules["erased"]["count"] == 5
    aside = table(spark, erased.settings, "quarantine").where(F.array_contains("reasons", "erased")).collect()
    assert [(row["conversation_id"], row["payload"]) for row in aside] == [(None, None)] * 5


def test_the_others_are_as_before_and_were_not_passed_through_again(erased: Erased, spark: SparkSession) -> None:
    found = outcomes(spark, erased.settings)
    assert set(found) == {*(f"c-{n:02d}" for n in range(COUNT)), "t-1"}
    manifest = json.loads((erased.before.folder / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["increment"]["way"], manifest["increment"]["rebuilt"]) == ("compare", 0)


def test_the_request_is_recorded_by_hashes_with_what_was_done(erased: Erased, spark: SparkSession) -> None:
    rows = table(spark, erased.settings, "erasures").collect()
    assert {row["entry"] for row in rows} == {"requested", "done"}
    assert {row["reference"] for row in rows} == {"ticket 7"}
    assert len({row["subject"] for row in rows}) == 3
    done = json.loads(next(row["payload"] for row in rows if row["entry"] == "done"))
    assert done["rows"]["annotated"] == 3
    for name in HOLDERS:
        ref = table_ref(erased.settings.tables, name)
        if table_exists(spark, ref):
            said = spark.sql(f"DESCRIBE HISTORY {ref.sql}").select(F.to_json("operationParameters")).collect()
            assert not any("s-1" in str(row[0]) for row in said), "Delta's history quotes an id"


def test_late_turns_of_an_erased_conversation_are_not_used(erased: Erased, spark: SparkSession) -> None:
    late = [turn("s-1", 2, "customer", f"Again {SECRET}.", user="ann"), turn("s-1", 3, "agent", SECRET, user="ann")]
    raw = erased.settings.source.table
    spark.createDataFrame(late, TURN_COLUMNS).write.format("delta").mode("append").save(raw)
    curation = curate(spark, erased.settings)
    assert curation.rules["erased"]["count"] == 7
    assert places_with(spark, erased.settings, SECRET) == set()


def test_a_run_of_before_is_not_rebuilt(erased: Erased, spark: SparkSession) -> None:
    with pytest.raises(NotReproducedError, match="conversations were erased since"):
        reproduce(spark, erased.settings, erased.before.run_id)


def test_a_run_of_since_is_rebuilt_without_them(erased: Erased, spark: SparkSession, tmp_path: Path) -> None:
    again = reproduce(spark, erased.settings, erased.erasure.curation.run_id, folder=tmp_path / "scratch")
    assert again.equal
    files = [path for path in (tmp_path / "scratch").rglob("*.parquet") if SECRET.encode() in path.read_bytes()]
    assert files == []


def configuration(settings: Settings, folder: Path) -> list[str]:
    """Write settings as a file; gives the option that names it."""
    (folder / "finelake.yml").write_text(settings.model_dump_json(exclude_unset=True), encoding="utf-8")
    return ["--config", str(folder / "finelake.yml")]


def run_command(*arguments: str) -> Any:
    ran = CliRunner().invoke(commands, arguments, catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout) if "--json" in arguments else " ".join(ran.stdout.split())


def test_raw_rows_go_on_request_once(
    erased: Erased, spark: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    requests = str(tmp_path / "requests")
    asked = [("s-1", None), (None, "ann"), (None, "bob")]
    rows = spark.createDataFrame(asked, "conversation_id string, user_id string")
    rows.write.format("delta").save(requests)
    ids = wanted(spark, erased.settings, requests=requests)
    assert ids == ["t-1"], "what was erased before is not asked for again"
    arguments = [*configuration(erased.settings, tmp_path), "--requests", requests]
    erase_task.main([*arguments, "--raw"])
    done = table(spark, erased.settings, "erasures").where(F.col("reference") == requests)
    payloads = [json.loads(row["payload"]) for row in done.where("entry = 'done'").collect()]
    assert [each["rows"]["source"] for each in payloads] == [2]
    assert read_table(spark, source_ref(erased.settings.source.table)).where("conversation_id = 't-1'").count() == 0
    assert "nothing is left to do" not in caplog.text
    erase_task.main([*arguments, "--raw"])
    assert "nothing is left to do" in caplog.text
    assert done.count() == 2
    raw = read_table(spark, table_ref(erased.settings.tables, names.ANNOTATED))
    assert raw.where("conversation_id = 't-1'").count() == 0
    assert run_command("erase", *arguments, "--json") == {"erase": []}
    assert "nothing is left to do" in run_command("erase", *arguments)


def test_the_commands_tell_what_was_erased_and_vacuum_keeps_to_the_retention(erased: Erased, tmp_path: Path) -> None:
    config = configuration(erased.settings, tmp_path)
    (done,) = run_command("erase", *config, "--conversation", "c-00", "--reference", "ticket 9", "--json")["erase"]
    assert (done["conversations"], done["rows"]["annotated"]) == (1, 1)
    assert "train.jsonl" in done["files"]
    vacuumed = run_command("vacuum", *config, "--raw", "--json")["vacuum"]
    assert {Path(each["table"]).name for each in vacuumed} >= {"annotated", "examples", "raw"}
    assert {each["retention"] for each in vacuumed} == {"interval 1 week"}


@pytest.mark.timeout(1800)
@not_in_connect
def test_killed_after_each_commit_the_next_call_erases_the_rest(spark: SparkSession, tmp_path: Path) -> None:
    killed, whole = (settings_for(tmp_path / name, duplicates={"near": True}) for name in ("killed", "whole"))
    for settings in (killed, whole):
        save_turns(spark, chats(), Path(settings.source.table))
        curate(spark, settings)
    erase(spark, whole, users=["ann"], raw=True)
    committed = []
    with suppress(Killed), killed_after(2) as done:  # the table of requests is made, then written to
        erase(spark, killed, users=["ann"], raw=True)
    while "raw" not in committed:
        committed += done
        with suppress(Killed), killed_after(1) as done:
            erase(spark, killed, users=["ann"], raw=True)
    assert committed[:3] == ["erasures", "erasures", "annotated"]
    assert {"examples", "ledger", "signatures", "assignments"} <= set(committed)
    assert done == ["annotated"], "the curation has begun, and nothing in the tables tells whose the conversations were"
    with pytest.raises(InputError, match="no conversation of these users"):
        wanted(spark, killed, users=["ann"])
    (last,) = erase(spark, killed, users=["ann"], raw=True)
    assert (last.conversations, last.rows["source"]) == (2, 0)
    assert places_with(spark, killed, '"s-1"') == set()
    for name in ("annotated", "examples", "quarantine", "ledger", "signatures", "pairs", "assignments"):
        assert contents(table(spark, killed, name)) == contents(table(spark, whole, name)), name
    with pytest.raises(InputError, match="no conversation of these users"):
        erase(spark, killed, users=["ann"], raw=True)


def test_a_curation_that_fails_holds_up_no_later_request(spark: SparkSession, tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    rows = [row for n in range(11) for row in talk(f"c-{n:02d}", f"Where is order {n}?", f"On its way, {n}.")]
    save_turns(spark, rows, Path(settings.source.table))
    curate(spark, settings)
    for name, left in (("c-01", 10), ("c-02", 9), ("c-03", 8)):
        with nullcontext() if left == 10 else pytest.raises(InputError, match=f"{left} training examples are left"):
            erase(spark, settings, conversations=[name])
        assert places_with(spark, settings, f'"{name}"') == set()
    more = [row for n in range(11, 14) for row in talk(f"c-{n}", f"Where is order {n}?", f"On its way, {n}.")]
    spark.createDataFrame(more, TURN_COLUMNS).write.format("delta").mode("append").save(settings.source.table)
    assert [each.conversations for each in erase(spark, settings, conversations=["c-04"])] == [1, 1, 1]


def test_users_without_a_conversation_are_said(
    erased: Erased, spark: SparkSession, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InputError, match="no conversation of these users"):
        wanted(spark, erased.settings, users=["nobody"])
    assert not caplog.messages
    assert wanted(spark, erased.settings, users=["nobody"], users_may_be_gone=True) == []
    assert "no conversation of these users" in caplog.text


def test_rows_of_others_that_name_an_erased_conversation_go_before_anything_is_curated(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = []
    for n in range(24):
        held = f"the parcel number {n} that I sent to my aunt in Lisbon last Tuesday still shows no scan at all {n}"
        rows += talk(f"held-{n:02d}", f"Hello, {held}.", f"Let me look at {n}.", user=f"u-{n}")
        rows += talk(f"told-{n:02d}", f"Well {n}", f"A client of {n} wrote: {held}. So it was.", user=f"v-{n}")
        rows += talk(f"copy-{n:02d}", f"Where is order {n}?", f"On its way, {n}.", user=f"w-{n}")
        rows += talk(f"same-{n:02d}", f"Where is order {n}?", f"On its way, {n}.", user=f"x-{n}")
    save_turns(spark, rows, tmp_path / "raw")
    settings = settings_for(
        tmp_path,
        duplicates={"exact": False, "near": False},
        splits={"validation": 0.0, "test": 0.3},
        decontamination={"own_splits": "reject"},
    )
    curate(spark, settings)
    removals = F.expr("step != 'outcome' AND action = 'quarantine'")
    ledger = table(spark, settings, "ledger").where(removals).collect()
    told = {row["reason"]: row["value"] for row in ledger}
    ids = [str(re.findall(r"[a-z]{4}-\d\d", told[reason])[0]) for reason in ("split_conflict", "contaminated_split")]
    for each in ids:
        assert places_with(spark, settings, each) >= {"annotated", "examples", "ledger", "quarantine"}
    assert "contamination" in places_with(spark, settings, ids[1])
    gone = EvaluationTable(name="gone", file=str(tmp_path / "gone.jsonl"), prompt="q")
    broken = settings.model_copy(
        update={"decontamination": settings.decontamination.model_copy(update={"tables": (gone,)})}
    )
    with pytest.raises(InputError, match="there is no file"):
        erase(spark, broken, conversations=ids)
    for each in ids:
        assert places_with(spark, settings, each) == set()
    others = [row for row in ledger if not any(each in str(row.asDict()) for each in ids)]
    assert table(spark, settings, "ledger").where(removals).count() == len(others) > 0


def test_rows_are_found_by_ids_of_any_type_and_in_what_removals_say(spark: SparkSession) -> None:
    said = [
        "user 17",
        "near 18",
        "test answer of 17: words 3 to 9 of message 1",
        "bench answer of 17",
        "17",
        "user 171",
    ]
    rows = spark.createDataFrame([(n, text) for n, text in enumerate([*said, None])], "`a``b` bigint, said string")
    subject = hashlib.sha256(b"17").hexdigest()
    found = rows.where(naming([subject], columns=(), texts="array(said)"))
    assert [row["said"] for row in found.collect()] == [said[0], said[2]]
    number = hashlib.sha256(b"5").hexdigest()
    assert [row["said"] for row in rows.where(naming([number], columns=("a`b",))).collect()] == [said[5]]


def test_raw_rows_without_an_id_are_refused_before_anything_is_recorded(spark: SparkSession, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, source={"layout": "conversations", "columns": {"messages": "chat"}})
    spark.createDataFrame([("[]",)], "chat string").write.format("delta").save(settings.source.table)
    with pytest.raises(ConfigError, match="has no column conversation_id"):
        erase(spark, settings, conversations=["c-1"], raw=True)
    assert not (tmp_path / "tables").exists()


OTHER_IDS = {"user_id", "run_id", "evaluation_id", "job_id", "event_id", "checkpoint_id", "source_id", "annotated_id"}
"""Ids of anything but conversations; a new column of ids is to be put here or among HOLDERS."""


def test_every_table_with_ids_of_conversations_is_known() -> None:
    columns = {name: tuple(model.to_schema().columns) for name, model in CONTRACTS.items()}
    ids = {name: tuple(each for each in those if each.endswith("_id")) for name, those in columns.items()}
    named = {name: tuple(each for each in those if each not in OTHER_IDS) for name, those in ids.items()}
    assert {name: those for name, those in named.items() if those} == HOLDERS
    assert {each for those in ids.values() for each in those} >= OTHER_IDS
