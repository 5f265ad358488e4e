"""How many bytes training needs on one device, by what they are for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from finelake.training.machine.shape import Shape

Tuning = Literal["full", "lora", "qlora"]

FULL_BYTES, HALF_BYTES = 4, 2
QUANTIZED_BYTES = (4 + 0.127) / 8
"""Bytes of a parameter in 4 bits with doubly quantized constants (Dettmers and others, 2023, QLoRA, section 3)."""

_ADAM_STATES = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What is trained at once on one device: `batch` sequences of `sequence` tokens.

    `half` computes in 16 bits; `checkpointing` keeps only each layer's input for the backward pass; `rank` is that of
    the adapters.
    """

    tuning: Tuning
    batch: int
    sequence: int
    half: bool
    checkpointing: bool
    rank: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Footprint:
    """Bytes on one device; `overhead` is what the runtime takes before a model is there."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    overhead: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.logits + self.overhead


def footprint(shape: Shape, load: Load, *, overhead: float) -> Footprint:
    """Estimate the bytes of training.

    Weights and gradients of what is trained in 32 bits with two 32-bit moments of Adam, 16 bytes a parameter
    (Rajbhandari and others, 2020, ZeRO, section 3.1, where the sum is the same for 16-bit weights with a 32-bit
    copy). Full training in 16 bits computes with a 16-bit copy besides, which that section counts as well. Frozen
    weights lie in 16 bits where computed so, without gradients and moments; with QLoRA linear layers lie in 4 bits and
    the rest in 32.
    """
    width = HALF_BYTES if load.half else FULL_BYTES
    if load.tuning == "full":
        trained, frozen = shape.parameters, shape.parameters * HALF_BYTES if load.half else 0.0
    else:
        trained, frozen = shape.adapter_parameters(load.rank), _frozen(shape, load, width)
    return Footprint(
        weights=trained * FULL_BYTES + frozen,
        gradients=trained * FULL_BYTES,
        optimizer=trained * FULL_BYTES * _ADAM_STATES,
        activations=_activations(shape, load, width),
        logits=_logits(shape, load, width),
        overhead=overhead,
    )


def _frozen(shape: Shape, load: Load, width: int) -> float:
    if load.tuning == "qlora":
        return shape.in_linear * QUANTIZED_BYTES + (shape.parameters - shape.in_linear) * FULL_BYTES
    return float(shape.parameters * width)


def _activations(shape: Shape, load: Load, width: int) -> float:
    """Count what a layer keeps for its backward pass.

    The way of counting is that of Korthikanti and others, 2022, Reducing Activation Recomputation, section 4.1, for a
    layer as Llama's: of both norms the input (32-bit), what is normalized and what comes out; queries, keys and values,
    the first two turned by their place besides; what attention gives; and four tensors of the gated feed-forward part.
    Attention scores are not kept (fused attention). A checkpointed layer keeps its input, and one layer at a time is
    computed again.
    """
    tokens, hidden, keys = load.batch * load.sequence, shape.hidden, shape.key_value
    layer = 2 * hidden * (FULL_BYTES + 2 * width) + width * (3 * hidden + 3 * keys + 4 * shape.inner)
    if load.checkpointing:
        return float(tokens * (shape.layers * shape.hidden * width + layer))
    return float(tokens * shape.layers * layer)


def _logits(shape: Shape, load: Load, width: int) -> float:
    """Count logits, and in 32 bits their copy, its logarithms of shares, and the gradients of both, for each token."""
    return float(load.batch * load.sequence * shape.vocabulary * (width + 4 * FULL_BYTES))
