"""What is done once before the processes of a job start: the model is fetched, the data are counted."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

from finelake.files import write_whole
from finelake.huggingface.census import Census, counted_already, take
from finelake.huggingface.fitting import Fitting
from finelake.huggingface.folder import JobFolder
from finelake.huggingface.job import Job
from finelake.huggingface.models import load_tokenizer, local_source
from finelake.huggingface.rows import open_rows
from finelake.huggingface.template import ChatTemplate, open_template

logger = logging.getLogger(__name__)

TRAIN, VALIDATION = "train", "validation"


def prepare(place: JobFolder, job: Job) -> Census:
    """Fetch what the processes need and count the data, once; later starts of the job find both."""
    source = local_source(job.model.source, into=place.path / "source")
    template = open_template(load_tokenizer(source), file=job.model.chat_template)
    fitting = fitting_of(job, template)
    known = _known(place, job, template.fingerprint)
    if known is not None:
        return known
    path = Path(job.data.train)
    census = counted_already(path, TRAIN, fitting) or take(open_rows(path, split=TRAIN), fitting, dropped=place.dropped)
    content = {"job": _told(job, template.fingerprint), "source": source, **census.facts(), "excluded": census.excluded}
    write_whole(place.census, json.dumps(content) + "\n")
    return census


def fitting_of(job: Job, template: ChatTemplate) -> Fitting:
    """Give what turns a job's lines into features."""
    wanted = job.hyperparameters
    return Fitting(template=template, max_length=wanted.max_length, too_long=wanted.too_long, method=job.method)


def read_census(place: JobFolder) -> tuple[Census, str]:
    """Read what `prepare` wrote: the counts, and the folder or hub name of the model."""
    content = json.loads(place.census.read_text(encoding="utf-8"))
    excluded = {int(group): rows for group, rows in content.pop("excluded").items()}
    content.pop("job")
    return Census(excluded=excluded, **{key: value for key, value in content.items() if key != "source"}), content[
        "source"
    ]


def _known(place: JobFolder, job: Job, fingerprint: str) -> Census | None:
    if not place.census.exists():
        return None
    if json.loads(place.census.read_text(encoding="utf-8"))["job"] == _told(job, fingerprint):
        return read_census(place)[0]
    if place.checkpoints.is_dir():
        shutil.rmtree(place.checkpoints)
        logger.warning("The job in %s is another than before: it begins anew.", place.path)
    place.progress.unlink(missing_ok=True)
    return None


def _told(job: Job, fingerprint: str) -> dict[str, Any]:
    return json.loads(job.model_dump_json()) | {"tokenizer": fingerprint}
