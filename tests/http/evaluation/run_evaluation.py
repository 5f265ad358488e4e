"""Evaluate in a process of its own, so that a test can kill it: SETTINGS_FILE URL TUNED BASE RUN_ID."""

from __future__ import annotations

import sys
from pathlib import Path

import openai

from finelake.config.settings import Settings
from finelake.evaluation.evaluate import evaluate
from finelake.session import spark_session


def main(settings_file: str, url: str, tuned: str, base: str, run_id: str) -> None:
    settings = Settings.model_validate_json(Path(settings_file).read_text(encoding="utf-8"))
    spark = spark_session(settings.session, app_name="evaluation-to-be-killed")
    client = openai.OpenAI(api_key="rehearsal-key", base_url=url)
    evaluate(spark, settings, client=lambda: client, tuned=tuned, base=base, run_id=run_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
