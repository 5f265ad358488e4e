"""The shape of a model, read from its folder without loading it: `config.json` and the headers of its weights.

The first eight bytes of a safetensors file are the length of a JSON header with name, type and shape of each tensor
(safetensors' format description), so that parameters are counted exactly, whatever the architecture.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finelake.errors import InputError

_MOST_HEADER_BYTES = 100_000_000
_EMBEDDINGS = ("embed_tokens", "lm_head", "wte", "wpe", "embed_in", "embed_out", "embed_positions")


@dataclass(frozen=True, slots=True)
class Shape:
    """A causal language model: `parameters` of all tensors, `linear` the (out, in) sizes of the layers' matrices.

    `key_value` is the width of keys (or values) of a layer, `inner` that of its feed-forward part; `tied` where input
    and output share one matrix of vocabulary times `hidden`.
    """

    parameters: int
    linear: tuple[tuple[int, int], ...]
    layers: int
    hidden: int
    inner: int
    key_value: int
    vocabulary: int
    context: int
    tied: bool

    @property
    def in_linear(self) -> int:
        """Count the parameters of the layers' matrices."""
        return sum(rows * columns for rows, columns in self.linear)

    def adapter_parameters(self, rank: int) -> int:
        """Count the parameters of low-rank adapters on all layers' matrices: rank times (in + out) of each.

        Source: Hu and others, 2021, LoRA, section 4.1.
        """
        return sum(rank * (rows + columns) for rows, columns in self.linear)


def read_shape(folder: Path) -> Shape:
    """Read the shape of the model in a folder. Raises InputError when config or weights are not there or garbled."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config = config.get("text_config", config)
        tensors = {name: size for file in sorted(folder.glob("*.safetensors")) for name, size in _header(file).items()}
        if not tensors:
            raise KeyError("*.safetensors")
        return _shape(config, tensors)
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise InputError(
            f"{folder} is no model that a plan can be made for: {type(error).__name__} {error}. A folder with "
            "config.json and weights as safetensors is expected, as `save_pretrained` writes it."
        ) from None


def _shape(config: dict[str, Any], tensors: dict[str, tuple[int, ...]]) -> Shape:
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    head = int(config.get("head_dim") or hidden // heads)
    linear = tuple(
        (size[0], size[1])
        for name, size in tensors.items()
        if len(size) == 2 and not any(part in name for part in _EMBEDDINGS)
    )
    return Shape(
        parameters=sum(map(math.prod, tensors.values())),
        linear=linear,
        layers=int(config["num_hidden_layers"]),
        hidden=hidden,
        inner=int(config.get("intermediate_size") or 4 * hidden),
        key_value=int(config.get("num_key_value_heads") or heads) * head,
        vocabulary=int(config["vocab_size"]),
        context=int(config.get("max_position_embeddings") or 0),
        tied=not any("lm_head" in name or "embed_out" in name for name in tensors),
    )


def _header(file: Path) -> dict[str, tuple[int, ...]]:
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > _MOST_HEADER_BYTES:
            raise ValueError(f"{file.name} has no header of safetensors")
        header = json.loads(stream.read(length))
    return {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
