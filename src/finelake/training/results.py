"""The result file of a job: one row a step, as CSV, in OpenAI's case sometimes wrapped in base64."""

from __future__ import annotations

import base64
import binascii
import csv
import io

from finelake.errors import ServiceError
from finelake.training.events import Measurement, measurement


def parse_results(content: bytes) -> list[Measurement]:
    """Read the rows of a result file; blank cells are None. Raises ServiceError when there is no `step` column."""
    reader = csv.DictReader(io.StringIO(_text(content)))
    if "step" not in (reader.fieldnames or []):
        raise ServiceError("The job's result file has no column named step, so its metrics cannot be read.")
    found = (measurement(dict(row)) for row in reader)
    return [row for row in found if row is not None]


def _text(content: bytes) -> str:
    if b"," not in content:
        try:
            content = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            return ""
    return content.decode("utf-8-sig", errors="replace")
