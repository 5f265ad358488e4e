"""A program for spark-submit: it gets the session as the tasks do, and says what it got."""

from __future__ import annotations

import json
import sys

from finelake.config.settings import SessionSettings
from finelake.session import spark_session

if __name__ == "__main__":
    spark = spark_session(SessionSettings(), app_name="submitted")
    names = ("spark.master", "spark.sql.shuffle.partitions", "spark.app.name")
    sys.stdout.write(json.dumps({name: spark.conf.get(name) for name in names}) + "\n")
    spark.stop()
