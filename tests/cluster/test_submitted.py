"""Under spark-submit the session is what was submitted, not a local one of finelake's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.standalone import SPARK_HOME, environment

pytestmark = [pytest.mark.spark, pytest.mark.cluster]

PROGRAM = Path(__file__).with_name("submitted.py")


def test_what_was_submitted_is_what_runs(tmp_path: Path) -> None:
    submit = [str(SPARK_HOME / "bin" / "spark-submit"), "--master", "local[1,2]"]
    own = environment(Path(sys.executable), tmp_path) | {"PYSPARK_PYTHON": sys.executable}
    done = subprocess.run(
        [*submit, "--conf", "spark.sql.shuffle.partitions=7", str(PROGRAM)],
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    assert found["spark.master"] == "local[1,2]"
    assert found["spark.sql.shuffle.partitions"] == "7"
