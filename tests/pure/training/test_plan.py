"""Each check of a plan by what is known, and files read line by line; what breaks a limit is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.http.training.setting import MODEL, publish_examples, publish_lines, settings_for

from finelake.config.models import ModelInfo, Retirement, load_catalogue
from finelake.config.settings import Settings
from finelake.errors import ConfigError, PlanRefusedError
from finelake.services.deployed import Deployed
from finelake.services.offers import Offer, Quota, quota_of
from finelake.training.data import read_training_data
from finelake.training.plan.finding import Finding
from finelake.training.plan.gather import gather
from finelake.training.plan.known import DataPlane, JobThere, Known, Resource, Unread
from finelake.training.plan.make import JobPlan, make_plan

CATALOGUE = load_catalogue()
TODAY = date(2026, 11, 22)
QUOTAS = (
    Quota("OpenAI.DeveloperTier.gpt4.1-mini-finetune", 0, 250),
    Quota("OpenAI.GlobalStandard.gpt4.1-mini", 990, 1000),
)
RESOURCE = Resource("swedencentral", (), QUOTAS, ())
PLANE = DataPlane(0, 0, 0, frozenset(), (), None)


def known_of(folder: Path, *, model: str = MODEL, **sections: dict[str, object]) -> Known:
    """Give what is known of the published files in a folder, at a service and a resource with room."""
    settings = settings_for(folder, url="https://shop.example", **sections).model_copy(update={"model": model})
    known = gather(
        settings=settings,
        catalogue=CATALOGUE,
        data=read_training_data(folder / "published"),
        service=Unread("not asked"),
        patience=None,
        today=TODAY,
    )
    return replace(known, service=PLANE, resource=RESOURCE)


@pytest.fixture
def known(tmp_path: Path) -> Known:
    """What is known of a small, sound run."""
    publish_examples(tmp_path / "published", train=60)
    return known_of(tmp_path)


def findings(plan: JobPlan, check: str) -> list[Finding]:
    """Give the findings of a check."""
    found = [one for _, one in plan.findings if one.check == check]
    assert found, f"no finding of {check}"
    return found


def refusal(known: Known) -> str:
    """Give the message of a plan that is refused."""
    with pytest.raises(PlanRefusedError) as caught:
        make_plan(known).require()
    return str(caught.value)


def test_a_sound_run_is_not_refused_and_every_limit_names_its_source(known: Known) -> None:
    plan = make_plan(known)
    plan.require()
    assert plan.as_dict()["verdict"] == "ok"
    assert json.loads(json.dumps(plan.as_dict()))["files"][0]["examples"] == 60
    for _, one in plan.findings:
        assert one.source or not one.limit, one
        assert one.remedy or one.verdict in {"ok", "unknown"}, one


def test_tokens_are_counted_in_the_file_and_multiplied_by_the_epochs(known: Known) -> None:
    reckoning = known.reckoning
    assert reckoning.tokens is not None
    assert reckoning.billed is not None
    # 34 tokens a line: 3 for each message, 3 for the reply, roles and texts.
    assert (reckoning.tokens.least, reckoning.tokens.most) == (2040, 2040)
    assert (reckoning.billed.least, reckoning.billed.most) == (4080, 4080)
    assert reckoning.trained is not None
    assert reckoning.trained < reckoning.tokens.most


def test_epochs_left_to_the_service_make_a_range(tmp_path: Path) -> None:
    publish_examples(tmp_path / "published", train=60)
    reckoning = known_of(tmp_path, training={"epochs": "auto"}).reckoning
    assert (reckoning.epochs.least, reckoning.epochs.most) == (2, 3)
    assert reckoning.billed is not None
    assert (reckoning.billed.least, reckoning.billed.most) == (4080, 6120)


@pytest.mark.parametrize(
    ("training_type", "least", "most"),
    [("globalStandard", 2.0, 2.0), ("developerTier", 1.0, 1.0), ("standard", 2 / 0.9, 2 / 0.7)],
)
def test_the_price_is_that_of_the_training_type(tmp_path: Path, training_type: str, least: float, most: float) -> None:
    publish_examples(tmp_path / "published", train=60)
    manifest = tmp_path / "published" / "manifest.json"
    manifest.write_text(manifest.read_text().replace(MODEL, "gpt-4.1"))
    price = known_of(tmp_path, model="gpt-4.1", training={"training_type": training_type}).reckoning.price
    assert price is not None
    assert price.amount.least == pytest.approx(4080 * least / 1e6)
    assert price.amount.most == pytest.approx(4080 * most / 1e6)
    assert (price.currency, price.as_of) == ("USD", "2026-03-19")
    assert "cost-management" in price.source


def test_a_budget_without_a_price_is_refused(tmp_path: Path) -> None:
    publish_examples(tmp_path / "published", train=60)
    assert "training_price: no source gives a price" in refusal(known_of(tmp_path, plan={"budget": 5}))


def lines_of(count: int, text: str = "Where is it?") -> list[str]:
    """Give supervised lines."""
    return [
        json.dumps({"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": f"There {n}."}]})
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("spoilt", "check", "told"),
    [
        ('{"messages":[{"role":"user","content":"a"}]}', "line_form", "assistant_missing 1 (line 3)"),
        ('{"prompt":"a","completion":"b"}', "line_form", "messages_missing 1 (line 3)"),
        ("not json", "line_form", "line_not_json 1 (line 3)"),
        (lines_of(1, "say <|fim_suffix|> now")[0], "special_tokens", "special token: 1 (line 3)"),
        (lines_of(1, "say \u003c|im_end|\u003e now")[0].replace("<", "\\u003c"), "special_tokens", "1 (line 3)"),
        (lines_of(1, "far " * 70_000)[0], "line_length", "too long: 1 (line 3)"),
    ],
)
def test_a_bad_line_is_found_with_its_number(tmp_path: Path, spoilt: str, check: str, told: str) -> None:
    lines = lines_of(20)
    lines[2] = spoilt
    publish_lines(tmp_path / "published", {"train": lines, "validation": lines_of(12), "test": lines_of(3)})
    message = refusal(known_of(tmp_path))
    assert f"refused by {check};" in message
    assert told in message


def test_a_file_of_nine_lines_is_refused(tmp_path: Path) -> None:
    publish_examples(tmp_path / "published", train=9)
    message = refusal(known_of(tmp_path))
    assert "examples: train.jsonl: 9 examples (limit: at least 10 a file" in message


@pytest.mark.parametrize(("dense", "verdict"), [(0, "ok"), (1, "warn"), (9, "refuse")])
def test_data_dense_with_personal_values_is_refused(tmp_path: Path, dense: int, verdict: str) -> None:
    personal = lines_of(dense, "I am at mary.jones@example.com, IBAN DE89 3704 0044 0532 0130 00")
    files = {"train": personal + lines_of(20 - dense), "validation": lines_of(12), "test": lines_of(3)}
    publish_lines(tmp_path / "published", files)
    found = findings(make_plan(known_of(tmp_path)), "personal_data")[0]
    assert found.verdict == verdict
    assert "mary" not in str(found)
    assert ("iban" in found.found) == (dense > 0)


def test_kinds_that_are_only_reported_do_not_refuse(tmp_path: Path) -> None:
    lines = lines_of(20, "The shop is at 221 Baker Street, London")
    publish_lines(tmp_path / "published", {"train": lines, "validation": lines_of(12), "test": lines_of(3)})
    assert findings(make_plan(known_of(tmp_path)), "personal_data")[0].verdict == "warn"
    strict = known_of(tmp_path, privacy={"address": "redact"})
    assert findings(make_plan(strict), "personal_data")[0].verdict == "refuse"


def test_a_byte_order_mark_and_empty_lines_are_no_mistake(tmp_path: Path) -> None:
    lines = lines_of(12)
    lines[0] = "\ufeff" + lines[0]
    lines.insert(5, "")
    publish_lines(tmp_path / "published", {"train": lines, "validation": lines_of(12), "test": lines_of(3)})
    known = known_of(tmp_path)
    make_plan(known).require()
    assert known.content["train"].examples == 12


def _with_jobs(*jobs: JobThere) -> Callable[[Known], Known]:
    return lambda known: replace(known, service=replace(PLANE, jobs=jobs))


def _with_resource(**changes: Any) -> Callable[[Known], Known]:
    return lambda known: replace(known, resource=replace(RESOURCE, **changes))


def _with_model(**changes: Any) -> Callable[[Known], Known]:
    def change(known: Known) -> Known:
        model: ModelInfo = known.model.model_copy(update=changes)
        return replace(known, model=model, counted_for=model)

    return change


def _with_settings(**changes: dict[str, object]) -> Callable[[Known], Known]:
    def change(known: Known) -> Known:
        values = known.settings.model_dump()
        for section, keys in changes.items():
            values[section] |= keys
        return replace(known, settings=Settings.model_validate(values))

    return change


def _tuned(count: int) -> tuple[Deployed, ...]:
    return tuple(Deployed(f"d{n}", "gpt-4.1-mini.ft-0a", "1", "Succeeded") for n in range(count))


RETIRED = Retirement(training=TODAY, deployment=TODAY, source="azure_retirements")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (_with_model(methods=("dpo",)), "method"),
        (_with_model(training_types=("globalStandard", "developerTier")), None),
        (_with_model(training_types=("developerTier",)), "training_type"),
        (_with_model(retirement=RETIRED), "training_retirement"),
        (_with_settings(training={"training_type": "standard"}), None),
        (
            lambda known: _with_settings(training={"training_type": "standard"})(
                replace(known, resource=replace(RESOURCE, location="westus"))
            ),
            "training_region",
        ),
        (lambda known: replace(known, service=replace(PLANE, files=99)), "files"),
        (lambda known: replace(known, service=replace(PLANE, files=98)), None),
        (lambda known: replace(known, service=replace(PLANE, bytes=10**9)), "total_bytes"),
        (_with_jobs(*[JobThere(str(n), "over", "") for n in range(100)]), "jobs"),
        (_with_jobs(*[JobThere(str(n), "waiting", "") for n in range(20)]), "queued"),
        (_with_jobs(*[JobThere(str(n), "waiting", "") for n in range(19)]), None),
        (_with_resource(deployments=_tuned(10)), "tuned_deployments"),
        (_with_resource(deployments=_tuned(9)), None),
        (_with_resource(quotas=(Quota("OpenAI.DeveloperTier.gpt4.1-mini-finetune", 245, 250),)), "deployment_quota"),
        (_with_settings(deployment={"capacity": 11}), "deployment_quota"),
        (_with_settings(service={"kind": "openai", "endpoint": "https://api.openai.com/v1"}), None),
        (lambda known: replace(known, counted_for=CATALOGUE.find("gpt-4o")), "curated_model"),
        (lambda known: replace(known, data=replace(known.data, method="dpo")), "curated_method"),
        (_with_resource(offers=(Offer("gpt-4.1-mini", "2025-04-14", "Deprecated", None, None, ()),)), "lifecycle"),
        (_with_resource(offers=(Offer("gpt-4.1-mini", "2025-04-14", "", TODAY, TODAY, ()),)), "training_retirement"),
    ],
)
def test_a_breach_is_refused_and_named(known: Known, change: Callable[[Known], Known], check: str | None) -> None:
    changed = change(known)
    if check is None:
        make_plan(changed).require()
        return
    assert f"\n  {check}: " in refusal(changed)
    accepting = _with_settings(plan={"accept": [one.check for one in make_plan(changed).breaches]})(changed)
    make_plan(accepting).require()
    assert any("Accepted by plan.accept" in one.remedy for one in findings(make_plan(accepting), check))


@pytest.mark.parametrize(
    ("limit", "check"),
    [({"max_file_bytes": 100}, "file_size"), ({"max_tokens_times_epochs": 4079}, "tokens_times_epochs")],
)
def test_the_limits_are_data(known: Known, limit: dict[str, int], check: str) -> None:
    limits = CATALOGUE.limits.model_copy(update=limit)
    changed = replace(known, catalogue=CATALOGUE.model_copy(update={"limits": limits}))
    assert f"refused by {check}" in refusal(changed)


def test_after_the_last_day_openai_creates_no_jobs(known: Known) -> None:
    openai = _with_settings(service={"kind": "openai", "endpoint": "https://api.openai.com/v1"})(known)
    assert findings(make_plan(openai), "provider_notice")[0].verdict == "warn"
    assert "provider_notice" in refusal(replace(openai, today=date(2027, 1, 6)))


def test_a_run_that_has_its_job_is_not_refused_for_want_of_room(known: Known) -> None:
    full = tuple(JobThere(str(n), "over", "") for n in range(100))
    there = replace(PLANE, files=100, uploaded=frozenset({"train", "validation"}), jobs=full, own_job="ftjob-1")
    plan = make_plan(replace(known, service=there))
    plan.require()
    assert "goes on with it" in findings(plan, "own_job")[0].found


def test_three_running_jobs_make_the_next_one_wait(known: Known) -> None:
    running = [JobThere(str(n), "running", "globalstandard") for n in range(3)]
    assert findings(make_plan(_with_jobs(*running)(known)), "running")[0].verdict == "warn"
    developer = [JobThere(str(n), "running", "developertier") for n in range(4)]
    assert findings(make_plan(_with_jobs(*developer)(known)), "running")[0].verdict == "ok"


def test_what_cannot_be_read_is_unknown_and_says_why(known: Known) -> None:
    plan = make_plan(replace(known, service=Unread("no network"), resource=Unread("no sign-in")))
    plan.require()
    assert findings(plan, "service_read")[0].found == "no network"
    assert findings(plan, "resource_read")[0].found == "no sign-in"
    quotas = _with_resource(quotas=Unread("403"))(known)
    assert findings(make_plan(quotas), "deployment_quota")[0].verdict == "unknown"


def test_plan_accept_names_checks(known: Known) -> None:
    with pytest.raises(ConfigError, match=r"plan\.accept: found moon\. Checks are .*special_tokens"):
        make_plan(_with_settings(plan={"accept": ["moon"]})(known))


@pytest.mark.parametrize("written", ["gpt4.1-mini", "gpt-4.1-mini"])
def test_quotas_are_found_however_arm_writes_the_model(written: str) -> None:
    base, tuned = Quota(f"OpenAI.Standard.{written}", 1, 2), Quota(f"OpenAI.Standard.{written}-finetune", 0, 5)
    assert quota_of((base, tuned), sku="Standard", model="gpt-4.1-mini", tuned=True) == tuned
    assert quota_of((base, tuned), sku="Standard", model="gpt-4.1-mini", tuned=False) == base
    assert quota_of((base,), sku="Standard", model="gpt-4.1-mini", tuned=True) == base
    assert quota_of((base,), sku="GlobalStandard", model="gpt-4.1-mini", tuned=True) is None


def test_reinforcement_files_need_a_grader_that_their_lines_can_fill(tmp_path: Path) -> None:
    lines = [json.dumps({"messages": [{"role": "user", "content": f"{n}+1?"}], "sum": n + 1}) for n in range(60)]
    files = {"train": lines[:40], "validation": lines[40:], "test": lines[:3]}
    publish_lines(tmp_path / "published", files, model="o4-mini", method="reinforcement")
    grader = {"type": "string_check", "name": "sum", "operation": "eq", "input": "{{sample.output_text}}"}
    training: dict[str, object] = {"method": "reinforcement", "grader": grader | {"reference": "{{item.sum}}"}}
    plan = make_plan(known_of(tmp_path, model="o4-mini", training=training))
    plan.require()
    assert findings(plan, "hourly_price")[0].found.startswith("100.00 USD")
    assert findings(plan, "reinforcement_job")[0].verdict == "warn"
    training["grader"] = grader | {"reference": "{{item.total}}"}
    message = refusal(known_of(tmp_path, model="o4-mini", training=training))
    assert "grader: grader_template_unknown at grader.reference" in message
