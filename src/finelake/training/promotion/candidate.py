"""What may be promoted: a run that has ended, its deployed model, and what its evaluation said."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from finelake.config.settings import Settings
from finelake.errors import InputError, PromotionRefusedError
from finelake.evaluation.report import JSON_NAME
from finelake.training.identity import LONGEST_NAME
from finelake.training.steps import DEPLOY, SMOKE, WATCH

_TIERS = {
    "Standard": "standard",
    "GlobalStandard": "global",
    "DataZoneStandard": "datazone",
    "ProvisionedManaged": "provisioned",
}


class Results(Protocol):
    """Gives what a finished step of a run recorded."""

    def result(self, step: str) -> dict[str, Any] | None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What the evaluation of a run said; `verdict` is "none" where there is no evaluation of the deployed model."""

    verdict: str
    evaluation_id: str | None = None
    found: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A run's deployed model; `evaluated` is the deployment that was judged, `step` None for the job's last."""

    run_id: str
    model: str
    step: int | None
    evaluated: str


def candidate_of(run_id: str, results: Results) -> Candidate:
    """Read what a run deployed. Raises InputError when the run has not ended."""
    ended, deployed = results.result(WATCH), results.result(DEPLOY)
    if ended is None or deployed is None or results.result(SMOKE) is None:
        raise InputError(
            f"Training run {run_id} has not ended, so there is nothing to promote. Run `finelake train` and `finelake "
            f"evaluate` with the same configuration first."
        )
    model = deployed.get("model") or ended["fine_tuned_model"]
    return Candidate(run_id=run_id, model=str(model), step=deployed.get("step"), evaluated=str(deployed["name"]))


def judged(candidate: Candidate, folder: Path) -> Judged:
    """Read the verdict from the comparison in the output folder; it must be of this run and this deployment."""
    place = folder / JSON_NAME
    try:
        said = json.loads(place.read_text(encoding="utf-8"))
        run, tuned = said["run_id"], said["answers"]["tuned"]["model"]
        verdict, evaluation = str(said["verdict"]), str(said["evaluation_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return Judged(verdict="none", found=f"{place} holds no comparison")
    if (run, tuned) != (candidate.run_id, candidate.evaluated):
        return Judged(verdict="none", found=f"{place} is of deployment {tuned} of run {run}")
    return Judged(verdict=verdict, evaluation_id=evaluation, found=f"{place} says {verdict}")


def require_promote(candidate: Candidate, said: Judged, *, override: str | None) -> None:
    """Raise PromotionRefusedError for a verdict other than promote, unless a reason says why all the same."""
    if said.verdict == "promote" or override is not None:
        return
    raise PromotionRefusedError(
        f"Run {candidate.run_id} is not promoted: {said.found}, expected the verdict promote for deployment "
        f"{candidate.evaluated}. Run `finelake evaluate`, train anew, or give a reason, which is kept: "
        f"--override REASON (promotion.override)."
    )


def deployment_for_use(settings: Settings, candidate: Candidate) -> str:
    """Name the deployment of a model for use: project, alias, run, step and tier, so that no two share a name."""
    step = "" if candidate.step is None else f"-step-{candidate.step}"
    end = f"-{candidate.run_id[:8]}{step}-{_TIERS[settings.promotion.sku]}"
    return f"{settings.project}-{settings.promotion.alias}"[: LONGEST_NAME - len(end)] + end
