"""Exact, near and semantic duplicates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from finelake.config.section import Section


class Semantic(Section):
    """Semantic near duplicates: conversations whose vectors (section `embeddings`) have a cosine of `threshold` up.

    They are searched for within `clusters` of a k-means on `sample` conversations (None: by their number), each one in
    its `probes` nearest clusters. The threshold's default is the cautious end of SemDeDup's (arXiv 2303.09540).
    """

    enabled: bool = False
    threshold: Annotated[float, Field(gt=0.0, le=1.0)] = 0.95
    clusters: Annotated[int, Field(ge=1, le=4096)] | None = None
    sample: Annotated[int, Field(ge=100, le=50_000)] = 10_000
    probes: Annotated[int, Field(ge=1, le=8)] = 2
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 7


class Duplicates(Section):
    """Exact duplicates by a normalised hash of what is trained, near ones by a verified Jaccard similarity.

    `side` is the text that conversations are compared by: `reply` (what the assistant says, and the last user turn),
    `user` or `both`. With `near`, of two conversations at or above the `threshold` only the better one stays;
    `permutations` is the length of the MinHash signatures that find candidates. `driver_values` bounds what the driver
    holds at once, in numbers of eight bytes (band keys, shingles); above it the same is done on Spark.
    """

    exact: bool = True
    side: Literal["reply", "user", "both"] = "reply"
    near: bool = False
    threshold: Annotated[float, Field(ge=0.3, le=1.0)] = 0.8
    permutations: Annotated[int, Field(ge=16, le=1024)] = 128
    driver_values: Annotated[int, Field(ge=0)] = 32_000_000
    semantic: Semantic = Semantic()
