"""Memory and time of training on a machine of one's own, estimated before anything starts."""

from __future__ import annotations

from collections.abc import Iterator

from finelake.training.machine.duration import UTILIZATION
from finelake.training.machine.estimate import Machine
from finelake.training.plan.finding import OWN_RULE, Finding, Verdict
from finelake.training.plan.known import Known, Unread
from finelake.training.plan.registry import check

_CROWDED = 0.8
_GIGA = 1e9
_HOUR = 3600.0


@check("model")
def memory(known: Known) -> Iterator[Finding]:
    """Refuse what cannot fit into one device's memory."""
    machine = known.machine
    if isinstance(machine, Unread):
        yield Finding(check="memory", verdict="unknown", found=machine.reason)
    if not isinstance(machine, Machine):
        return
    needed, load, room = machine.needed, machine.load, machine.device.memory
    verdict: Verdict = "ok" if needed.total <= room * _CROWDED else "warn" if needed.total <= room else "refuse"
    parts = {
        "weights": needed.weights,
        "gradients": needed.gradients,
        "optimizer": needed.optimizer,
        "activations": needed.activations,
        "logits": needed.logits,
        "runtime": needed.overhead,
    }
    told = ", ".join(f"{name} {size / _GIGA:.2f}" for name, size in parts.items())
    yield Finding(
        check="memory",
        verdict=verdict,
        found=(
            f"{load.tuning} tuning of {machine.shape.parameters:,} parameters, {load.batch} x {load.sequence:,} tokens "
            f"at once: {needed.total / _GIGA:.1f} GB ({told})"
        ),
        limit=f"{room / _GIGA:.1f} GB on {machine.device.name}; warning above {_CROWDED:.0%} of it",
        source=machine.device.source,
        remedy="" if verdict == "ok" else _less(machine),
    )


@check("money")
def training_time(known: Known) -> Iterator[Finding]:
    """Say how long training will take, with the assumption that this rests on."""
    machine = known.machine
    if not isinstance(machine, Machine):
        return
    once = known.reckoning.tokens
    tokens = (known.data.train.tokens if once is None else once.most) * known.reckoning.epochs.most
    seconds = machine.seconds(int(tokens))
    if seconds is None:
        yield Finding(
            check="training_time",
            verdict="unknown",
            found=f"no source gives the operations a second of {machine.device.name}",
            remedy="Add the device to a copy of conf/hardware.yml and name it in service.huggingface.hardware_file.",
        )
        return
    late = seconds > known.settings.training.deadline_hours * _HOUR
    yield Finding(
        check="training_time",
        verdict="warn" if late else "ok",
        found=(
            f"{_said(seconds / 2)} to {_said(seconds * 2)} for {tokens:,.0f} tokens on {machine.device.count} x "
            f"{machine.device.name}, where {UTILIZATION:.0%} of its peak is reached, or half or twice of that"
        ),
        limit=f"training.deadline_hours {known.settings.training.deadline_hours:g}",
        source=OWN_RULE,
        remedy="Curate less, lower training.epochs, or raise training.deadline_hours." if late else "",
    )


def _less(machine: Machine) -> str:
    smaller = "" if machine.load.tuning == "qlora" else " tune with adapters (service.huggingface.tuning lora, qlora),"
    return (
        f"Lower hyperparameters.micro_batch or max_length (service.huggingface),{smaller} set "
        "gradient_checkpointing: true there, or take a device with more memory."
    )


def _said(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.1f} h"
