"""How alike an answer and its reference are.

Similarity is measured on the rendered reply (`replies.rendered`): text as it is, a tool call as
`name {arguments}` with canonical JSON. A reply of the other kind than the reference (text where a tool call is
due, or the reverse) has similarity 0, however alike the characters are: it would do the wrong thing.
An empty reply, such as a failed answer's, scores 0.

chrF: Popovic 2015, as in sacrebleu (character order 6, word order 0, beta 2), 0 to 100.
Token F1 and ROUGE-L: ROUGE-1 and longest-common-subsequence F-measure of rouge-score (Lin 2004) over
`words.UnicodeWords`, 0 to 1.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from finelake.evaluation.metrics.metric import Metric, against_reference, is_other_kind
from finelake.evaluation.replies import Reply, rendered
from finelake.evaluation.words import UnicodeWords


def chrf(answer: Reply, reference: Reply) -> float:
    """Give the character n-gram F-score, 0 to 100."""
    if is_other_kind(answer, reference):
        return 0.0
    from sacrebleu import sentence_chrf

    return float(sentence_chrf(rendered(answer), [rendered(reference)]).score)


def token_f1(answer: Reply, reference: Reply) -> float:
    """Give the F-measure of shared tokens (ROUGE-1), 0 to 1."""
    return _rouge_measure("rouge1", answer, reference)


def rouge_l(answer: Reply, reference: Reply) -> float:
    """Give the F-measure of the longest common subsequence of tokens (ROUGE-L), 0 to 1."""
    return _rouge_measure("rougeL", answer, reference)


METRICS = (
    Metric("chrf", "chrF (0-100)", 1, against_reference(chrf), scale=100.0),
    Metric("token_f1", "token F1", 3, against_reference(token_f1)),
    Metric("rouge_l", "ROUGE-L", 3, against_reference(rouge_l)),
)


def _rouge_measure(kind: str, answer: Reply, reference: Reply) -> float:
    if is_other_kind(answer, reference):
        return 0.0
    return float(_rouge(kind).score(rendered(reference), rendered(answer))[kind].fmeasure)


@cache
def _rouge(kind: str) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([kind], tokenizer=UnicodeWords())
