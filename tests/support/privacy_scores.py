"""Precision and recall of the detectors on the labelled set, by kind and language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from finelake.config.settings import Privacy
from finelake.privacy.detect import Detector
from finelake.privacy.kinds import KINDS
from support.privacy_cases import LANGUAGES, NEGATIVE, Case

REGIONS = Privacy().phone_regions


@dataclass(frozen=True)
class Score:
    """Counts of one kind and language; precision counts every finding in any case, also in the hard negatives."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed)


def is_right(case: Case, start: int, end: int) -> bool:
    """Say whether a finding covers the value and no more than the value; of a URL only its credentials are it."""
    if case.span is None:
        return False
    first, last = case.span
    if case.kind == "url_credential":
        return first < start and end <= last
    return (start, end) == (first, last)


def scores(cases: Iterable[Case]) -> dict[tuple[str, str], Score]:
    """Run the detectors with every kind on and count by kind and language."""
    detector = Detector(dict.fromkeys(KINDS, "redact"), REGIONS)
    right: Counter[tuple[str, str]] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    there: Counter[tuple[str, str]] = Counter()
    for case in cases:
        found = detector.find(case.text)
        if case.kind != NEGATIVE:
            there[(case.kind, case.language)] += 1
            right[(case.kind, case.language)] += any(
                item.kind == case.kind and is_right(case, item.start, item.end) for item in found
            )
        for item in found:
            if item.kind != case.kind or not is_right(case, item.start, item.end):
                wrong[(item.kind, case.language)] += 1
    keys = [(kind, language) for kind in KINDS for language in LANGUAGES]
    return {key: Score(right[key], wrong[key], there[key] - right[key]) for key in keys}
