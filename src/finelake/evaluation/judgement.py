"""What the judge found: preferences by item, and how far its verdicts hang on the order of the answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finelake.evaluation.asking import Answer
from finelake.evaluation.judge import PREFERENCE, Choice, Pair, read_choice
from finelake.evaluation.score_table import Score
from finelake.evaluation.significance import share_interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """Counts over the pairs of one suite.

    `won`, `lost`, `tied` are of the tuned model; `inconsistent` pairs, whose verdict turned with the order, are tied
    as well, `identical` pairs were the same text. `unreadable` pairs have a verdict that could not be read, `unasked`
    ones did not fit into the budget; neither counts. `first_share` is how often the answer that stood first
    was chosen among decided verdicts, with its interval; an unbiased judge has 0.5. `p_bias`: two-sided, that the
    pairs that turned did so towards first and second place alike.
    """

    suite: str
    model: str
    pairs: int
    won: int
    lost: int
    tied: int
    identical: int
    inconsistent: int
    unreadable: int
    unasked: int
    first_share: float | None
    first_low: float
    first_high: float
    p_bias: float

    @property
    def inconsistent_share(self) -> float:
        """Inconsistent pairs among those with two readable verdicts."""
        judged = self.pairs - self.unreadable - self.unasked - self.identical
        return self.inconsistent / judged if judged else 0.0

    @property
    def is_biased(self) -> bool:
        """Whether the order plainly matters (p below 0.05)."""
        return self.p_bias < 0.05


@dataclass(frozen=True, slots=True)
class _Judged:
    pair: Pair
    base_first: Choice | None
    tuned_first: Choice | None

    @property
    def preference(self) -> float | None:
        """1 for the tuned answer, 0 for the base one, 0.5 for a tie; None when a verdict is missing."""
        if not self.pair.questions:
            return 0.5
        if self.base_first is None or self.tuned_first is None:
            return None
        tuned = {("B", "A"): 1.0, ("B", "tie"): 1.0, ("tie", "A"): 1.0}
        base = {("A", "B"): 0.0, ("A", "tie"): 0.0, ("tie", "B"): 0.0}
        return (tuned | base).get((self.base_first, self.tuned_first), 0.5)

    @property
    def turned_to(self) -> str | None:
        """`first` or `second` where the same place won in both orders."""
        places = {("A", "A"): "first", ("B", "B"): "second"}
        return places.get((str(self.base_first), str(self.tuned_first)))


def judge_scores(pairs: Sequence[Pair], verdicts: Mapping[str, Answer]) -> list[Score]:
    """Give the preference as a score of each item: the tuned model's share of the win, and the base model's rest."""
    scores = []
    for pair in pairs:
        preference = _judged(pair, verdicts).preference
        if preference is not None:
            item = pair.item
            scores.append(
                Score(
                    conversation_id=item.conversation_id,
                    window=item.window,
                    message=item.message,
                    group_key=item.group_key,
                    metric=PREFERENCE.name,
                    base=1.0 - preference,
                    tuned=preference,
                    base_answer=pair.base.key,
                    tuned_answer=pair.tuned.key,
                    suite=item.suite,
                )
            )
    return scores


def judgements(
    pairs: Sequence[Pair], verdicts: Mapping[str, Answer], *, model: str, confidence: float
) -> tuple[Judgement, ...]:
    """Sum up each suite's pairs, in the order in which suites come."""
    by_suite: dict[str, list[_Judged]] = {}
    for pair in pairs:
        by_suite.setdefault(pair.item.suite, []).append(_judged(pair, verdicts))
    return tuple(_summed(suite, judged, verdicts, model, confidence) for suite, judged in by_suite.items())


def _summed(
    suite: str, judged: Sequence[_Judged], verdicts: Mapping[str, Answer], model: str, confidence: float
) -> Judgement:
    preferences = Counter(entry.preference for entry in judged)
    turned = Counter(entry.turned_to for entry in judged)
    choices = Counter(choice for entry in judged for choice in (entry.base_first, entry.tuned_first))
    unasked = sum(any(question.key not in verdicts for question in entry.pair.questions) for entry in judged)
    share = share_interval(choices["A"], choices["A"] + choices["B"], confidence=confidence)
    return Judgement(
        suite=suite,
        model=model,
        pairs=len(judged),
        won=preferences[1.0],
        lost=preferences[0.0],
        tied=preferences[0.5],
        identical=sum(not entry.pair.questions for entry in judged),
        inconsistent=turned["first"] + turned["second"],
        unreadable=preferences[None] - unasked,
        unasked=unasked,
        first_share=share.share,
        first_low=share.low,
        first_high=share.high,
        p_bias=share_interval(turned["first"], turned["first"] + turned["second"], confidence=confidence).p_half,
    )


def _judged(pair: Pair, verdicts: Mapping[str, Answer]) -> _Judged:
    def choice(place: int) -> Choice | None:
        answer = verdicts.get(pair.questions[place].key) if pair.questions else None
        return None if answer is None else read_choice(answer)

    return _Judged(pair, choice(0), choice(1))
