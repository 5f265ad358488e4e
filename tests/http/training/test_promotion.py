"""Promotion and rollback at a real service; the table of aliases is a folder here, and Delta in tests/spark."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

import pytest
from tests.http.training.file_journal import FileJournal, Moments
from tests.http.training.front import Reply, front_of, once_each
from tests.http.training.setting import (
    KEY,
    KEY_VARIABLE,
    MODEL,
    Service,
    publish_examples,
    running_service,
    settings_for,
)

from finelake.config.models import load_catalogue
from finelake.config.settings import Settings
from finelake.errors import InputError, PromotionRefusedError, RunBusyError
from finelake.services.connect import connect
from finelake.tables.aliases import AliasEntry
from finelake.training.clock import Clock
from finelake.training.effects.log import EffectLog
from finelake.training.progress import Progress
from finelake.training.promotion.candidate import Candidate, Judged
from finelake.training.promotion.desk import Desk

pytestmark = pytest.mark.http

PROMOTE = Judged(verdict="promote", evaluation_id="e1")


class FileAliases:
    """The table of aliases as a folder: linking a file under its number is the compare-and-set."""

    def __init__(self, folder: Path, *, before: Callable[[], None] = lambda: None) -> None:
        self._folder = folder
        self._before = before
        folder.mkdir(parents=True, exist_ok=True)

    def read(self) -> list[AliasEntry]:
        found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(self._folder.glob("*.json"))]
        return [AliasEntry(**{**one, "recorded_at": datetime.fromisoformat(one["recorded_at"])}) for one in found]

    def append(self, entry: AliasEntry) -> bool:
        self._before()
        place, part = self._folder / f"{entry.alias}-{entry.sequence:04d}.json", self._folder / "part"
        part.write_text(json.dumps(asdict(entry), default=str), encoding="utf-8")
        try:
            os.link(part, place)
        except FileExistsError:
            return False
        finally:
            part.unlink()
        return True


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for the tests of this module, with a tuned model and its checkpoints."""
    with running_service(tmp_path_factory.mktemp("service"), quota=1000) as running:
        yield running


@pytest.fixture(scope="module")
def models(service: Service, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names of three models that can be deployed: a job's last step, and the two checkpoints before it."""
    folder = tmp_path_factory.mktemp("published")
    publish_examples(folder)
    with (folder / "train.jsonl").open("rb") as stream:
        file_id = service.client.files.create(file=("train.jsonl", stream), purpose="fine-tune").id
    service.client.files.wait_for_processing(file_id, poll_interval=0.1)
    jobs = service.client.fine_tuning.jobs
    made = {"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}}}
    job = jobs.create(model=MODEL, training_file=file_id, extra_body={"trainingType": "globalStandard", **made})
    for _ in range(600):
        if jobs.retrieve(job.id).status == "succeeded":
            break
        Clock().sleep(0.1)
    return [one.fine_tuned_model_checkpoint for one in jobs.checkpoints.list(job.id).data]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the service's key where the settings look for it."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)


@contextmanager
def desk(folder: Path, settings: Settings, aliases: FileAliases | None = None) -> Iterator[Desk]:
    journal = FileJournal(folder / "journal", run_id="alias", moment=Moments(None))
    with connect(settings.service) as connected:
        yield Desk(
            settings=settings,
            service=connected,
            aliases=aliases or FileAliases(folder / "aliases"),
            log=EffectLog(journal, clock=Clock(), lease_seconds=600.0),
            model=load_catalogue(None).find(MODEL),
            clock=Clock(),
            progress=Progress(),
        )


def candidate(model: str, number: int) -> Candidate:
    return Candidate(run_id=f"{number}aaaaaaaaaaaaaaa", model=model, step=None, evaluated=f"shop-{number}")


def deployed(settings: Settings) -> set[str]:
    with connect(settings.service) as connected:
        assert connected.deployments is not None
        return {one.name for one in connected.deployments.every()}


def answers(service: Service, name: str) -> bool:
    said = service.client.chat.completions.create(model=name, messages=[{"role": "user", "content": "Hello?"}])
    return bool(said.choices)


def test_a_promotion_keeps_what_was_there_and_a_rollback_brings_it_back(
    service: Service, models: list[str], tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, url=service.url)
    first, second = candidate(models[0], 1), candidate(models[1], 2)
    with desk(tmp_path, settings) as at:
        one = at.promote(first, PROMOTE)
        two = at.promote(second, PROMOTE)
        again = at.promote(second, PROMOTE)
    assert (one.previous, two.previous, again.changed) == (None, one.entry.deployment, False)
    assert two.entry.deployment == "shop-production-2aaaaaaa-global"
    assert {one.entry.deployment, two.entry.deployment} <= deployed(settings)
    assert answers(service, two.entry.deployment)

    removing = settings.model_copy(
        update={"promotion": settings.promotion.model_copy(update={"remove_previous": True})}
    )
    with desk(tmp_path, removing) as at:
        assert at.promote(second, PROMOTE).removed == (one.entry.deployment,)
    assert one.entry.deployment not in deployed(settings)

    with desk(tmp_path, settings) as at:
        back = at.rollback("It was rude.")
        with pytest.raises(InputError, match="nothing to roll back to"):
            at.rollback(None)
        rows = at.history
    assert (back.entry.deployment, back.entry.model) == (one.entry.deployment, models[0])
    assert answers(service, one.entry.deployment)
    assert [(row.sequence, row.action, row.reason) for row in rows] == [
        (1, "promote", None),
        (2, "promote", None),
        (3, "rollback", "It was rude."),
    ]


def test_without_the_verdict_nothing_is_deployed_and_a_reason_is_kept(
    service: Service, models: list[str], tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, url=service.url, promotion={"alias": "judged"})
    held = Judged(verdict="hold", evaluation_id="e2", found="comparison.json says hold")
    with desk(tmp_path, settings) as at, pytest.raises(PromotionRefusedError, match="says hold"):
        at.promote(candidate(models[0], 3), held)
    assert not any("judged" in name for name in deployed(settings))
    settings = settings_for(tmp_path, url=service.url, promotion={"alias": "judged", "override": "Read by hand."})
    with desk(tmp_path, settings) as at:
        entry = at.promote(candidate(models[0], 3), held).entry
    assert (entry.verdict, entry.evaluation_id, entry.reason) == ("hold", "e2", "Read by hand.")


def test_a_promotion_that_was_interrupted_goes_on_and_makes_one_deployment(
    service: Service, models: list[str], tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, url=service.url, promotion={"alias": "broken", "sku": "Standard"})

    class Killed(Exception):
        pass

    def die() -> None:
        raise Killed

    chosen = candidate(models[2], 4)
    with desk(tmp_path, settings, FileAliases(tmp_path / "aliases", before=die)) as at, pytest.raises(Killed):
        at.promote(chosen, PROMOTE)
    made = {name for name in deployed(settings) if "broken" in name}
    assert made == {"shop-broken-4aaaaaaa-standard"}
    assert FileAliases(tmp_path / "aliases").read() == []
    with desk(tmp_path, settings) as at:
        assert at.promote(chosen, PROMOTE).changed
        assert [row.sequence for row in at.history] == [1]
    assert {name for name in deployed(settings) if "broken" in name} == made


def test_a_rollback_that_died_after_its_row_is_not_done_twice(
    service: Service, models: list[str], tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, url=service.url, promotion={"alias": "twice"})
    with desk(tmp_path, settings) as at:
        for number in (1, 2, 3):
            at.promote(candidate(models[number - 1], number), PROMOTE)
        back = at.rollback(None)
    # The journal as a driver leaves it that was killed after the row and before the result.
    journal = sorted((tmp_path / "journal" / "alias").glob("*.json"))
    ended = [json.loads(path.read_text(encoding="utf-8")) for path in journal]
    result = next(at for at, one in enumerate(ended) if (one["step"], one["entry"]) == ("rollback", "result"))
    for path in journal[result:]:
        path.unlink()
    with desk(tmp_path, settings) as at:
        at.log.acquire(take_over=True)
        found = at.rollback(None)
        assert (found.changed, found.entry.deployment) == (False, back.entry.deployment)
        assert len(at.history) == 4
        assert at.rollback(None).entry.model == models[0]


def test_of_two_promotions_at_once_one_comes_about(service: Service, models: list[str], tmp_path: Path) -> None:
    settings = settings_for(tmp_path, url=service.url, promotion={"alias": "rivals"})
    shared = FileAliases(tmp_path / "aliases")
    with desk(tmp_path, settings) as holder:
        holder.log.acquire()
        with desk(tmp_path, settings) as rival, pytest.raises(RunBusyError, match="worked on by"):
            rival.promote(candidate(models[1], 2), PROMOTE)
        holder.log.release()

    def overtake() -> None:
        rows = shared.read()
        if len(rows) == 1:
            shared.append(replace(rows[0], sequence=2, deployment="other", holder="another"))

    with desk(tmp_path, settings) as at:
        at.promote(candidate(models[0], 1), PROMOTE)
    with desk(tmp_path, settings, FileAliases(tmp_path / "aliases", before=overtake)) as late:
        with pytest.raises(RunBusyError, match="was changed by another promotion"):
            late.promote(candidate(models[1], 2), PROMOTE)
        assert late.history[-1].deployment == "other"


def test_answers_that_get_lost_make_no_second_deployment(service: Service, models: list[str], tmp_path: Path) -> None:
    before = deployed(settings_for(tmp_path, url=service.url))
    troubles = once_each(("PUT", "/deployments/", Reply(0)), ("GET", "/deployments/", Reply(503)))
    with front_of(service.url, troubles) as front:
        settings = settings_for(tmp_path, url=front.url, promotion={"alias": "lossy"})
        with desk(tmp_path, settings) as at:
            made = at.promote(candidate(models[0], 5), PROMOTE).entry.deployment
    assert deployed(settings_for(tmp_path, url=service.url)) - before == {made}
