"""The bundle fits the CLI's schema, and its tasks fit the package: entry points, parameters, parsers, settings."""

from __future__ import annotations

import ast
import importlib
import json
import re
from collections.abc import Mapping
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from finelake.config.settings import Settings
from finelake.databricks.limits import PARAMETERS_BYTES
from finelake.errors import ConfigError
from finelake.jobs.task import Task, read_task
from support.bundle import ROOT, USER, filled, for_target, merge, merged_bundle, problems, wheel_tasks

SCHEMA = ROOT.parent / "shared" / "databricks" / "bundle_schema.json"
TARGETS = ("dev", "staging", "prod", "classic-17-3", "classic-18")
ROUTE = ["curate", "plan", "train", "evaluate", "verdict", "is_promote", "promote"]
OPEN_ROUTE = ["curate", "shards", "plan", "train_hf", *ROUTE[3:]]


@pytest.fixture(scope="module")
def schema() -> Path:
    """The schema of the Databricks CLI; the test is skipped where it is not beside the project."""
    if not SCHEMA.exists():
        pytest.skip("the bundle schema is absent: no bundle_schema.json in ../shared/databricks")
    return SCHEMA


@pytest.fixture(scope="module")
def bundle() -> dict[str, Any]:
    """The bundle with what it includes, as written."""
    return merged_bundle()


def setup_value(name: str) -> Any:
    """Give a literal argument of the call of setup() in setup.py."""
    for node in ast.walk(ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setup":
            return ast.literal_eval(next(each.value for each in node.keywords if each.arg == name))
    raise AssertionError("setup.py calls no setup()")


def entry_points() -> dict[str, str]:
    """Give the modules of setup.py's console scripts by name."""
    return dict(re.split(r"\s*=\s*", line, maxsplit=1) for line in setup_value("entry_points")["console_scripts"])


def read_parameters(job: Mapping[str, Any], task: Mapping[str, Any]) -> Task:
    """Parse a task's parameters as its own entry point would, and load its settings."""
    wheel = task["python_wheel_task"]
    assert wheel["package_name"] == setup_value("name")
    module = importlib.import_module(entry_points()[wheel["entry_point"]].removesuffix(":main"))
    parameters = [filled(text, job, task) for text in wheel["parameters"]]
    assert len(json.dumps({"python_params": parameters}).encode()) <= PARAMETERS_BYTES
    return read_task(module.parser(), parameters)


def first_job(bundle: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the main job of a resolved bundle and its first task, to be spoilt."""
    job = deepcopy(for_target(bundle, "prod", USER)["resources"]["jobs"]["finelake"])
    return job, job["tasks"][0]


def test_it_fits_the_schema(bundle: dict[str, Any], schema: Path) -> None:
    assert problems(bundle, schema) == []
    assert problems(merged_bundle("resources/with_catalog/*.yml"), schema) == []


@pytest.mark.parametrize("target", TARGETS)
def test_it_fits_the_schema_for_every_target(bundle: dict[str, Any], schema: Path, target: str) -> None:
    assert problems(for_target(bundle, target, USER), schema) == []


SPOILT = {
    "a misspelt key of a job": ("resources.jobs.finelake", {"max_concurent_runs": 1}),
    "a misspelt key of a task": ("resources.jobs.finelake.tasks.0", {"timout_seconds": 1}),
    "a misspelt key of a wheel task": ("resources.jobs.finelake.tasks.0.python_wheel_task", {"entrypoint": "curate"}),
    "a word for a number": ("resources.jobs.finelake", {"timeout_seconds": "a day"}),
    "a list for a text": ("resources.schemas.finelake", {"name": ["finelake"]}),
    "an operator that is not": ("resources.jobs.finelake.tasks.5.condition_task", {"op": "EQUALS"}),
    "an unknown status": ("resources.jobs.finelake.schedule", {"pause_status": "ON"}),
    "an unknown kind of resource": ("resources", {"scopes": {}}),
    "a misspelt key of a target": ("targets.prod", {"defualt": True}),
    "a misspelt section": ("", {"artefacts": {}}),
}


@pytest.mark.parametrize(("place", "change"), SPOILT.values(), ids=SPOILT)
def test_a_mistake_does_not_fit_the_schema(
    bundle: dict[str, Any], schema: Path, place: str, change: dict[str, Any]
) -> None:
    spoilt = deepcopy(bundle)
    node: Any = spoilt
    for part in filter(None, place.split(".")):
        node = node[int(part)] if part.isdigit() else node[part]
    node.update(change)
    assert problems(spoilt, schema)


def test_at_most_five_variables_must_be_set(bundle: dict[str, Any]) -> None:
    assert {name for name, each in bundle["variables"].items() if "default" not in each} == set(USER)
    assert len(USER) <= 5
    with pytest.raises(AssertionError, match="variables without a value"):
        for_target(bundle, "dev", {})


@pytest.mark.parametrize("target", TARGETS)
def test_every_wheel_task_is_read_by_its_own_parser(bundle: dict[str, Any], target: str) -> None:
    for _, job, task in wheel_tasks(for_target(bundle, target, USER)):
        read = read_parameters(job, task)
        assert read.given.run_id == "4711"
        open_model = "train_hf" in {each["task_key"] for each in job["tasks"]}
        assert_settings(read.settings, own="dev_ann_" if target == "dev" else "", open_model=open_model)


def assert_settings(settings: Settings, *, own: str, open_model: bool) -> None:
    """Hold what a task works with against what the user set; `own` begins the names of what one user has."""
    assert settings.source.table == USER["source_table"]
    assert settings.tables.location == f"sales.{own}finelake"
    volume = f"/Volumes/sales/{own}finelake/finelake"
    assert settings.output.folder == volume + ("/open" if open_model else "")
    if open_model:
        assert settings.service.huggingface is not None
        assert settings.service.huggingface.models == {"open-model": "HuggingFaceTB/SmolLM2-1.7B-Instruct"}
        assert settings.service.huggingface.shards == settings.shards.folder == f"{volume}/open_shards"
        assert settings.service.huggingface.register_as == f"sales.{own}finelake.{own}finelake"
        assert settings.tracking.enabled
        return
    assert (settings.service.account, settings.service.resource_group) == ("desk", "ai")
    assert settings.service.endpoint == "https://desk.openai.azure.com"
    assert settings.service.entra is not None


def test_an_option_that_a_parser_does_not_know_is_found(bundle: dict[str, Any]) -> None:
    job, task = first_job(bundle)
    task["python_wheel_task"]["parameters"] += ["--run_id", "1"]
    with pytest.raises(SystemExit):
        read_parameters(job, task)


def test_a_reference_to_a_parameter_that_is_not_declared_is_found(bundle: dict[str, Any]) -> None:
    job, task = first_job(bundle)
    task["python_wheel_task"]["parameters"] += ["--set", "project={{job.parameters.projekt}}"]
    with pytest.raises(ConfigError, match=r"--set project: the value still holds '{{job.parameters.projekt}}'"):
        read_parameters(job, task)


def test_an_entry_point_that_is_not_in_the_wheel_is_found(bundle: dict[str, Any]) -> None:
    job, task = first_job(bundle)
    task["python_wheel_task"]["entry_point"] = "curat"
    with pytest.raises(KeyError):
        read_parameters(job, task)


def test_every_task_main_is_an_entry_point_with_a_parser_of_its_name() -> None:
    mains = {path.stem for path in (ROOT / "jobs").glob("*.py")} - {"__init__", "task"}
    points = {name: place for name, place in entry_points().items() if name != "finelake"}
    assert points == {name: f"finelake.jobs.{name}:main" for name in mains}
    for name in mains:
        assert importlib.import_module(f"finelake.jobs.{name}").parser().prog == name


@pytest.mark.parametrize("name", ["finelake", "finelake_classic", "finelake_huggingface"])
def test_the_road_is_in_order_and_the_verdict_decides(bundle: dict[str, Any], name: str) -> None:
    tasks = {task["task_key"]: task for task in bundle["resources"]["jobs"][name]["tasks"]}
    route = OPEN_ROUTE if name == "finelake_huggingface" else ROUTE
    assert list(tasks) == route
    for before, after in pairwise(route):
        assert [each["task_key"] for each in tasks[after]["depends_on"]] == [before]
    assert tasks["promote"]["depends_on"][0]["outcome"] == "true"
    assert tasks["is_promote"]["condition_task"] == {
        "op": "EQUAL_TO",
        "left": "{{tasks.verdict.values.verdict}}",
        "right": "promote",
    }
    for task in tasks.values():
        assert "condition_task" in task or task["max_retries"] >= 1
        assert "condition_task" in task or task["timeout_seconds"] > 0
    for key in ("evaluate", "promote"):
        assert "--end-normally" in tasks[key]["python_wheel_task"]["parameters"]


def test_a_retry_comes_after_the_lease_of_a_dead_driver(bundle: dict[str, Any]) -> None:
    for _, job, task in wheel_tasks(for_target(bundle, "prod", USER)):
        if task["task_key"] in {"train", "train_hf", "evaluate", "promote"}:
            lease = read_parameters(job, task).settings.training.lease_seconds
            assert task["min_retry_interval_millis"] > lease * 1000
        if task["task_key"].startswith("train"):
            hours = read_parameters(job, task).settings.training.deadline_hours
            assert task["timeout_seconds"] > hours * 3600


def test_the_configuration_asks_for_what_the_job_gives(bundle: dict[str, Any]) -> None:
    for _, job, task in wheel_tasks(for_target(bundle, "prod", USER)):
        file = next(each["default"] for each in job["parameters"] if each["name"] == "config")
        asked = set(re.findall(r"\$\{(\w+)", Path(file).read_text(encoding="utf-8")))
        given = {text.split("=")[0] for text in task["python_wheel_task"]["parameters"] if text.startswith("FINELAKE_")}
        assert given == asked


def test_schedule_and_trigger_are_jobs_of_their_own(bundle: dict[str, Any]) -> None:
    jobs = for_target(bundle, "prod", USER)["resources"]["jobs"]
    assert not [name for name, job in jobs.items() if "schedule" in job and "trigger" in job]
    assert jobs["finelake"]["schedule"]["pause_status"] == "UNPAUSED"
    assert jobs["finelake_on_update"]["trigger"]["table_update"]["table_names"] == [USER["source_table"]]
    running = {name: job["schedule"]["pause_status"] for name, job in jobs.items() if "schedule" in job}
    assert [name for name, status in running.items() if status == "UNPAUSED"] == ["finelake"]
    classic = for_target(bundle, "classic-18", USER)["resources"]["jobs"]
    assert classic["finelake_classic"]["job_clusters"][0]["new_cluster"]["spark_version"].startswith("18.")
    assert classic["finelake_classic"]["schedule"]["pause_status"] == "UNPAUSED"
    assert classic["finelake"]["schedule"]["pause_status"] == "PAUSED"


def test_nothing_starts_by_itself_in_dev(bundle: dict[str, Any]) -> None:
    jobs = for_target(bundle, "dev", USER)["resources"]["jobs"].values()
    timed = [job[key] for job in jobs for key in ("schedule", "trigger", "continuous") if key in job]
    assert [each["pause_status"] for each in timed] == ["PAUSED"] * 3


def test_each_target_has_a_secret_scope_of_its_own(bundle: dict[str, Any]) -> None:
    scopes = [for_target(bundle, target, USER)["resources"]["secret_scopes"]["finelake"]["name"] for target in TARGETS]
    assert scopes[0] == "finelake-dev-ann"
    assert len(set(scopes)) == len(TARGETS)


@pytest.mark.parametrize("name", ["rollback", "promote", "erase"])
def test_what_is_run_by_hand_gets_what_the_caller_says(bundle: dict[str, Any], name: str) -> None:
    job = for_target(bundle, "prod", USER)["resources"]["jobs"][f"finelake_{name}"]
    (first, *_) = job["parameters"]
    assert first["default"] == ""
    first["default"] = "as asked: by hand"
    assert not {"schedule", "trigger", "continuous"} & set(job)
    given = vars(read_parameters(job, job["tasks"][0]).given)
    assert "as asked: by hand" in given.values()


def test_commands_of_the_page_name_what_the_bundle_has(bundle: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "databricks.md").read_text(encoding="utf-8")
    runs = re.findall(r"databricks bundle run (?:-t (\S+) )?(\w+)(?: --params (\w+)=)?", page)
    assert {name for _, name, _ in runs} >= {"finelake", "finelake_rollback", "finelake_promote", "finelake_erase"}
    for target, name, parameter in runs:
        job = for_target(bundle, target or "dev", USER)["resources"]["jobs"][name]
        assert parameter in {"", *(each["name"] for each in job["parameters"])}
    secrets = re.findall(r"databricks secrets put-secret (\S+) (\S+)", page)
    scopes = {for_target(bundle, target, USER)["resources"]["secret_scopes"]["finelake"]["name"] for target in TARGETS}
    assert {scope.replace("YOUR_NAME", "ann") for scope, _ in secrets} <= scopes
    asked = re.findall(r"key: ([\w-]+)\}", (ROOT / "conf" / "databricks.yml").read_text(encoding="utf-8"))
    assert [key for _, key in secrets] == asked * 2


@pytest.mark.parametrize("target", ["dev", "prod"])
def test_what_is_registered_is_the_model_that_the_bundle_makes(bundle: dict[str, Any], target: str) -> None:
    resolved = for_target(bundle, target, USER)
    made = resolved["resources"]["registered_models"]["finelake"]
    _, job, task = next(one for one in wheel_tasks(resolved) if one[2]["task_key"] == "train_hf")
    local = read_parameters(job, task).settings.service.huggingface
    assert local is not None
    assert local.register_as == f"{made['catalog_name']}.{made['schema_name']}.{made['name']}"


def test_the_notebook_reads_what_the_evaluation_writes() -> None:
    text = (ROOT / "notebooks" / "verdict.py").read_text(encoding="utf-8")
    assert text.startswith("# Databricks notebook source\n")
    ast.parse(text)
    from finelake.evaluation.report import JSON_NAME

    assert f'"{JSON_NAME}"' in text


def test_what_is_synchronised_and_named_is_there(bundle: dict[str, Any]) -> None:
    for folder in bundle["sync"]["paths"]:
        assert (ROOT / folder).is_dir()
    for job in bundle["resources"]["jobs"].values():
        for task in job["tasks"]:
            if "notebook_task" in task:
                assert (ROOT / "resources" / task["notebook_task"]["notebook_path"]).is_file()


def test_a_key_that_two_files_give_is_found(bundle: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="given twice"):
        merge(deepcopy(bundle), {"resources": {"volumes": {"finelake": {"name": "other"}}}}, place="other.yml")


def test_the_cluster_with_a_graphics_card_installs_what_the_extra_lists(bundle: dict[str, Any]) -> None:
    extras = setup_constants()
    wanted = {*extras["hf"], *extras["emulator"]}
    for _, _, task in wheel_tasks(
        {"resources": {"jobs": {"one": bundle["resources"]["jobs"]["finelake_huggingface"]}}}
    ):
        listed = {each["pypi"]["package"] for each in task["libraries"] if "pypi" in each}
        # The runtime for machine learning brings PyTorch.
        assert listed == {each for each in wanted if not each.startswith("torch")}


def setup_constants() -> dict[str, list[str]]:
    """Give the extras of setup.py."""
    assigned = {
        node.targets[0].id: node.value
        for node in ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    extras = assigned["EXTRAS"]
    assert isinstance(extras, ast.Dict)
    return {
        ast.literal_eval(key): ast.literal_eval(assigned[value.id] if isinstance(value, ast.Name) else value)
        for key, value in zip(extras.keys, extras.values, strict=True)
        if key is not None
    }


def test_secrets_are_named_in_parameters_and_never_given(bundle: dict[str, Any]) -> None:
    text = json.dumps(for_target(bundle, "prod", USER))
    assert "{{secrets/" not in text
    given = {part for _, _, task in wheel_tasks(bundle) for part in task["python_wheel_task"]["parameters"]}
    assert {part for part in given if re.search("secret|token|password|key", part, re.IGNORECASE)} == {
        "FINELAKE_SECRET_SCOPE={{job.parameters.secret_scope}}"
    }
    # The file itself names places alone: no setting takes a secret's value.
    configuration = (ROOT / "conf" / "databricks.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"client_secret: (\S+?):", configuration)) == {"{scope"}
