# Databricks notebook source
# The verdict of the evaluation as a task value, which a notebook may set: the condition task is_promote reads it.

import json
from pathlib import Path

from databricks.sdk.runtime import dbutils

folder = Path(dbutils.widgets.get("folder"))
verdict = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))["verdict"]
dbutils.jobs.taskValues.set(key="verdict", value=verdict)
