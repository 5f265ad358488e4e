"""The plan itself: what a job will come to and what every check found; a breach refuses."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import Any

from finelake.errors import ConfigError, PlanRefusedError
from finelake.training.plan.finding import Finding, Group
from finelake.training.plan.known import Known
from finelake.training.plan.reckoning import Between, Reckoning
from finelake.training.plan.registry import all_checks


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file of the job; `uploaded` where its content is at the service already."""

    name: str
    bytes: int
    examples: int
    tokens: int | None
    trained_tokens: int | None
    uploaded: bool | None


@dataclass(frozen=True, slots=True)
class JobPlan:
    """What will be done, what it comes to, and the findings by group."""

    model: str
    method: str
    training_type: str
    files: tuple[PlannedFile, ...]
    reckoning: Reckoning
    findings: tuple[tuple[Group, Finding], ...]

    @property
    def counts(self) -> Counter[str]:
        """Count the findings by verdict."""
        return Counter(finding.verdict for _, finding in self.findings)

    @property
    def breaches(self) -> tuple[Finding, ...]:
        """The findings that refuse."""
        return tuple(finding for _, finding in self.findings if finding.verdict == "refuse")

    def require(self) -> None:
        """Raise PlanRefusedError that names every breach with what to do."""
        if self.breaches:
            lines = [f"  {one.check}: {one.found} (limit: {one.limit}). {one.remedy}" for one in self.breaches]
            names = ", ".join(dict.fromkeys(one.check for one in self.breaches))
            raise PlanRefusedError(
                "\n".join(
                    [
                        f"The plan is refused by {names}; nothing was uploaded or started.",
                        *lines,
                        "A limit that no longer holds can be set aside: plan.accept: [CHECK].",
                    ]
                )
            )

    def as_dict(self) -> dict[str, Any]:
        """Give the plan as plain JSON values."""
        findings = [{"group": group, **asdict(finding)} for group, finding in self.findings]
        verdict = "refuse" if self.breaches else "ok"
        return {**asdict(self), "verdict": verdict, "counts": dict(self.counts), "findings": findings}

    def as_record(self) -> dict[str, Any]:
        """Give what is kept of the plan in the run's journal: the expectation, and what was not simply in order."""
        open_ = [f"{one.check}: {one.verdict}" for _, one in self.findings if one.verdict in {"warn", "refuse"}]
        price, billed = self.reckoning.price, self.reckoning.billed
        return {
            "checks": sum(self.counts.values()),
            "open": open_,
            "unknown": self.counts["unknown"],
            "epochs": _ends(self.reckoning.epochs),
            "billed_tokens": _ends(billed),
            "price": None if price is None else [*(_ends(price.amount) or []), price.currency, price.as_of],
        }


def make_plan(known: Known) -> JobPlan:
    """Run every check over what is known. Raises ConfigError when plan.accept names a check that there is none of."""
    found = [(one.group, finding) for one in all_checks() for finding in one.look(known)]
    accepted = set(known.settings.plan.accept)
    names = {look.__name__ for look in (one.look for one in all_checks())} | {finding.check for _, finding in found}
    if accepted - names:
        raise ConfigError(
            f"plan.accept: found {', '.join(sorted(accepted - names))}. Checks are {', '.join(sorted(names))}."
        )
    there = getattr(known.service, "uploaded", None)
    return JobPlan(
        model=known.model.id,
        method=known.settings.training.method,
        training_type=known.settings.training.training_type if known.is_azure else "",
        files=tuple(
            PlannedFile(
                name=file.path.name,
                bytes=file.bytes,
                examples=known.content[file.split].examples,
                tokens=(tokens := known.content[file.split].tokens) and tokens.most,
                trained_tokens=tokens and tokens.trained,
                uploaded=None if there is None else file.split in there,
            )
            for file in known.sent
        ),
        reckoning=known.reckoning,
        findings=tuple((group, _accepted(finding, accepted)) for group, finding in found),
    )


def _accepted(finding: Finding, accepted: set[str]) -> Finding:
    if finding.verdict != "refuse" or finding.check not in accepted:
        return finding
    return replace(finding, verdict="warn", remedy=f"Accepted by plan.accept. {finding.remedy}")


def _ends(between: Between | None) -> list[float] | None:
    return None if between is None else [between.least, between.most]
