"""Graders of reinforcement training, checked before a job would be refused for them.

Source: Azure's guide to reinforcement fine-tuning. Types string_check, text_similarity, python, score_model and multi;
exactly one grader (multi combines others). Templates name `{{item.KEY}}` of the line and `{{sample.output_text}}` or
`{{sample.output_json}}` of the model's answer.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Set
from typing import Any

from finelake.chat import Problem

MAX_SOURCE_BYTES = 256 * 1024
JUDGES = ("gpt-4o-2024-08-06", "o3-mini-2025-01-31")
_OPERATIONS = {"eq", "ne", "like", "ilike"}
_METRICS = {"fuzzy_match", "bleu", "gleu", "meteor", "rouge_l", *(f"rouge_{n}" for n in range(1, 6))}
_FUNCTIONS = {"min", "max", "abs", "floor", "ceil", "exp", "sqrt", "log"}
_ALLOWED = (
    ast.Expression,
    ast.BinOp,
    ast.UnaryOp,
    ast.Call,
    ast.Name,
    ast.Constant,
    ast.Load,
    ast.operator,
    ast.unaryop,
)
_TEMPLATE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_SAMPLE = re.compile(r"sample\.(output_text|output_json(\.[\w.\[\]]+)?|output_tools(\.[\w.\[\]]+)?|choices.*)\Z")


def grader_problems(
    grader: object, *, keys: Set[str], place: str = "grader", inside: bool = False
) -> Iterator[Problem]:
    """Give what is wrong with a grader; `keys` are those that every line has beside its messages."""
    if not isinstance(grader, Mapping):
        yield Problem("grader_not_object", place)
        return
    kind = grader.get("type")
    look = {
        "string_check": _string_check,
        "text_similarity": _text_similarity,
        "python": _python,
        "score_model": _score_model,
    }
    if kind == "multi" and not inside:
        yield from _multi(grader, keys, place)
    elif kind in look:
        yield from look[str(kind)](grader, place)
    else:
        yield Problem("grader_type_unknown", f"{place}.type")
    if not isinstance(grader.get("name"), str) or not grader["name"]:
        yield Problem("grader_name_missing", f"{place}.name")
    if kind != "multi":
        yield from _templates(grader, keys, place)


def _string_check(grader: Mapping[str, Any], place: str) -> Iterator[Problem]:
    if grader.get("operation") not in _OPERATIONS:
        yield Problem("grader_operation_unknown", f"{place}.operation")
    yield from _texts(grader, place, "input", "reference")


def _text_similarity(grader: Mapping[str, Any], place: str) -> Iterator[Problem]:
    if grader.get("evaluation_metric") not in _METRICS:
        yield Problem("grader_metric_unknown", f"{place}.evaluation_metric")
    yield from _texts(grader, place, "input", "reference")


def _python(grader: Mapping[str, Any], place: str) -> Iterator[Problem]:
    source = grader.get("source")
    if not isinstance(source, str):
        yield Problem("grader_field_missing", f"{place}.source")
        return
    if len(source.encode()) > MAX_SOURCE_BYTES:
        yield Problem("grader_source_too_large", f"{place}.source")
    try:
        parsed = ast.parse(source)
    except (SyntaxError, ValueError):
        yield Problem("grader_source_not_python", f"{place}.source")
        return
    grade = next((one for one in parsed.body if isinstance(one, ast.FunctionDef) and one.name == "grade"), None)
    if grade is None or [one.arg for one in grade.args.args] != ["sample", "item"]:
        yield Problem("grader_function_missing", f"{place}.source: grade(sample, item)")


def _score_model(grader: Mapping[str, Any], place: str) -> Iterator[Problem]:
    if grader.get("model") not in JUDGES:
        yield Problem("grader_model_unknown", f"{place}.model")
    if not isinstance(grader.get("input"), list) or not grader["input"]:
        yield Problem("grader_field_missing", f"{place}.input")


def _multi(grader: Mapping[str, Any], keys: Set[str], place: str) -> Iterator[Problem]:
    graders = grader.get("graders")
    if not isinstance(graders, Mapping) or not graders:
        yield Problem("grader_field_missing", f"{place}.graders")
        return
    for name, one in graders.items():
        yield from grader_problems(one, keys=keys, place=f"{place}.graders.{name}", inside=True)
    if not _is_formula(grader.get("calculate_output"), set(graders)):
        yield Problem("grader_formula_invalid", f"{place}.calculate_output")


def _is_formula(text: object, names: Set[str]) -> bool:
    """Tell whether a formula has only + - * / ^, the known functions, numbers and the graders' names."""
    if not isinstance(text, str):
        return False
    try:
        nodes = list(ast.walk(ast.parse(text.replace("^", "**"), mode="eval")))
    except (SyntaxError, ValueError):
        return False
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    return all(isinstance(node, _ALLOWED) for node in nodes) and called <= _FUNCTIONS and used - called <= names


def _texts(grader: Mapping[str, Any], place: str, *fields: str) -> Iterator[Problem]:
    for field in fields:
        if not isinstance(grader.get(field), str):
            yield Problem("grader_field_missing", f"{place}.{field}")


def _templates(value: object, keys: Set[str], place: str) -> Iterator[Problem]:
    """Look at every template in a grader but not in Python source, which reads its arguments."""
    if isinstance(value, str):
        for named in _TEMPLATE.findall(value):
            first = named.removeprefix("item.").split(".")[0].split("[")[0]
            if not (named.startswith("item.") and first in keys) and not _SAMPLE.match(named):
                yield Problem("grader_template_unknown", place)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key != "source":
                yield from _templates(inner, keys, f"{place}.{key}")
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _templates(inner, keys, f"{place}[{n}]")
