"""What Databricks serverless and Spark Connect lack, as rules over a module's syntax tree.

Source of the list: Databricks' pages on serverless and Spark Connect limitations.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SETTABLE = {
    "spark.sql.shuffle.partitions",
    "spark.sql.session.timeZone",
    "spark.sql.ansi.enabled",
    "spark.sql.files.maxPartitionBytes",
    "spark.sql.legacy.timeParserPolicy",
    "spark.databricks.execution.timeout",
}
JVM_ATTRIBUTES = {"rdd", "sparkContext", "_sc", "_jvm", "_jdf", "_jsc", "_jsparkSession", "_jc"}
CACHING = {"cache", "persist", "unpersist", "checkpoint", "localCheckpoint", "cacheTable"}
SHARED_STATE = {"accumulator", "addPyFile", "addFile"}
GLOBAL_VIEWS = {"createGlobalTempView", "createOrReplaceGlobalTempView"}
TEMP_VIEWS = {"createTempView", "createOrReplaceTempView"}
FUNCTION_MODULES = {"F", "functions"}
CLOUD_PATH = re.compile(r"\A/?dbfs:?/|\bglobal_temp\.|\b(UN)?CACHE TABLE\b", re.IGNORECASE)


@dataclass(frozen=True, order=True)
class Finding:
    """One use of something that serverless lacks."""

    rule: str
    line: int


def _called(node: ast.AST) -> str | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr
    return None


def _first_text(node: ast.Call) -> str | None:
    if node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
        return node.args[0].value
    return None


def jvm_access(node: ast.AST) -> bool:
    """SparkContext, RDDs and py4j handles."""
    if isinstance(node, ast.Attribute):
        return node.attr in JVM_ATTRIBUTES
    return isinstance(node, ast.Name) and node.id in {"SparkContext", "RDD"}


def caching(node: ast.AST) -> bool:
    """Caching and checkpointing of frames."""
    return _called(node) in CACHING


def shared_state(node: ast.AST) -> bool:
    """Broadcast variables (not the broadcast join hint), accumulators, files shipped by the context."""
    name = _called(node)
    if name == "broadcast" and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        owner = node.func.value
        return not (isinstance(owner, ast.Name) and owner.id in FUNCTION_MODULES)
    return name in SHARED_STATE


def global_view(node: ast.AST) -> bool:
    """Global temporary views."""
    return _called(node) in GLOBAL_VIEWS


def fixed_view(node: ast.AST) -> bool:
    """Temporary views with a fixed name, which Connect resolves only when a query runs."""
    return isinstance(node, ast.Call) and _called(node) in TEMP_VIEWS and _first_text(node) is not None


def fixed_path(node: ast.AST) -> bool:
    """DBFS paths, the global_temp schema, CACHE TABLE."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(CLOUD_PATH.search(node.value))


def session_option(node: ast.AST) -> bool:
    """`spark.conf.set` with a key that serverless refuses, or one that cannot be read here; SQL SET as well."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    owner = node.func.value
    if node.func.attr == "set" and isinstance(owner, ast.Attribute) and owner.attr == "conf":
        return _first_text(node) not in SETTABLE
    return node.func.attr == "sql" and (_first_text(node) or "").lstrip().upper().startswith("SET ")


def whole_to_pandas(node: ast.AST) -> bool:
    """A whole frame brought to the driver as pandas."""
    return _called(node) == "toPandas"


def collect(node: ast.AST) -> bool:
    """A whole frame brought to the driver as rows."""
    return isinstance(node, ast.Call) and _called(node) == "collect" and not node.args


def delta_python(node: ast.AST) -> bool:
    """Delta's own Python classes, whose merge plain Connect servers do not know; SQL does the same."""
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] == "delta"
    return isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "delta" for alias in node.names)


def new_udf(node: ast.AST) -> bool:
    """Functions that Spark 4.0 does not have."""
    if isinstance(node, ast.ImportFrom):
        return any(alias.name == "arrow_udf" for alias in node.names)
    return isinstance(node, ast.Attribute) and node.attr == "arrow_udf"


def endless_stream(node: ast.AST) -> bool:
    """Stream triggers other than availableNow."""
    return (
        isinstance(node, ast.Call)
        and _called(node) == "trigger"
        and any(keyword.arg in {"processingTime", "continuous"} for keyword in node.keywords)
    )


RULES: tuple[Callable[[ast.AST], bool], ...] = (
    jvm_access,
    caching,
    shared_state,
    global_view,
    fixed_view,
    fixed_path,
    session_option,
    whole_to_pandas,
    collect,
    delta_python,
    new_udf,
    endless_stream,
)


def _docstrings(tree: ast.AST) -> set[int]:
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, holders)
        and ast.get_docstring(node, clean=False) is not None
        and isinstance(node.body[0], ast.Expr)
    }


def findings(source: str) -> Iterator[Finding]:
    """Yield every use of something forbidden in a module's source; docstrings may name it."""
    tree = ast.parse(source)
    skipped = _docstrings(tree)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        for rule in RULES:
            if rule(node):
                yield Finding(rule=rule.__name__, line=getattr(node, "lineno", 0))
