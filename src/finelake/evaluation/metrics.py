"""Scores of one answer against its reference. Each is a pure function of two replies.

Similarity is measured on the rendered reply (`replies.rendered`): text as it is, a tool call as
`name {arguments}` with canonical JSON. A reply of the other kind than the reference (text where a tool call is
due, or the reverse) has similarity 0, however alike the characters are: it would do the wrong thing.
An empty reply, such as a failed answer's, scores 0.

chrF: Popovic 2015, as in sacrebleu (character order 6, word order 0, beta 2), 0 to 100.
Token F1: ROUGE-1 F-measure of rouge-score over `words.UnicodeWords`, 0 to 1.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from finelake.evaluation.replies import Reply, canonical_arguments, rendered
from finelake.evaluation.words import UnicodeWords

Measure = Callable[[Reply, Reply], float | None]


@dataclass(frozen=True, slots=True)
class Metric:
    """A named measure of (answer, reference). None means that the metric does not apply to the reference."""

    name: str
    title: str
    digits: int
    measure: Measure
    higher_is_better: bool = True


def chrf(answer: Reply, reference: Reply) -> float:
    """Give the character n-gram F-score, 0 to 100."""
    if _other_kind(answer, reference):
        return 0.0
    from sacrebleu import sentence_chrf

    return float(sentence_chrf(rendered(answer), [rendered(reference)]).score)


def token_f1(answer: Reply, reference: Reply) -> float:
    """Give the F-measure of shared tokens (ROUGE-1), 0 to 1."""
    if _other_kind(answer, reference):
        return 0.0
    return float(_rouge().score(rendered(reference), rendered(answer))["rouge1"].fmeasure)


def exact_match(answer: Reply, reference: Reply) -> float:
    """Tell whether both say the same, up to Unicode composition (NFC) and white space: 1 or 0."""
    return float(not _other_kind(answer, reference) and _settled(answer) == _settled(reference))


def reply_kind_match(answer: Reply, reference: Reply) -> float:
    """Tell whether the answer calls tools where the reference does, and says text where it does: 1 or 0."""
    return float(not _other_kind(answer, reference))


def tool_name_match(answer: Reply, reference: Reply) -> float | None:
    """Tell whether the same tools are called, as often, in any order: 1 or 0; None for a reference in text."""
    if not reference.calls_tools:
        return None
    return float(Counter(call.name for call in answer.tool_calls) == Counter(c.name for c in reference.tool_calls))


def tool_call_match(answer: Reply, reference: Reply) -> float | None:
    """Tell whether the same tools are called with equal JSON arguments: 1 or 0; None for a reference in text.

    Arguments that are not JSON match nothing.
    """
    if not reference.calls_tools:
        return None
    found = _calls(answer)
    readable = all(arguments is not None for _, arguments in found)
    return float(readable and found == _calls(reference))


def non_empty(answer: Reply, reference: Reply) -> float:
    """Tell whether there is an answer at all: 1 or 0."""
    del reference
    return float(not answer.is_empty)


def length_ratio(answer: Reply, reference: Reply) -> float | None:
    """Give the answer's length in characters over the reference's; None when the reference is empty."""
    expected = len(rendered(reference))
    return len(rendered(answer)) / expected if expected else None


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("chrf", "chrF (0-100)", 1, chrf),
            Metric("token_f1", "token F1", 3, token_f1),
            Metric("exact_match", "exact match", 3, exact_match),
            Metric("reply_kind_match", "right kind of reply", 3, reply_kind_match),
            Metric("tool_name_match", "tool names match", 3, tool_name_match),
            Metric("tool_call_match", "tool calls match", 3, tool_call_match),
            Metric("non_empty", "not empty", 3, non_empty),
            Metric("length_ratio", "length / reference", 2, length_ratio, higher_is_better=False),
        )
    }
)


def _other_kind(answer: Reply, reference: Reply) -> bool:
    return answer.is_empty or answer.calls_tools != reference.calls_tools


def _settled(reply: Reply) -> str:
    return " ".join(unicodedata.normalize("NFC", rendered(reply)).split())


def _calls(reply: Reply) -> Counter[tuple[str, str | None]]:
    return Counter((call.name, canonical_arguments(call.arguments)) for call in reply.tool_calls)


@cache
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1"], tokenizer=UnicodeWords())
