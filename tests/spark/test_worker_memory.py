"""A serverless user-defined function has 1 GB: 2,000 conversations of 100 kB in one partition need less."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from worker_memory import passes, peaks, raw_turns

pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells a process's peak"),
]

MOST_MIB = 1_000_000_000 / 2**20


def test_long_messages_stay_within_a_gigabyte(spark: SparkSession, tmp_path: Path) -> None:
    raw = raw_turns(spark, conversations=2_000, characters=100_000)
    found = dict(peaks(passes(raw, tmp_path)))
    assert set(found) == {"annotate", "signatures", "contamination", "profile"}
    assert max(found.values()) < MOST_MIB, found
