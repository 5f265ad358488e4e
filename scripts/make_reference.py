"""The reference pages of the documentation, made of the code: configuration, tables, errors.

`mkdocs build` makes them through `docs_hook.py`; `python scripts/make_reference.py PAGE` prints one.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import finelake
from finelake import errors
from finelake.config.section import Section
from finelake.config.settings import Settings
from finelake.evaluation.verdict import EXIT_CODES

PACKAGE = Path(finelake.__file__).parent
INTERRUPTED = 130

_CONFIGURATION = """# Every setting

Made of the models in `src/finelake/config` when these pages are built. A key is written as in
`--set training.epochs=3`; in the file each dot is one level. `required` settings have no default. Where a text of a
setting names a file, a table or a secret, it is read when it is needed. What a setting means in use is told by the
page of its subject.
"""
_TABLES = """# Every table

Made of the contracts in `src/finelake/tables/schemas` when these pages are built. Each table is a Delta table below
`tables.location`, or `catalog.schema.prefix` + name. Columns may be null unless said otherwise; a table may have
further columns, which are left alone.
"""
_ERRORS = """# What each error means

Made of the code when these pages are built. Every command and task ends with one of these exit codes and one message
on standard error that says what was found, where, what was expected and what to do. `FINELAKE_TRACE=1` shows the whole
trace, which may quote data; with `--json` the error is one line of JSON on standard output. Below each class are all of
its messages; `...` stands for what is filled in.
"""


def configuration_page() -> str:
    """Render every section of `Settings` with its keys, types and defaults."""
    parts = [_CONFIGURATION, "## The file\n\n" + _setting_table("", Settings, sections=False)]
    for name, field in Settings.model_fields.items():
        model = _section_of(field.annotation)
        if model is not None:
            parts += list(_sections(name, model))
    return "\n".join(parts)


def _sections(path: str, model: type[Section]) -> Iterator[str]:
    yield f"## `{path}`\n\n{_text_of(model)}\n\n{_setting_table(path, model, sections=False)}"
    for name, field in model.model_fields.items():
        inner = _section_of(field.annotation)
        if inner is not None:
            repeated = "[]" if get_origin(_without_none(field.annotation)) in (tuple, list) else ""
            yield from _sections(f"{path}.{name}{repeated}", inner)


def _setting_table(path: str, model: type[Section], *, sections: bool) -> str:
    rows = ["| key | type | default |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        if not sections and _is_plain_section(field):
            continue
        key = f"{path}.{name}" if path else name
        rows.append(f"| `{key}` | {_cell(_type_text(field))} | {_cell(_default_text(field))} |")
    return "\n".join(rows) + "\n" if len(rows) > 2 else ""


def _is_plain_section(field: FieldInfo) -> bool:
    return inspect.isclass(field.annotation) and issubclass(field.annotation, Section)


def _section_of(annotation: Any) -> type[Section] | None:
    """Give the section that an annotation holds: itself, or inside Optional, tuple and the like."""
    if inspect.isclass(annotation) and issubclass(annotation, Section):
        return annotation
    found = [_section_of(part) for part in get_args(annotation)]
    return next((each for each in found if each is not None), None)


def _without_none(annotation: Any) -> Any:
    parts = [part for part in get_args(annotation) if part is not type(None)]
    if get_origin(annotation) in (Union, UnionType) and len(parts) == 1:
        return parts[0]
    return annotation


def _type_text(field: FieldInfo) -> str:
    bounds = [_bound(item) for item in field.metadata]
    return ", ".join([_named(field.annotation), *(bound for bound in bounds if bound)])


def _bound(item: Any) -> str:
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤", "min_length": "length ≥", "max_length": "length ≤"}
    said = [f"{sign} {getattr(item, name)}" for name, sign in signs.items() if getattr(item, name, None) is not None]
    if pattern := getattr(item, "pattern", None):
        said.append(f"like `{pattern}`")
    return ", ".join(said)


def _named(annotation: Any) -> str:
    """Give a type in words: choices are listed, sections are named by their class."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return ", ".join([_named(parts[0]), *filter(None, map(_bound, parts[1:]))])
    if origin is Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if origin in (Union, UnionType):
        return " or ".join("nothing" if part is type(None) else _named(part) for part in parts)
    if origin in (tuple, list):
        return f"list of {_named(parts[0])}"
    if origin is dict:
        return f"{_named(parts[0])} to {_named(parts[1])}"
    words = {"str": "text", "int": "whole number", "float": "number", "bool": "yes or no", "datetime": "time"}
    name = getattr(annotation, "__name__", str(annotation))
    return words.get(name, name)


def _default_text(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True) if field.default_factory else field.default
    if default is PydanticUndefined:
        return "required"
    if default is None:
        return "nothing"
    if isinstance(default, Section):
        return "see below"
    return f"`{default!r}`" if not isinstance(default, str) else f"`{default}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _text_of(documented: Any) -> str:
    return inspect.cleandoc(documented.__doc__ or "")


def tables_page() -> str:
    """Render every table of the contracts with its columns and their Spark types."""
    from finelake.tables.contracts import CONTRACTS

    parts = [_TABLES]
    for name, model in CONTRACTS.items():
        schema = model.to_schema()
        rows = ["| column | type |", "|---|---|"]
        rows += [f"| `{column}` | `{_cell(_spark_type(item.dtype))}` |" for column, item in schema.columns.items()]
        parts.append(f"## `{name}`\n\n{_text_of(model)}\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _spark_type(dtype: Any) -> str:
    return str(dtype.type.simpleString())


def errors_page() -> str:
    """Render exit codes, error classes and the messages that the code raises them with."""
    classes = [each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, Exception)]
    messages = raised_messages({each.__name__ for each in classes})
    parts = [_ERRORS, "## Exit codes\n\n| code | meaning |\n|---|---|\n| 0 | done; of a comparison: promote |"]
    codes = {each.exit_code: each.__name__ for each in classes} | {INTERRUPTED: "stopped by the keyboard"}
    codes |= {code: f"the verdict of a comparison: {decision}" for decision, code in EXIT_CODES.items() if code}
    codes[1] = "unexpected: a defect, or the machine"
    linked = {each.__name__: f"[{each.__name__}](#{each.__name__.lower()})" for each in classes}
    parts[-1] += "".join(f"\n| {code} | {linked.get(said, said)} |" for code, said in sorted(codes.items())) + "\n"
    for each in sorted(classes, key=lambda item: item.exit_code):
        found = messages.get(each.__name__, {})
        parts.append(f"## {each.__name__}\n\nExit code {each.exit_code}. {_text_of(each)}\n")
        parts += [f"- {text} (`{place}`)" for text, place in sorted(found.items())]
        parts.append("")
    return "\n".join(parts)


def raised_messages(names: set[str]) -> dict[str, dict[str, str]]:
    """Collect the messages of every `raise` of these classes in the package: class to message to module."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names and node.args:
                text = _template(node.args[0])
                if text:
                    found.setdefault(node.func.id, {})[text] = path.relative_to(PACKAGE.parent).as_posix()
    return found


def _template(node: ast.expr) -> str:
    """Give a message with `...` for what is filled in; nothing where the code builds it elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _escaped(node.value)
    if isinstance(node, ast.JoinedStr):
        parts = [_template(part) if isinstance(part, ast.Constant) else "..." for part in node.values]
        return "".join(parts) if any(isinstance(part, ast.Constant) for part in node.values) else ""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _template(node.left) + _template(node.right)
    return ""


def _escaped(text: str) -> str:
    return re.sub(r"([*_<>\[\]{}|])", r"\\\1", text)


PAGES: dict[str, Callable[[], str]] = {
    "configuration": configuration_page,
    "tables": tables_page,
    "errors": errors_page,
}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in PAGES:
        sys.exit(f"usage: make_reference.py {'|'.join(PAGES)}")
    sys.stdout.write(PAGES[sys.argv[1]]())
