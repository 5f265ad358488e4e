"""Faults on purpose: the same schedule gives the same faults, before or after the service has acted."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from io import BytesIO

import pytest
from openai import APIConnectionError, APIError, InternalServerError, RateLimitError

pytestmark = pytest.mark.http


def _plan(emulator, body=None):
    request = urllib.request.Request(f"{emulator.url}/rehearsal/faults", headers={"api-key": "a-key-for-rehearsals"})
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


@pytest.fixture
def faulty(own_emulator):
    """An emulator whose faults no other test meets."""
    return own_emulator()


def _listed(client, count):
    seen = []
    for _ in range(count):
        try:
            client.files.list()
            seen.append("ok")
        except (APIError, AttributeError, ValueError) as error:
            seen.append(type(error).__name__)
    return seen


def test_a_seed_gives_the_same_faults_again_and_at_most_three_in_a_row(faulty):
    client = faulty.azure()
    _plan(faulty, {"seed": 5, "rate": 1.0, "limit": 9})
    first = _listed(client, 14)
    told = _plan(faulty)
    _plan(faulty, {"seed": 5, "rate": 1.0, "limit": 9})
    assert _listed(client, 14) == first
    assert [one["kind"] for one in told["injected"]] == [one["kind"] for one in _plan(faulty)["injected"]]
    assert [one["request"] for one in told["injected"]] == [1, 2, 3, 5, 6, 7, 9, 10, 11]


def test_a_lost_answer_leaves_the_file_and_a_refusal_none(faulty, tools):
    client = faulty.azure()
    _plan(faulty, {"rate": 1.0, "limit": 1, "kinds": ["lost_cut"]})
    with pytest.raises(APIConnectionError):
        client.files.create(file=("a.jsonl", BytesIO(tools.talk_lines(10, seed=1))), purpose="fine-tune")
    assert [file.filename for file in client.files.list().data] == ["a.jsonl"]
    _plan(faulty, {"rate": 1.0, "limit": 1, "kinds": ["failed"]})
    with pytest.raises(InternalServerError):
        client.files.create(file=("b.jsonl", BytesIO(tools.talk_lines(10, seed=2))), purpose="fine-tune")
    assert [file.filename for file in client.files.list().data] == ["a.jsonl"]


def test_a_held_request_has_acted_or_not_when_its_client_goes(faulty, tools):
    content = tools.talk_lines(10, seed=1)
    for when, left in (("before", 0), ("after", 1)):
        _plan(faulty, {"hold": {"at": 1, "when": when, "of": "effects"}})
        with pytest.raises(APIConnectionError):
            faulty.azure().with_options(timeout=1.0).files.create(
                file=(f"{when}.jsonl", BytesIO(content)), purpose="fine-tune"
            )
        assert _plan(faulty)["holding"]["when"] == when
        assert len(faulty.azure().files.list().data) == left


def test_a_throttled_answer_may_say_when_as_a_date(faulty):
    _plan(faulty, {"rate": 1.0, "limit": 1, "kinds": ["throttled_date"]})
    with pytest.raises(RateLimitError) as caught:
        faulty.azure().files.list()
    headers = caught.value.response.headers
    moments = [parsedate_to_datetime(headers[name]) for name in ("date", "retry-after")]
    assert 0 <= (moments[1] - moments[0]).total_seconds() <= 2


@pytest.mark.parametrize("body", [{"rate": 2}, {"kinds": ["flood"]}, {"hold": {"at": "x"}}, {"seed": "x"}])
def test_what_is_no_schedule_is_refused(faulty, body):
    with pytest.raises(urllib.error.HTTPError, match="400"):
        _plan(faulty, body)
