"""What settings need in Unity Catalog: each setting that names a table, a folder or a model is considered."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from finelake.config.privacy import SecretRef
from finelake.config.settings import Settings
from finelake.config.walking import branches, held_by, section_of
from finelake.databricks.access import in_workspace, needs_of

FOLDER = "/Volumes/far/away/kept/desk"
READ, WRITE = "READ VOLUME on volume far.away.kept", "WRITE VOLUME on volume far.away.kept"
SELECT, EXECUTE = "SELECT on table far.away.kept", "EXECUTE on model far.away.kept"
OPEN = {"models": {"open": "/models/open"}}


def huggingface(**more: Any) -> dict[str, Any]:
    return {"service": {"kind": "huggingface", "huggingface": OPEN | more}}


def entra(**more: Any) -> dict[str, Any]:
    return {"service": {"entra": {"tenant_id": "t", "client_id": "c", **more}}}


def suite(**where: str) -> dict[str, Any]:
    return {"evaluation": {"suites": [{"name": "faq", **where}]}}


def held_out(**where: str) -> dict[str, Any]:
    return {"decontamination": {"tables": [{"name": "faq", "prompt": "question", **where}]}}


NAMED: dict[str, list[tuple[dict[str, Any], set[str]]]] = {
    "source.table": [
        ({"source": {"table": "far.away.kept", "layout": "conversations"}}, {SELECT}),
        ({"source": {"table": FOLDER, "layout": "conversations"}}, {READ}),
    ],
    "tables.location": [
        (
            {"tables": {"location": "far.away"}},
            {f"{privilege} on schema far.away" for privilege in ("CREATE TABLE", "MODIFY", "SELECT")},
        ),
        ({"tables": {"location": FOLDER}}, {READ, WRITE}),
    ],
    "output.folder": [({"output": {"folder": FOLDER}}, {READ, WRITE})],
    "shards.folder": [({"shards": {"folder": FOLDER}}, {READ, WRITE})],
    "tracking.folder": [({"tracking": {"folder": FOLDER}}, {READ, WRITE})],
    "models_file": [({"models_file": FOLDER}, {READ})],
    "examples.tools.file": [({"examples": {"tools": {"file": FOLDER}}}, {READ})],
    "embeddings.table": [({"embeddings": {"column": "v", "table": "far.away.kept"}}, {SELECT})],
    "embeddings.model": [({"embeddings": {"model": FOLDER}}, {READ})],
    "decontamination.tables.*.table": [(held_out(table="far.away.kept"), {SELECT})],
    "decontamination.tables.*.file": [(held_out(file=FOLDER), {READ})],
    "evaluation.suites.*.table": [(suite(table="far.away.kept"), {SELECT})],
    "evaluation.suites.*.jsonl": [(suite(jsonl=FOLDER), {READ})],
    "service.entra.token_file": [(entra(token_file=FOLDER), {READ})],
    "service.entra.service_credential": [
        ({"service": {"entra": {"service_credential": "far"}}}, {"ACCESS on credential far"})
    ],
    "service.huggingface.folder": [(huggingface(folder=FOLDER), {READ, WRITE})],
    "service.huggingface.hardware_file": [(huggingface(hardware_file=FOLDER), {READ})],
    "service.huggingface.shards": [(huggingface(shards=FOLDER) | {"shards": {"folder": FOLDER}}, {READ, WRITE})],
    "service.huggingface.models.*": [
        (huggingface(models={"open": FOLDER}), {READ}),
        (huggingface(models={"open": "models:/far.away.kept/3"}), {EXECUTE}),
        (huggingface(models={"open": "models:/far.away.kept@best"}), {EXECUTE}),
    ],
    "service.huggingface.register_as": [
        (
            huggingface(register_as="far.away.kept"),
            {"CREATE MODEL on schema far.away", "CREATE MODEL VERSION on model far.away.kept", EXECUTE},
        ),
        (
            huggingface(register_as="far.away.kept", models={"open": "models:/far.away.kept/3"}),
            {"CREATE MODEL on schema far.away", "CREATE MODEL VERSION on model far.away.kept", EXECUTE},
        ),
    ],
}
NAMES_NONE = [
    "project",
    "model",
    "tables.prefix",
    "source.columns.*",
    "source.tool_call_fields.*",
    "session.*",
    "conversations.merge_separator",
    "examples.system_prompt.text",
    "checks.row_schemas.*",
    "privacy.phone_regions.*",
    "privacy.allow.*",
    "replies.*",
    "origins.*",
    "embeddings.column",
    "embeddings.key",
    "splits.salt",
    "mixing.*",
    "plan.accept.*",
    "promotion.*",
    "deployment.*",
    "training.suffix",
    "decontamination.tables.[*].name",
    "decontamination.tables.[*].id",
    "decontamination.tables.[*].prompt",
    "decontamination.tables.[*].answer",
    "decontamination.tables.[*].messages",
    "service.endpoint",
    "service.api_version",
    "service.subscription_id",
    "service.resource_group",
    "service.account",
    "service.resource",
    "service.resource_manager",
    "service.entra.tenant_id",
    "service.entra.client_id",
    "service.huggingface.hyperparameters.lora.targets.*",
    "service.huggingface.serve.*",
    "service.huggingface.device",
    "service.huggingface.serving.host",
    "tracking.uri",
    "tracking.experiment",
    "evaluation.smoke_prompts.*",
    "evaluation.metrics.*",
    "evaluation.suites.[*].name",
    "evaluation.suites.[*].mapping.*",
    "evaluation.suites.[*].metrics.*",
    "evaluation.judge.*",
    "evaluation.budget.currency",
    "evaluation.gate.*",
]


def texts_in(annotation: Any, at: str = "") -> Iterator[str]:
    """Walk the types: each setting that is a text."""
    for branch in branches(annotation):
        section = section_of(branch)
        if branch is str:
            yield at
        elif section is not None and section is not SecretRef:
            for name, field in section.model_fields.items():
                yield from texts_in(field.annotation, f"{at}.{name}" if at else name)
        for inner in held_by(branch):
            yield from texts_in(inner, f"{at}.*")


def settings_for(**sections: Any) -> Settings:
    given = {"project": "desk", "model": "gpt-4.1-mini", "source": {"table": "./raw", "layout": "conversations"}}
    return Settings.model_validate(given | sections)


def needed(settings: Settings) -> list[str]:
    return [f"{need.said} on {need.place}" for need in needs_of(settings)]


def test_every_setting_that_is_a_text_is_considered() -> None:
    texts = set(texts_in(Settings))
    assert len(texts) > 50
    forgotten = {at for at in texts - NAMED.keys() if not any(fnmatchcase(at, known) for known in NAMES_NONE)}
    assert not forgotten, "does it name a table, a folder or a model? Then it belongs to NAMED and needs_of"
    assert NAMED.keys() <= texts


@pytest.mark.parametrize(("setting", "case"), [(name, case) for name, cases in NAMED.items() for case in cases])
def test_a_setting_that_names_a_resource_is_a_need_and_no_more(
    setting: str, case: tuple[dict[str, Any], set[str]]
) -> None:
    sections, expected = case
    found = needed(settings_for(**sections))
    assert len(found) == len(set(found)), setting
    inside = {"USE CATALOG on catalog far", "USE SCHEMA on schema far.away"}
    assert set(found) == (expected if expected == {"ACCESS on credential far"} else expected | inside)


def test_no_model_is_made_where_none_is_registered() -> None:
    plain = settings_for(tables={"location": "main.finelake"}, **huggingface())
    assert not [need for need in needed(plain) if "MODEL" in need]


def test_settings_of_this_machine_need_nothing() -> None:
    local = settings_for(tables={"location": "./tables"}, **huggingface(register_as="desk"))
    assert needed(local) == []
    assert not in_workspace(local)
    assert in_workspace(settings_for(tables={"location": "main.finelake"}))
    assert in_workspace(settings_for(source={"table": FOLDER, "layout": "conversations"}))
