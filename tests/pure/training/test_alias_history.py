"""What an alias stands for and goes back to; what may be promoted, and under which name it is deployed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from finelake.config.settings import Settings
from finelake.errors import InputError, PromotionRefusedError
from finelake.tables.aliases import Action, AliasEntry
from finelake.training.promotion.candidate import (
    Candidate,
    candidate_of,
    deployment_for_use,
    judged,
    require_promote,
)
from finelake.training.promotion.history import before, current, of_alias, superseded

CANDIDATE = Candidate(run_id="0123456789abcdef", model="m.ft-1:ckpt-step-90", step=90, evaluated="shop-0123-step-90")


def change(sequence: int, action: Action, deployment: str, *, alias: str = "production") -> AliasEntry:
    return AliasEntry(
        project="shop",
        alias=alias,
        sequence=sequence,
        action=action,
        deployment=deployment,
        model=f"model-of-{deployment}",
        sku="GlobalStandard",
        capacity=50,
        run_id="run",
        verdict="promote",
        evaluation_id=None,
        reason=None,
        holder="me",
        recorded_at=datetime(2026, 11, 22, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("changes", "now", "back"),
    [
        ("", None, None),
        ("+a", "a", None),
        ("+a +b", "b", "a"),
        ("+a +b -a", "a", None),
        ("+a +b +c -b", "b", "a"),
        ("+a +b +c -b -a", "a", None),
        ("+a +b -a +c", "c", "a"),
        ("+a +b +a", "a", "b"),
    ],
)
def test_promotions_lie_on_each_other_and_a_rollback_takes_one_away(
    changes: str, now: str | None, back: str | None
) -> None:
    history = [
        change(at, "promote" if text[0] == "+" else "rollback", text[1:]) for at, text in enumerate(changes.split(), 1)
    ]
    found, earlier = current(history), before(history)
    assert (found.deployment if found else None) == now
    assert (earlier.deployment if earlier else None) == back


def test_what_no_alias_names_any_more_is_superseded() -> None:
    entries = [
        change(1, "promote", "a"),
        change(2, "promote", "b"),
        change(3, "promote", "c"),
        change(1, "promote", "b", alias="canary"),
    ]
    assert [entry.deployment for entry in superseded(entries, "production")] == ["a"]
    assert superseded(entries, "canary") == []
    assert [entry.alias for entry in of_alias(entries, "canary")] == ["canary"]


class Recorded(dict[str, dict[str, object]]):
    """What a run recorded, by step."""

    def result(self, step: str) -> dict[str, object] | None:
        return self.get(step)


def test_a_run_is_a_candidate_when_it_has_ended() -> None:
    results = Recorded(watch={"fine_tuned_model": "m.ft-1"}, deploy={"name": "shop-0123"})
    with pytest.raises(InputError, match="has not ended"):
        candidate_of("0123", results)
    results["smoke"] = {}
    assert candidate_of("0123", results) == Candidate(run_id="0123", model="m.ft-1", step=None, evaluated="shop-0123")


def comparison(folder: Path, *, verdict: str, run: str = CANDIDATE.run_id, tuned: str = CANDIDATE.evaluated) -> Path:
    said = {"run_id": run, "evaluation_id": "e1", "verdict": verdict, "answers": {"tuned": {"model": tuned}}}
    (folder / "comparison.json").write_text(json.dumps(said), encoding="utf-8")
    return folder


def test_the_verdict_must_be_of_this_run_and_this_deployment(tmp_path: Path) -> None:
    assert judged(CANDIDATE, tmp_path).verdict == "none"
    assert judged(CANDIDATE, comparison(tmp_path, verdict="promote")).verdict == "promote"
    assert judged(CANDIDATE, comparison(tmp_path, verdict="promote", run="other")).verdict == "none"
    assert judged(CANDIDATE, comparison(tmp_path, verdict="promote", tuned="shop-0123")).verdict == "none"


@pytest.mark.parametrize("verdict", ["hold", "reject", "none"])
def test_anything_but_promote_needs_a_reason(tmp_path: Path, verdict: str) -> None:
    folder = tmp_path if verdict == "none" else comparison(tmp_path, verdict=verdict)
    said = judged(CANDIDATE, folder)
    with pytest.raises(PromotionRefusedError, match=r"expected the verdict promote .*--override REASON"):
        require_promote(CANDIDATE, said, override=None)
    require_promote(CANDIDATE, said, override="The judge was asked by hand.")


def test_names_for_use_differ_by_alias_run_step_and_tier() -> None:
    settings = Settings.model_validate(
        {"project": "shop", "model": "m", "source": {"table": "t", "columns": {"turn_index": "n"}}}
    )
    assert deployment_for_use(settings, CANDIDATE) == "shop-production-01234567-step-90-global"
    long = settings.model_copy(update={"project": "a" * 40})
    assert len(deployment_for_use(long, CANDIDATE)) == 64
    assert deployment_for_use(long, CANDIDATE).endswith("-01234567-step-90-global")
