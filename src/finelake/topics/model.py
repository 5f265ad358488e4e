"""A fitted topic model: plain arrays, small enough to travel to Spark's workers inside a function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import sparse

from finelake.topics.terms import terms

NO_TOPIC = -1
"""The topic of a conversation that holds no known term (or has no vector)."""

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicModel:
    """Topics by number, the largest of the sample first.

    `centroids` float32 (topics, dimensions) have length one. With `vocabulary` a text is counted, weighted by `idf`
    float64 (terms) and brought to `projection` float32 (terms, dimensions); without one vectors come from outside.
    `sizes` are conversations of the sample, `floors` the similarity that 95 % of them reach.
    """

    config_hash: str
    characters: int
    labels: tuple[str, ...]
    sizes: tuple[int, ...]
    floors: tuple[float, ...]
    centroids: Floats
    vocabulary: tuple[str, ...] = ()
    idf: Doubles = field(default_factory=lambda: np.empty(0, np.float64))
    projection: Floats = field(default_factory=lambda: np.empty((0, 0), np.float32))

    @property
    def count(self) -> int:
        """How many topics there are."""
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Assigned:
    """The topic of each row (`NO_TOPIC` where none fits) and its cosine similarity to the topic's centre, 0 to 1."""

    topic: npt.NDArray[np.int32]
    similarity: Doubles


def count_terms(texts: Sequence[str | None], places: dict[str, int], *, characters: int) -> sparse.csr_matrix:
    """Count the known terms of each text's beginning; gives float32 (texts, terms)."""
    ids: list[int] = []
    ends = [0]
    for text in texts:
        if text:
            ids += [place for term in terms(text[:characters]) if (place := places.get(term)) is not None]
        ends.append(len(ids))
    values = np.ones(len(ids), np.float32)
    counts = sparse.csr_matrix((values, np.array(ids, np.int64), np.array(ends, np.int64)), (len(texts), len(places)))
    counts.sum_duplicates()
    return counts


def weigh(counts: sparse.csr_matrix, idf: Doubles) -> sparse.csr_matrix:
    """Turn counts into TF-IDF rows of length one: (1 + ln count) times idf. Rows without terms stay zero."""
    weighted = counts.copy()
    weighted.data = ((1.0 + np.log(weighted.data)) * idf[weighted.indices]).astype(np.float32)
    squares = np.bincount(
        np.repeat(np.arange(weighted.shape[0]), np.diff(weighted.indptr)),
        weights=weighted.data.astype(np.float64) ** 2,
        minlength=weighted.shape[0],
    )
    lengths = np.sqrt(np.where(squares > 0, squares, 1.0))
    weighted.data = (weighted.data / np.repeat(lengths, np.diff(weighted.indptr))).astype(np.float32)
    return weighted


class Assigner:
    """Assigns texts or vectors to the topics of one model; each row by itself, so batches do not matter."""

    def __init__(self, model: TopicModel) -> None:
        self._model = model
        self._places = {term: place for place, term in enumerate(model.vocabulary)}
        # One sparse product gives the projected row and its dot product with every centroid.
        self._joined = np.hstack([model.projection, model.projection @ model.centroids.T]) if model.vocabulary else None

    def texts(self, texts: Sequence[str | None]) -> Assigned:
        """Assign normalised texts; the model must have a vocabulary."""
        if self._joined is None or not self._model.count:
            return _none(len(texts))
        counts = count_terms(texts, self._places, characters=self._model.characters)
        both = weigh(counts, self._model.idf) @ self._joined
        width = self._model.centroids.shape[1]
        return _nearest(both[:, width:], np.sqrt(np.einsum("nd,nd->n", both[:, :width], both[:, :width])))

    def vectors(self, vectors: Floats) -> Assigned:
        """Assign vectors float32 (rows, dimensions); a row that is zero or not finite gets no topic."""
        if not self._model.count:
            return _none(len(vectors))
        usable = np.where(np.isfinite(vectors).all(axis=1, keepdims=True), vectors, np.float32(0))
        lengths = np.sqrt(np.einsum("nd,nd->n", usable, usable, dtype=np.float64))
        # einsum and not a matrix product: BLAS rounds a row differently in another batch.
        return _nearest(np.einsum("nd,kd->nk", usable, self._model.centroids), lengths)


def _none(rows: int) -> Assigned:
    return Assigned(np.full(rows, NO_TOPIC, np.int32), np.zeros(rows))


def _nearest(products: Floats, lengths: npt.NDArray[np.floating]) -> Assigned:
    known = lengths > 0
    topic = np.where(known, products.argmax(axis=1), NO_TOPIC).astype(np.int32)
    cosine = products.max(axis=1) / np.where(known, lengths, 1.0)
    clipped: Doubles = np.clip(np.where(known, cosine, 0.0), 0.0, 1.0).astype(np.float64)
    return Assigned(topic, clipped.round(_DIGITS))
