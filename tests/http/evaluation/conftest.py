"""A trained model in a real emulator process, and the held-out examples that both models are asked."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest

from finelake.config.evaluation import Evaluation
from finelake.config.settings import Columns, Output, Settings, Source, Tables
from finelake.tables.names import EXAMPLES, table_ref
from finelake.tables.schemas.curation import Examples
from finelake.tables.writing import overwrite

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

KEY = "rehearsal-key"
BASE = "gpt-4o-mini-2024-07-18"
CITIES = ("Aachen", "Bremen", "Cottbus", "Dresden", "Erfurt", "Fulda", "Gera", "Halle", "Ilmenau", "Jena")
DAYS = ("Monday", "Wednesday", "Friday", "Sunday")
TRAIN_WORDS = ("When does the train to {city} leave on {day}?", "I want to go to {city} on {day}, what time is it?")
TEST_WORDS = "Please tell me the {day} departure of the train to {city}."
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "reserve_seat",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "day": {"type": "string"}}},
        },
    }
]


@dataclass(frozen=True, slots=True)
class Emulator:
    """Where the service answers on OpenAI's own paths, and the model trained there."""

    url: str
    tuned: str


def departure(city: str, day: str) -> str:
    hour, platform = 6 + CITIES.index(city) + DAYS.index(day), 1 + CITIES.index(city)
    return f"The {day} train to {city} leaves at {hour}:15 from platform {platform}."


def talk(question: str, city: str, day: str) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "system", "content": "You work at a railway desk."},
            {"role": "user", "content": question.format(city=city, day=day)},
            {"role": "assistant", "content": departure(city, day)},
        ]
    }


def reservation(question: str, city: str, day: str) -> dict[str, Any]:
    arguments = json.dumps({"city": city, "day": day})
    call = {"id": "call_1", "type": "function", "function": {"name": "reserve_seat", "arguments": arguments}}
    return {
        "messages": [
            {"role": "user", "content": question.format(city=city, day=day)},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "reserved"},
            {"role": "assistant", "content": f"Your seat to {city} is reserved for {day}."},
        ],
        "tools": TOOLS,
    }


def train_lines() -> list[str]:
    examples = [talk(words, city, day) for words in TRAIN_WORDS for city in CITIES for day in DAYS]
    examples += [reservation("Reserve a seat to {city} on {day}.", city, day) for city in CITIES for day in DAYS]
    return [json.dumps(example) for example in examples]


def test_lines() -> list[str]:
    """Forty held-out questions in new words, and ten reservations, asked twice: call and reply."""
    examples = [talk(TEST_WORDS, city, day) for city in CITIES for day in DAYS]
    examples += [reservation("A seat to {city} on {day}, please.", city, "Friday") for city in CITIES]
    return [json.dumps(example) for example in examples]


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A service in a process of its own, with one model trained."""
    state = tmp_path_factory.mktemp("emulator")
    command = [sys.executable, "-m", "finelake.emulator", "--port", "0", "--state", str(state), "--api-key", KEY]
    with (state / "log").open("w") as log, subprocess.Popen([*command, "--speed", "20"], stderr=log) as process:
        try:
            url = f"{_address(process, state / 'service.json')}/v1"
            yield Emulator(url=url, tuned=_train(url, state))
        finally:
            process.terminate()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with tables and output in the test's folder, answers recorded fifty at a time."""
    return Settings(
        project="railway",
        model=BASE,
        source=Source(table="raw_turns", columns=Columns(turn_index="turn_index")),
        tables=Tables(location=str(tmp_path / "tables")),
        output=Output(folder=str(tmp_path / "output")),
        evaluation=Evaluation(record_every=50, concurrency=3),
    )


@pytest.fixture
def examples(spark: SparkSession, settings: Settings) -> list[str]:
    """Write the examples table: train and test split, two test examples a user; give the test lines."""
    rows = [_row("train", at, line) for at, line in enumerate(train_lines())]
    rows += [_row("test", at, line) for at, line in enumerate(test_lines())]
    schema = Examples.to_structtype()
    frame = spark.createDataFrame([tuple(row.get(name) for name in schema.names) for row in rows], schema=schema)
    overwrite(frame, table_ref(settings.tables, EXAMPLES), run_id="run-1")
    return test_lines()


def _row(split: str, at: int, line: str) -> dict[str, Any]:
    return {
        "conversation_id": f"{split}-{at}",
        "group_key": f"user-{split}-{at // 2}",
        "window": 0,
        "windows": 1,
        "split": split,
        "sort_key": f"{at * 7919 % 1000:04d}",
        "line": line,
    }


def _address(process: subprocess.Popen[bytes], ready: Path) -> str:
    while not ready.exists():
        assert process.poll() is None, "the emulator ended before it answered"
        time.sleep(0.05)
    return str(json.loads(ready.read_text())["url"])


def _train(url: str, folder: Path) -> str:
    file = folder / "train.jsonl"
    file.write_text("\n".join(train_lines()) + "\n", encoding="utf-8")
    with openai.OpenAI(api_key=KEY, base_url=url) as client:
        uploaded = client.files.create(file=file, purpose="fine-tune")
        client.files.wait_for_processing(uploaded.id, poll_interval=0.1)
        job = client.fine_tuning.jobs.create(model=BASE, training_file=uploaded.id)
        while job.fine_tuned_model is None:
            assert job.status not in ("failed", "cancelled"), job.error
            time.sleep(0.1)
            job = client.fine_tuning.jobs.retrieve(job.id)
    return job.fine_tuned_model
