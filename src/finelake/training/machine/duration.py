"""How long training will take: floating-point operations over what a device does in a second."""

from __future__ import annotations

from finelake.training.machine.footprint import Load
from finelake.training.machine.shape import Shape

UTILIZATION = 0.3
"""The share of a device's peak that training is assumed to reach.

Large, tuned runs on many GPUs report 0.38 to 0.46 (Llama Team, 2024, The Llama 3 Herd of Models, table 4; Chowdhery and
others, 2022, PaLM, section 4.1); fine-tuning with small batches stays below. Half and double of it bound what is told.
"""


def operations_per_token(shape: Shape, load: Load) -> float:
    """Count the operations of one trained token.

    Two a parameter forward, two for the gradients of activations, two for those of weights: 6N (Kaplan and others,
    2020, Scaling Laws, section 2.1); frozen weights need no gradients of their own, so adapters cost 4N. Attention
    adds 6 times layers, width and sequence forward and backward (Chowdhery and others, 2022, appendix B, halved
    because a token sees those before it only). Checkpointing computes forward once more. N counts the matrices that
    a token is multiplied with: not the input's embedding.
    """
    matrices = shape.in_linear + shape.hidden * shape.vocabulary
    forward = 2.0 * matrices + 2.0 * shape.layers * shape.hidden * load.sequence
    passes = (3.0 if load.tuning == "full" else 2.0) + (1.0 if load.checkpointing else 0.0)
    return forward * passes


def seconds(shape: Shape, load: Load, *, tokens: int, peak: float, devices: int) -> float:
    """Estimate how long `tokens` take, all epochs together; `peak` in operations a second of one device."""
    return tokens * operations_per_token(shape, load) / (devices * peak * UTILIZATION)
