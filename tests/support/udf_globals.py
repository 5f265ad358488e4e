"""Which mutable names of a module its user-defined functions read.

A function inside another one travels to the workers by value, with what it reads of its module as that is when the
query runs: on Spark Connect later than when the frame was made.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

MAKERS = {"pandas_udf", "udf", "mapInPandas", "mapInArrow", "applyInPandas", "applyInArrow", "foreachBatch"}
MUTABLE_CALLS = {"list", "dict", "set", "defaultdict", "Counter", "deque", "OrderedDict", "bytearray"}
_DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


def captured_globals(tree: ast.Module) -> set[str]:
    """Give the mutable module names that functions inside functions read, where the module makes UDFs at all."""
    if not makes_functions(tree):
        return set()
    mutable = mutable_names(tree)
    return {name for function in _inner_functions(tree) for name in _reads(function) & mutable}


def makes_functions(tree: ast.Module) -> bool:
    """Tell whether a module makes user-defined functions."""
    return any(_name(node) in MAKERS for node in ast.walk(tree))


def mutable_names(tree: ast.Module) -> set[str]:
    """Give the module's names that hold lists, dictionaries or sets, or that are bound more than once."""
    bound: list[str] = []
    mutable: set[str] = set()
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if _annotated(node) else []
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        bound += names
        if _is_mutable(getattr(node, "value", None)):
            mutable |= set(names)
    rebound = {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
    return mutable | rebound | {name for name in bound if bound.count(name) > 1}


def _annotated(node: ast.AST) -> bool:
    return isinstance(node, ast.AnnAssign)


def _is_mutable(value: object) -> bool:
    if isinstance(value, ast.Call):
        return _name(value.func) in MUTABLE_CALLS
    return isinstance(value, _DISPLAYS)


def _inner_functions(tree: ast.Module) -> Iterator[ast.AST]:
    for outer in ast.walk(tree):
        if isinstance(outer, ast.FunctionDef):
            yield from (
                node for node in ast.walk(outer) if isinstance(node, ast.FunctionDef | ast.Lambda) and node is not outer
            )


def _reads(function: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _name(node: ast.AST) -> str | None:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None
