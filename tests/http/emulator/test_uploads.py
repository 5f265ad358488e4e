"""Files and uploads in parts: what went in comes out, byte for byte."""

from __future__ import annotations

import hashlib
from io import BytesIO

import pytest
from openai import BadRequestError, NotFoundError
from openai.types import FileObject

pytestmark = pytest.mark.http


@pytest.mark.parametrize("surface", ["azure", "openai"])
def test_upload_in_parts_makes_one_file(emulator, tools, surface):
    client = getattr(emulator, surface)()
    content = tools.talk_lines(400, seed=9)
    upload = client.uploads.upload_file_chunked(
        file=content,
        filename="train.jsonl",
        bytes=len(content),
        mime_type="application/jsonl",
        purpose="fine-tune",
        part_size=20_000,
        md5=hashlib.md5(content, usedforsecurity=False).hexdigest(),
    )
    assert upload.status == "completed"
    file = client.files.wait_for_processing(upload.file.id, poll_interval=0.05)
    assert file.status == "processed"
    assert file.bytes == len(content)
    assert client.files.content(file.id).read() == content


def test_parts_are_joined_in_the_order_named(emulator, tools):
    client = emulator.azure()
    content = tools.talk_lines(20, seed=9)
    halves = content[:700], content[700:]
    upload = client.uploads.create(
        bytes=len(content), filename="train.jsonl", mime_type="application/jsonl", purpose="fine-tune"
    )
    second, first = (client.uploads.parts.create(upload.id, data=BytesIO(half)).id for half in reversed(halves))
    with pytest.raises(BadRequestError, match="part_ids"):
        client.uploads.complete(upload.id, part_ids=[first])
    with pytest.raises(BadRequestError, match="md5"):
        client.uploads.complete(upload.id, part_ids=[first, second], md5="0" * 32)
    done = client.uploads.complete(upload.id, part_ids=[first, second])
    assert client.files.content(done.file.id).read() == content
    with pytest.raises(BadRequestError, match="completed, not pending"):
        client.uploads.cancel(upload.id)


def test_size_must_be_the_one_announced(emulator):
    client = emulator.azure()
    upload = client.uploads.create(bytes=10, filename="train.jsonl", mime_type="application/jsonl", purpose="fine-tune")
    part = client.uploads.parts.create(upload.id, data=BytesIO(b"123"))
    with pytest.raises(BadRequestError, match="3 bytes"):
        client.uploads.complete(upload.id, part_ids=[part.id])
    assert client.uploads.cancel(upload.id).status == "cancelled"


def test_upload_expires_after_an_hour(clocked):
    client = clocked.azure()
    upload = client.uploads.create(bytes=3, filename="train.jsonl", mime_type="application/jsonl", purpose="fine-tune")
    clocked.advance(3601.0)
    with pytest.raises(BadRequestError, match="expired"):
        client.uploads.parts.create(upload.id, data=BytesIO(b"123"))


def test_file_goes_through_its_states(clocked, tools):
    client = clocked.azure()
    created = client.files.create(file=("train.jsonl", tools.talk_lines(10, seed=1)), purpose="fine-tune")
    assert created.status == "pending"
    assert created.bytes is None
    done = client.files.wait_for_processing(created.id, poll_interval=0.02)
    assert (done.status, done.bytes) == ("processed", len(tools.talk_lines(10, seed=1)))
    deleted = client.files.delete(created.id)
    assert deleted.deleted
    with pytest.raises(NotFoundError):
        client.files.retrieve(created.id)


def test_byte_order_mark_is_accepted_and_kept(emulator, tools):
    client = emulator.azure()
    content = b"\xef\xbb\xbf" + tools.talk_lines(10, seed=1)
    file_id = tools.upload(client, content)
    assert client.files.retrieve(file_id).status == "processed"
    assert client.files.content(file_id).read() == content
    assert tools.finished(client, tools.create_job(client, file_id).id).status == "succeeded"


def test_a_file_of_this_machine_is_linked_and_keeps_what_it_was(emulator, tools, tmp_path):
    client, content = emulator.azure(), tools.talk_lines(10, seed=4)
    published, other = tmp_path / "train 1.jsonl", tmp_path / "new.jsonl"
    published.write_bytes(content)

    def link(address, name="train.jsonl"):
        body = {"content_url": address, "filename": name, "purpose": "fine-tune"}
        return client.post("/files/import", cast_to=FileObject, body=body)

    file = client.files.wait_for_processing(link(published.as_uri()).id, poll_interval=0.02)
    assert (file.status, file.bytes) == ("processed", len(content))
    assert published.stat().st_nlink == 2
    other.write_bytes(b"published again")
    other.replace(published)
    assert client.files.content(file.id).read() == content
    for address in (tmp_path.as_uri(), (tmp_path / "none.jsonl").as_uri(), "file://elsewhere/train.jsonl"):
        with pytest.raises(BadRequestError, match="names no file of this machine"):
            link(address)
    with pytest.raises(BadRequestError, match="have the extension"):
        link(published.as_uri(), name="notes.txt")
