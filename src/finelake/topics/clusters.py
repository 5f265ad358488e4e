"""k-means on the driver, on a bounded sample, with the same bits on every run of one machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from finelake.errors import EnvironmentProblem

Floats = npt.NDArray[np.float32]

_ROWS_A_CLUSTER = 10


@dataclass(frozen=True, slots=True)
class Clusters:
    """Centres float32 (clusters, dimensions) of length one, largest first, and the cluster of each sample row."""

    centres: Floats
    members: npt.NDArray[np.int64]


def cluster(rows: Floats, *, count: int, seed: int) -> Clusters:
    """Cluster rows of length one by k-means into at most `count` clusters (fewer where rows are few or alike).

    Clusters are numbered by size, then by the hash of the centre. Raises EnvironmentProblem without scikit-learn.
    """
    wanted = max(1, min(count, len(rows) // _ROWS_A_CLUSTER, len(np.unique(rows, axis=0))))
    with sklearn() as library:
        fitted = library.KMeans(n_clusters=wanted, n_init=1, random_state=seed).fit(rows)
    sizes = np.bincount(fitted.labels_, minlength=wanted)
    centres = unit(fitted.cluster_centers_.astype(np.float32))
    hashes = [hashlib.sha256(np.ascontiguousarray(centre).tobytes()).hexdigest() for centre in centres]
    order = sorted((place for place in range(wanted) if sizes[place]), key=lambda place: (-sizes[place], hashes[place]))
    numbers = np.full(wanted, -1, np.int64)
    numbers[order] = np.arange(len(order))
    return Clusters(centres[order], numbers[fitted.labels_])


def unit(rows: Floats) -> Floats:
    """Scale rows to length one; rows of zeros stay."""
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    scaled: Floats = (rows / np.where(lengths > 0, lengths, 1.0)[:, None]).astype(np.float32)
    return scaled


@dataclass(frozen=True, slots=True)
class _Library:
    KMeans: Any
    TruncatedSVD: Any


@contextmanager
def sklearn() -> Iterator[_Library]:
    """Give what is used of scikit-learn, on one thread: sums in another order would change the last bits."""
    try:
        from sklearn.cluster import KMeans
        from sklearn.decomposition import TruncatedSVD
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise EnvironmentProblem(
            "Topics and semantic duplicates are clustered with scikit-learn, which is not installed. Install it on "
            "the driver with: pip install 'finelake[topics]', or switch topics and duplicates.semantic off."
        ) from None
    with threadpool_limits(limits=1):
        yield _Library(KMeans, TruncatedSVD)
