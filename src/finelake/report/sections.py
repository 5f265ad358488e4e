"""The report's sections about what a curation may or may not have done; each is null in the document where it has not.

Shares lie between 0 and 1. The figures are those that the curation wrote into its manifest.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyResult:
    """What a policy for long conversations keeps: tokens of its examples, replies trained, replies lost."""

    policy: str
    tokens: int
    replies: int
    replies_lost: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Windows:
    """Conversations longer than `limit` tokens, with their tokens and replies, and what each policy keeps of them.

    `policy` is the one that was used. `not_cut` of them have a turn or exchange that is longer than the limit.
    """

    limit: int
    policy: str
    long_conversations: int
    not_cut: int
    tokens: int
    replies: int
    policies: tuple[PolicyResult, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Similarity:
    """A Jaccard similarity with the share of pairs that the bands find there."""

    similarity: float
    found: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SimilarPairs:
    """How many compared pairs have a similarity from `low` up to the next step."""

    low: float
    pairs: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Duplicates:
    """The search for near duplicates: bands of MinHash values propose candidate pairs, their true similarity decides.

    `conversations` were compared, `hashed` of them in this run and `reused` from earlier ones. `candidates` is the
    number of pairs compared, `verified` of those at or above the
    threshold, in the table pairs. A bucket holds conversations with an equal
    band; `capped` buckets were so large (`capped_rows` in all) that fewer pairs were taken from them.
    """

    side: str
    threshold: float
    permutations: int
    bands: int
    rows_a_band: int
    conversations: int
    hashed: int
    reused: int
    candidates: int
    verified: int
    buckets: int
    largest: int
    capped: int
    capped_rows: int
    s_curve: tuple[Similarity, ...]
    similarities: tuple[SimilarPairs, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TopicShare:
    """A topic by its terms: conversations, trained tokens, and the share of its conversations that lie inside it."""

    topic: int
    label: str
    conversations: int
    trained_tokens: int
    share: float
    coverage: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Topics:
    """How widely the published conversations are spread over topics; `topics` are the largest ones.

    `entropy` is 1 for an even spread (`entropy_tokens`: of trained tokens); `effective_topics` is how many equally
    large topics would be as diverse. `coverage` is the share of conversations that are as near to their topic as 95 %
    of those it was made from. `not_listed` conversations are in topics that are not listed.
    """

    topics_fitted: int
    topics_present: int
    conversations: int
    without_topic: int
    not_listed: int
    entropy: float
    entropy_tokens: float
    effective_topics: float
    coverage: float
    topics: tuple[TopicShare, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """Who wrote the trained tokens: those in examples with a known origin, and those of replies by humans."""

    trained_tokens: int
    known_tokens: int
    human_tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptShare:
    """A system prompt, by the hash that stands for it, and how many examples carry it."""

    key: str
    examples: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SystemPrompts:
    """How many different system prompts the examples carry, how many examples have none, the most frequent ones."""

    distinct: int
    without: int
    most: tuple[PromptShare, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditCheck:
    """A check of the splits: how many were found, how many are allowed (null: any, it is only told), and its result."""

    check: str
    found: int
    allowed: int | None
    passed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedText:
    """Runs of words that training examples shared with evaluation data before anything was done about it.

    `source` is an evaluation table's name or a split, `side` its prompt or answer; `longest` counts words.
    """

    source: str
    side: str
    conversations: int
    spans: int
    longest: int
