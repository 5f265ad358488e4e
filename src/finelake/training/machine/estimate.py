"""What a job will take on this machine or another: from settings, the model's folder, and the device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from finelake.config.settings import Settings
from finelake.errors import ConfigError, InputError
from finelake.training.machine.duration import seconds
from finelake.training.machine.footprint import Footprint, Load, footprint
from finelake.training.machine.hardware import Device, find_device, load_hardware
from finelake.training.machine.shape import Shape, read_shape

OVERHEAD_BYTES = {False: 0.9e9, True: 1.5e9}
"""What the runtime takes without a model, on a processor (measured: torch, transformers, peft and trl imported) and
on a graphics card (assumed: its context, and room between allocations)."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The model's shape, the device, and what is trained at once."""

    shape: Shape
    device: Device
    load: Load

    @property
    def needed(self) -> Footprint:
        """Estimate the bytes that one device needs; training on several keeps a whole copy on each."""
        return footprint(self.shape, self.load, overhead=OVERHEAD_BYTES[self.device.half])

    def seconds(self, tokens: int) -> float | None:
        """Estimate how long `tokens` take, all epochs together; None where the device's operations are not known."""
        if self.device.peak is None:
            return None
        return seconds(self.shape, self.load, tokens=tokens, peak=self.device.peak, devices=self.device.count)


def machine_of(settings: Settings, *, longest: int) -> Machine:
    """Put together what a plan reckons with; `longest` is the longest example in tokens.

    Raises ConfigError for a model or device that is not named, InputError where its weights are not on this machine.
    """
    local = settings.service.huggingface
    if local is None or settings.model not in local.models:
        named = ", ".join(local.models) if local is not None else "nothing"
        raise ConfigError(f"model: found {settings.model}, service.huggingface.models names {named}. Name it there.")
    folder = Path(local.models[settings.model])
    if not folder.is_dir():
        raise InputError(
            f"The weights of {settings.model} ({folder}) are not in a folder of this machine, so memory and time "
            "cannot be estimated."
        )
    facts = load_hardware(Path(local.hardware_file) if local.hardware_file else None)
    device = find_device(local.device, count=local.devices, facts=facts)
    wanted, together = local.hyperparameters, settings.training.batch_size
    share = (wanted.batch_size if together == "auto" else together) // local.processes
    load = Load(
        tuning=local.tuning,
        batch=wanted.micro_batch or max(1, share),
        sequence=min(local.context, wanted.max_length, longest),
        half=device.half and wanted.dtype != "float32",
        checkpointing=wanted.gradient_checkpointing,
        rank=wanted.lora.r,
    )
    return Machine(read_shape(folder), device, load)
