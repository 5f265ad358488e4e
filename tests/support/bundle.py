"""The bundle as the CLI sees it: included files merged, a target applied, references replaced."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

ROOT = Path(__file__).resolve().parents[2]
_BUNDLE_REFERENCE = re.compile(r"\$\{([a-z_]+(?:\.[A-Za-z0-9_]+)+)\}")
_JOB_REFERENCE = re.compile(r"\{\{([^}]*)\}\}")
USER = {
    "catalog": "sales",
    "schema": "finelake",
    "source_table": "sales.support.raw_turns",
    "azure_openai": "/subscriptions/0-0/resourceGroups/ai/providers/Microsoft.CognitiveServices/accounts/desk",
    "notify": "team@shop.example",
}
"""What a user sets."""


def merged_bundle(*further: str) -> dict[str, Any]:
    """Read databricks.yml and merge in what it includes, and further patterns; a key given twice is an error."""
    bundle: dict[str, Any] = yaml.safe_load((ROOT / "databricks.yml").read_text(encoding="utf-8"))
    for pattern in [*bundle["include"], *further]:
        files = sorted(ROOT.glob(pattern))
        assert files, f"{pattern} includes nothing"
        for file in files:
            merge(bundle, yaml.safe_load(file.read_text(encoding="utf-8")), place=file.name)
    return bundle


def merge(bundle: dict[str, Any], more: Mapping[str, Any], *, place: str) -> None:
    """Merge mappings; anything else may be given once."""
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(bundle.get(key, {}), dict):
            merge(bundle.setdefault(key, {}), value, place=f"{place}: {key}")
        else:
            assert key not in bundle, f"{place}: {key} is given twice"
            bundle[key] = value


def problems(bundle: Mapping[str, Any], schema_file: Path) -> list[str]:
    """Hold a bundle against the CLI's JSON schema and give what does not fit, each with its place."""
    # Python's re knows no \\p classes.
    text = schema_file.read_text(encoding="utf-8").replace("\\\\p{L}", "a-zA-Z").replace("\\\\p{N}", "0-9")
    text = text.replace("\\\\.a-zA-Z+", "\\\\.[a-zA-Z]+")
    schema = json.loads(text)
    validator = Draft202012Validator(schema)
    # The schema leaves the top level open, for anchors; this bundle needs none there.
    unknown = [f"{key}: unknown section" for key in bundle if key not in schema["properties"]]
    return unknown + [
        f"{'.'.join(str(part) for part in error.absolute_path)}: {_deepest(error).message[:200]}"
        for error in validator.iter_errors(bundle)
    ]


def _deepest(error: Any) -> Any:
    return best_match([error]) or error


def for_target(bundle: Mapping[str, Any], target: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Apply a target's mode and variables and replace `${...}`; a reference to nothing is an error."""
    chosen = bundle["targets"][target]
    values = {name: each.get("default") for name, each in bundle["variables"].items()}
    values |= chosen.get("variables", {}) | given
    missing = [name for name, value in values.items() if value is None]
    assert not missing, f"variables without a value: {missing}"
    applied = deepcopy({key: value for key, value in bundle.items() if key not in {"targets", "variables"}})
    if chosen.get("mode") == "development":
        _as_development(applied["resources"])
    known = {"var": values, "bundle": {"name": "finelake", "target": target}, "resources": applied["resources"]}
    known["workspace"] = {"file_path": str(ROOT), "current_user": {"userName": "ann", "short_name": "ann"}}
    resolved: dict[str, Any] = _replaced(applied, known)
    return resolved


def _as_development(resources: dict[str, Any]) -> None:
    """Do what the CLI does in development mode (its apply_presets.go): a pause status that is given is left alone."""
    for job in resources["jobs"].values():
        job["name"] = f"[dev ann] {job['name']}"
        for timed in (job[key] for key in ("schedule", "trigger", "continuous") if key in job):
            timed.setdefault("pause_status", "PAUSED")
    for kind in ("schemas", "registered_models"):
        for each in resources[kind].values():
            each["name"] = f"dev_ann_{each['name']}"


def _replaced(value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(item, known) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, known) for item in value]
    if not isinstance(value, str):
        return value

    def found(match: re.Match[str]) -> str:
        node: Any = known
        for part in match.group(1).split("."):
            if part == "id" and part not in node:
                return match.group(0)  # known after the deployment
            assert part in node, f"{match.group(0)} refers to nothing"
            node = node[part]
        return str(_replaced(str(node), known))

    return _BUNDLE_REFERENCE.sub(found, value)


def wheel_tasks(bundle: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Give each wheel task with its job and the job's name."""
    for name, job in bundle["resources"]["jobs"].items():
        for task in job["tasks"]:
            if "python_wheel_task" in task:
                yield name, job, task


def filled(text: str, job: Mapping[str, Any], task: Mapping[str, Any]) -> str:
    """Replace what the platform replaces in a task's parameter; a reference that it does not know stays."""
    parameters = {each["name"]: each["default"] for each in job.get("parameters", [])}
    above = {each["task_key"] for each in task.get("depends_on", [])}

    def found(match: re.Match[str]) -> str:
        reference = match.group(1)
        if reference == "job.run_id":
            return "4711"
        if reference.startswith("job.parameters.") and reference.removeprefix("job.parameters.") in parameters:
            return str(parameters[reference.removeprefix("job.parameters.")])
        if (value := re.fullmatch(r"tasks\.(\w+)\.values\.\w+", reference)) and value.group(1) in above:
            return "promote"
        return match.group(0)

    return _JOB_REFERENCE.sub(found, text)
