"""What each process of a job does: open the data at its place, train, and write model and result from the first one."""

from __future__ import annotations

import logging
import math
import os
import platform
import shutil
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from finelake import __version__
from finelake.huggingface.census import Census
from finelake.huggingface.checkpoints import last_whole, weights_hash, write_manifest
from finelake.huggingface.fitting import Features, Fitting
from finelake.huggingface.folder import JobFolder
from finelake.huggingface.job import Job
from finelake.huggingface.models import load_model, load_tokenizer
from finelake.huggingface.order import Order
from finelake.huggingface.preparation import TRAIN, VALIDATION, fitting_of, read_census
from finelake.huggingface.rows import Line, open_rows
from finelake.huggingface.stream import Share, Stream, first_lines
from finelake.huggingface.template import Refused, open_template
from finelake.huggingface.trainers import build_trainer
from finelake.huggingface.watch import Course, Watch

logger = logging.getLogger(__name__)

_PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "bitsandbytes")


def train(place: JobFolder, job: Job) -> dict[str, Any]:
    """Train from the last whole checkpoint or from the beginning, and return the result. Raises JobError."""
    census, source = read_census(place)
    checkpoint = last_whole(place.checkpoints)
    course = plan_course(job, census, begin=0 if checkpoint is None else int(checkpoint.name.removeprefix("step-")))
    if checkpoint is not None:
        logger.info("Training goes on from step %s of %s.", course.begin, course.total)
    tokenizer = load_tokenizer(source)
    fitting = fitting_of(job, open_template(tokenizer, file=job.model.chat_template))
    validation = encoded_validation(job, fitting)
    watch = Watch(place, course, measures=bool(validation))
    watch.agree_by(_any_answer)
    trainer = build_trainer(
        job,
        model=load_model(job, source),
        tokenizer=tokenizer,
        stream=_stream(job, census, fitting),
        validation=validation,
        total=course.total,
        work=place.work,
        watch=watch,
    )
    trainer.stream.at(examples=course.begin * job.accumulation * job.micro_batch)
    if course.begin < course.total:
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    elif checkpoint is not None:
        trainer._load_from_checkpoint(str(checkpoint))
    return _finish(place, job, trainer, census=census, course=course, watch=watch)


def plan_course(job: Job, census: Census, *, begin: int) -> Course:
    """Count the steps: the last may reach into a further epoch, so that every step learns from a whole batch."""
    wanted = job.hyperparameters
    per_epoch = census.kept / wanted.batch_size
    total = math.ceil(wanted.epochs * per_epoch)
    total = min(total, wanted.max_steps or total)
    every = job.checkpoint_steps or math.ceil(per_epoch)
    return Course(total=total, begin=begin, per_epoch=per_epoch, every=every, keep=job.keep_checkpoints)


def encoded_validation(job: Job, fitting: Fitting) -> list[Features]:
    """Encode the validation examples that losses are measured on: at most as many as the job says, by its seed."""
    if job.data.validation is None:
        return []
    rows = open_rows(Path(job.data.validation), split=VALIDATION)
    order = Order(rows.groups, seed=job.hyperparameters.seed, shuffle_rows=job.hyperparameters.shuffle_rows)
    return list(_features(first_lines(rows, order, job.hyperparameters.validation_examples), fitting))


def _features(lines: Sequence[Line], fitting: Fitting) -> list[Features]:
    found = []
    for line in lines:
        try:
            found.append(fitting(line).features)
        except Refused:
            continue
    return found


def _stream(job: Job, census: Census, fitting: Fitting) -> Stream:
    wanted = job.hyperparameters
    rows = open_rows(Path(job.data.train), split=TRAIN)
    order = Order(rows.groups, seed=wanted.seed, shuffle_rows=wanted.shuffle_rows, excluded=census.excluded)
    share = Share(rank=int(os.environ.get("RANK", "0")), processes=job.processes, batch=job.micro_batch)
    return Stream(rows, order, share=share, make=_Features(fitting))


class _Features:
    """Gives the features of a line that the census has let through."""

    def __init__(self, fitting: Fitting) -> None:
        self._fitting = fitting

    def __call__(self, line: Line) -> Features:
        return self._fitting(line).features


def _any_answer(answer: bool) -> bool:
    """Say whether the answer of any process is yes; also a meeting point."""
    if not (dist.is_available() and dist.is_initialized()):
        return answer
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    told = torch.tensor([int(answer)], device=device)
    dist.all_reduce(told, op=dist.ReduceOp.MAX)
    return bool(told.item())


def _finish(
    place: JobFolder, job: Job, trainer: Any, *, census: Census, course: Course, watch: Watch
) -> dict[str, Any]:
    step = course.begin if course.begin >= course.total else trainer.state.global_step
    last = watch.line(step)
    result: dict[str, Any] = {
        "status": "stopped" if watch.stopped and step < course.total else "succeeded",
        "steps": step,
        "total_steps": course.total,
        "resumed_at": course.begin,
        "data": census.facts(),
        "tokens": last.get("tokens"),
        "seconds": last.get("seconds"),
        **{key: last.get(key) for key in ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy")},
        "versions": _versions(),
        "hardware": _hardware(job),
    }
    if result["status"] == "succeeded":
        result |= _save(place, trainer, step=step)
    shutil.rmtree(place.work, ignore_errors=True)
    return result


def _save(place: JobFolder, trainer: Any, *, step: int) -> dict[str, Any]:
    partial = place.path / ".model.partial"
    trainer.save_model(str(partial))
    if not trainer.is_world_process_zero():
        return {}
    write_manifest(partial, step=step, facts={})
    shutil.rmtree(place.model, ignore_errors=True)
    partial.rename(place.model)
    return {"sha256": weights_hash(place.model)}


def _versions() -> dict[str, str]:
    found = {"finelake": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _hardware(job: Job) -> dict[str, Any]:
    gpus = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    return {
        "processes": job.processes,
        "gpus": gpus,
        "gpu_peak_bytes": torch.cuda.max_memory_allocated() if gpus else None,
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
    }
