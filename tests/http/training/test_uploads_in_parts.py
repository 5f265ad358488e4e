"""Files in parts and by import: what arrives is the published file, once, whatever is lost on the way."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.http.training.file_journal import FileJournal, Moments
from tests.http.training.front import Reply, front_of, once_each
from tests.http.training.setting import (
    KEY,
    KEY_VARIABLE,
    Service,
    publish_examples,
    running_service,
    settings_for,
)

from finelake.config.settings import Settings
from finelake.errors import InputError
from finelake.services.base import FineTuningService
from finelake.services.connect import connect
from finelake.training import identity
from finelake.training.clock import Clock
from finelake.training.data import DataFile, read_training_data
from finelake.training.effects.log import EffectLog
from finelake.training.effects.upload import UploadPlan, ensure_uploaded
from finelake.training.patience import Patience
from finelake.training.progress import Progress

pytestmark = pytest.mark.http

IN_PARTS = UploadPlan(parts_above=0, part_bytes=1000)
CUT = Reply(0)


@dataclass
class Notes(Progress):
    """Keeps the lines; raises at the one that ends so."""

    stop_at: str = "nothing"
    lines: list[str] = field(default_factory=list)

    def noted(self, message: str) -> None:
        self.lines.append(message)
        if message.startswith(self.stop_at):
            raise KeyboardInterrupt(message)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for the tests of this module."""
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def training_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFile:
    """A published training file that no other test has."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    publish_examples(tmp_path / "published", salt=tmp_path.name)
    return read_training_data(tmp_path / "published").train


def upload(
    service: FineTuningService,
    settings: Settings,
    file: DataFile,
    *,
    folder: Path,
    plan: UploadPlan,
    progress: Progress | None = None,
) -> str:
    """Upload a file as the driver does, with journals in a folder."""
    clock = Clock()

    def log(run: str) -> EffectLog:
        return EffectLog(FileJournal(folder, run_id=run, moment=Moments(None)), clock=clock, lease_seconds=600.0)

    run_log = log("run")
    run_log.acquire()
    try:
        return ensure_uploaded(
            service,
            file,
            name=identity.upload_name(settings, file),
            plan=plan,
            run_log=run_log,
            file_log=log(identity.file_journal(settings, file)),
            patience=Patience(service.contact, clock, 0.1),
            progress=progress or Progress(),
        )
    finally:
        run_log.release()


def test_lost_parts_and_answers_make_one_whole_file(service: Service, training_file: DataFile, tmp_path: Path) -> None:
    troubles = once_each(
        ("POST", "/uploads", CUT),
        ("POST", "/parts", CUT),
        ("POST", "/parts", Reply(503)),
        ("POST", "/parts", Reply(200, b"<html>")),
        ("POST", "/complete", CUT),
    )
    with front_of(service.url, troubles) as front:
        settings = settings_for(tmp_path, url=front.url)
        with connect(settings.service) as connected:
            file_id = upload(connected, settings, training_file, folder=tmp_path, plan=IN_PARTS)
        parts = -(-training_file.bytes // 1000)
        assert parts > 3
        assert front.count("POST", "/parts") == parts + 3
        assert front.count("POST", "/complete") == 1
    assert service.client.files.content(file_id).read() == training_file.path.read_bytes()
    assert service.file_names().count(identity.upload_name(settings, training_file)) == 1


def test_a_killed_upload_goes_on_behind_its_last_part(
    service: Service, training_file: DataFile, tmp_path: Path
) -> None:
    with front_of(service.url, lambda _: None) as front:
        settings = settings_for(tmp_path, url=front.url)
        with connect(settings.service) as connected:
            with pytest.raises(KeyboardInterrupt):
                upload(
                    connected,
                    settings,
                    training_file,
                    folder=tmp_path,
                    plan=IN_PARTS,
                    progress=Notes(stop_at="part 2 of"),
                )
            notes = Notes()
            file_id = upload(connected, settings, training_file, folder=tmp_path, plan=IN_PARTS, progress=notes)
        assert (front.count("POST", "/uploads"), front.count("POST", "/complete")) == (1, 1)
        assert front.count("POST", "/parts") == -(-training_file.bytes // 1000)
    assert next(line for line in notes.lines if line.startswith("part ")).startswith("part 3 of")
    assert service.client.files.content(file_id).read() == training_file.path.read_bytes()


def test_an_upload_that_the_service_forgot_is_begun_anew(
    service: Service, training_file: DataFile, tmp_path: Path
) -> None:
    gone = Reply(400, b'{"error":{"code":"unexpectedEntityState","message":"The upload is expired, not pending."}}')
    with front_of(service.url, once_each(("POST", "/parts", gone))) as front:
        settings = settings_for(tmp_path, url=front.url)
        with connect(settings.service) as connected:
            file_id = upload(connected, settings, training_file, folder=tmp_path, plan=IN_PARTS)
        assert front.count("POST", "/uploads") == 2
    assert service.client.files.content(file_id).read() == training_file.path.read_bytes()


class LateClock(Notes):
    """Moves the service's clock by more than an upload's life when the last part is there."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self._service = service

    def noted(self, message: str) -> None:
        super().noted(message)
        number, _, count = message.removeprefix("part ").partition(" of ")
        if message.startswith("part ") and number == count.split(" ")[0]:
            client = self._service.client.with_options(base_url=self._service.url)
            if sum(line == message for line in self.lines) == 1:
                client.post("/rehearsal/clock/advance", cast_to=object, body={"seconds": 4000})


def test_an_upload_that_expires_before_it_is_complete_is_begun_anew(
    service: Service, training_file: DataFile, tmp_path: Path
) -> None:
    with front_of(service.url, lambda _: None) as front:
        settings = settings_for(tmp_path, url=front.url)
        with connect(settings.service) as connected:
            clock = LateClock(service)
            file_id = upload(connected, settings, training_file, folder=tmp_path, plan=IN_PARTS, progress=clock)
        assert (front.count("POST", "/uploads"), front.count("POST", "/complete")) == (2, 2)
    assert service.client.files.content(file_id).read() == training_file.path.read_bytes()
    assert service.file_names().count(identity.upload_name(settings, training_file)) == 1


def test_a_completed_upload_whose_answer_says_otherwise_is_not_repeated(
    service: Service, training_file: DataFile, tmp_path: Path
) -> None:
    said = Reply(400, b'{"error":{"code":"unexpectedEntityState","message":"The upload is completed, not pending."}}')
    with front_of(service.url, once_each(("POST", "/complete", said))) as front:
        settings = settings_for(tmp_path, url=front.url)
        with connect(settings.service) as connected:
            upload(connected, settings, training_file, folder=tmp_path, plan=IN_PARTS)
        assert (front.count("POST", "/uploads"), front.count("POST", "/complete")) == (1, 1)


@contextmanager
def _blobs(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}?signature=s3cret"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_file_is_imported_and_read_back(service: Service, training_file: DataFile, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, url=service.url)
    with _blobs(training_file.path.parent) as base, connect(settings.service) as connected:
        plan = UploadPlan(parts_above=0, part_bytes=1000, import_base=base)
        file_id = upload(connected, settings, training_file, folder=tmp_path, plan=plan)
        assert service.client.files.content(file_id).read() == training_file.path.read_bytes()


def test_an_import_of_another_file_is_found_out(service: Service, training_file: DataFile, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, url=service.url)
    (tmp_path / "other").mkdir()
    other = training_file.path.read_bytes().replace(b"warehouse", b"storeroom")
    (tmp_path / "other" / training_file.path.name).write_bytes(other)
    with _blobs(tmp_path / "other") as base, connect(settings.service) as connected:
        plan = UploadPlan(parts_above=0, part_bytes=1000, import_base=base)
        with pytest.raises(InputError, match="is not the published file") as caught:
            upload(connected, settings, training_file, folder=tmp_path, plan=plan)
    assert "s3cret" not in str(caught.value)
