"""Fit topics on a bounded sample: TF-IDF, truncated SVD and k-means, or k-means on vectors from elsewhere.

The steps are those of latent semantic analysis (Deerwester et al. 1990); the sample bounds the driver's work whatever
the size of the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from finelake.config.settings import Topics
from finelake.topics.clusters import Clusters, cluster, sklearn, unit
from finelake.topics.model import Doubles, Floats, TopicModel, weigh
from finelake.topics.terms import terms

_COMMON = 0.5
"""A term in more than this share of the sample tells nothing about a topic."""

_LABEL_TERMS = 3
_FLOOR_PERCENTILE = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Conversations of the sample: normalised texts, who they are from (None unknown), vectors where given."""

    texts: Sequence[str]
    users: Sequence[str | None]
    vectors: Floats | None = None


def fit_topics(sample: Sample, *, config: Topics, config_hash: str) -> TopicModel:
    """Fit a topic model; the same sample and settings give the same bits on one machine.

    Without terms that enough users share (or without usable vectors) the model has no topics. Raises
    EnvironmentProblem without scikit-learn.
    """
    vocabulary, counts = _vocabulary(sample, config)
    idf, projection = np.empty(0, np.float64), np.empty((0, 0), np.float32)
    if sample.vectors is not None:
        usable = np.flatnonzero(np.isfinite(sample.vectors).all(axis=1) & (sample.vectors != 0).any(axis=1))
        rows = unit(sample.vectors[usable])
    else:
        usable = np.flatnonzero(np.diff(counts.indptr))
        idf, projection, rows = _project(counts[usable], config)
    found = cluster(rows, count=config.count, seed=config.seed) if len(rows) else None
    named = found and _labels(counts[usable], vocabulary, found, _groups(sample.users)[usable], config)
    return TopicModel(
        config_hash=config_hash,
        characters=config.characters,
        labels=named or (),
        sizes=tuple(int(size) for size in np.bincount(found.members)) if found else (),
        floors=_floors(rows, found) if found else (),
        centroids=found.centres if found else np.empty((0, 0), np.float32),
        vocabulary=vocabulary if sample.vectors is None else (),
        idf=idf,
        projection=projection,
    )


def _groups(users: Sequence[str | None]) -> npt.NDArray[np.int64]:
    """Number users; a conversation of an unknown one counts as a user of its own."""
    numbers: dict[object, int] = {}
    keys = (user if user is not None else place for place, user in enumerate(users))
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _vocabulary(sample: Sample, config: Topics) -> tuple[tuple[str, ...], sparse.csr_matrix]:
    """Choose the terms and count them: those of enough users, not in most conversations, the most frequent first."""
    every, counts = _count_all(sample.texts, config.characters)
    if not every:
        return (), counts
    users = _spread(counts, _groups(sample.users))
    conversations = np.asarray((counts > 0).sum(axis=0)).ravel()
    fit = np.flatnonzero((users >= config.min_users) & (conversations <= max(1.0, _COMMON * len(sample.texts))))
    chosen = fit[np.argsort(-conversations[fit], kind="stable")][: config.terms]
    return tuple(every[place] for place in chosen), counts[:, chosen]


def _count_all(texts: Sequence[str], characters: int) -> tuple[list[str], sparse.csr_matrix]:
    """Count every term of the sample; gives the terms in order and counts float32 (texts, terms)."""
    places: dict[str, int] = {}
    ids: list[int] = []
    ends = [0]
    for text in texts:
        ids += [places.setdefault(term, len(places)) for term in terms(text[:characters])]
        ends.append(len(ids))
    values = np.ones(len(ids), np.float32)
    counts = sparse.csr_matrix((values, np.array(ids, np.int64), np.array(ends, np.int64)), (len(texts), len(places)))
    counts.sum_duplicates()
    every = sorted(places)
    return every, counts[:, [places[term] for term in every]]


def _spread(counts: sparse.csr_matrix, groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Count the distinct users of each term."""
    rows = np.arange(len(groups))
    join = sparse.csr_matrix((np.ones(len(groups), np.float32), (groups, rows)), (groups.max() + 1, len(groups)))
    return np.asarray((join @ (counts > 0).astype(np.float32) > 0).sum(axis=0)).ravel().astype(np.int64)


def _project(counts: sparse.csr_matrix, config: Topics) -> tuple[Doubles, Floats, Floats]:
    """Fit idf (smoothed, as scikit-learn does it) and SVD; gives idf, projection and the rows at length one."""
    if not counts.shape[0] or not counts.shape[1]:
        return np.empty(0, np.float64), np.empty((0, 0), np.float32), np.empty((0, 0), np.float32)
    seen = np.asarray((counts > 0).sum(axis=0)).ravel()
    idf = np.log((1.0 + counts.shape[0]) / (1.0 + seen)) + 1.0
    weighted = weigh(counts, idf)
    wanted = min(config.dimensions, min(weighted.shape) - 1)
    if wanted < 1:
        projection = np.eye(weighted.shape[1], dtype=np.float32)
    else:
        with sklearn() as library:
            fitted = library.TruncatedSVD(n_components=wanted, random_state=config.seed).fit(weighted)
        projection = np.ascontiguousarray(fitted.components_.T.astype(np.float32))
    return idf, projection, unit(weighted @ projection)


def _labels(
    counts: sparse.csr_matrix,
    vocabulary: Sequence[str],
    found: Clusters,
    groups: npt.NDArray[np.int64],
    config: Topics,
) -> tuple[str, ...]:
    """Name each topic by the terms it has more often than the rest, each from enough users of this topic."""
    present = (counts > 0).astype(np.float32)
    overall = np.asarray(present.mean(axis=0)).ravel() if present.shape[1] else np.empty(0)
    labels = []
    for topic in range(len(found.centres)):
        members = np.flatnonzero(found.members == topic)
        share = np.asarray(present[members].mean(axis=0)).ravel() if present.shape[1] else np.empty(0)
        users = _spread(present[members], groups[members]) if present.shape[1] else np.empty(0)
        score = np.where((users >= config.min_users) & (share > overall), share * np.log(share / overall + 1e-12), 0.0)
        best = [place for place in np.argsort(-score, kind="stable")[:_LABEL_TERMS] if score[place] > 0]
        labels.append(", ".join(vocabulary[place] for place in best) or f"topic {topic}")
    return tuple(labels)


def _floors(rows: Floats, found: Clusters) -> tuple[float, ...]:
    """Give the similarity that all but the farthest 5 % of each topic's sample reach, to six digits."""
    similarity = np.einsum("nd,nd->n", rows, found.centres[found.members])
    return tuple(
        round(float(np.percentile(similarity[found.members == topic], _FLOOR_PERCENTILE, method="lower")), 6)
        for topic in range(len(found.centres))
    )
