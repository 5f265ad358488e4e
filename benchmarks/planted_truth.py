"""Curate the sample and print what each rule found of what was planted: precision and recall by reason code.

    .venv/bin/python benchmarks/planted_truth.py --conversations 900

Everything happens in a folder that is removed afterwards. The exit code is 1 where a rule found what was not planted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake.config.loading import load_settings
from finelake.config.settings import Settings
from finelake.curate import curate
from finelake.decide import OUTCOME_STEP
from finelake.ingest import ingest
from finelake.sample import write_sample
from finelake.sample.scores import RuleScore, score_rules
from finelake.session import spark_session
from finelake.tables import names
from finelake.tables.names import source_ref, table_ref
from finelake.tables.reading import read_table

CONFIGURATION = Path(__file__).resolve().parents[1] / "conf" / "local.yml"
HEADER = ("rule", "planted", "found", "precision", "recall")


def scores(folder: Path, *, conversations: int, seed: int) -> list[RuleScore]:
    """Write the sample into a folder, curate it by conf/local.yml and score the ledger."""
    files = write_sample(folder / "sample", seed=seed, conversations=conversations)
    settings = load_settings(CONFIGURATION, environment={**os.environ, "FINELAKE_DEMO": str(folder)})
    spark = spark_session(settings.session, app_name="planted truth")
    ingest(spark, str(files.raw_turns), source_ref(settings.source.table))
    curate(spark, settings)
    truth = [json.loads(line) for line in files.truth.read_text(encoding="utf-8").split("\n") if line]
    return [
        score
        for score in score_rules(truth, _found(spark, settings))
        if not score.code.startswith(("assigned_", "privacy_"))
    ]


def _found(spark: SparkSession, settings: Settings) -> dict[str, set[str]]:
    ledger = read_table(spark, table_ref(settings.tables, names.LEDGER))
    rows = ledger.where((F.col("step") != OUTCOME_STEP) & F.col("conversation_id").isNotNull())
    found: dict[str, set[str]] = {}
    for row in rows.select("reason", "conversation_id").distinct().collect():
        found.setdefault(row["reason"], set()).add(row["conversation_id"])
    return found


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=900)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = scores(Path(folder), conversations=arguments.conversations, seed=arguments.seed)
    lines = [f"| {' | '.join(HEADER)} |", f"|{'---|' * len(HEADER)}"]
    for score in found:
        lines.append(
            f"| `{score.code}` | {score.planted} | {score.found} | {score.precision:.2f} | {score.recall:.2f} |"
        )
    sys.stdout.write("\n".join(lines) + "\n")
    return int(any(score.precision < 1 for score in found))


if __name__ == "__main__":
    sys.exit(main())
