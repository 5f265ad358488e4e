"""What Databricks serverless and Spark Connect lack, as rules over a module's syntax tree.

Source of the list: Databricks' pages on serverless and Spark Connect limitations.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeGuard

from support.udf_globals import captured_globals

SETTABLE = {
    "spark.sql.shuffle.partitions",
    "spark.sql.session.timeZone",
    "spark.sql.ansi.enabled",
    "spark.sql.files.maxPartitionBytes",
    "spark.sql.legacy.timeParserPolicy",
    "spark.databricks.execution.timeout",
}
JVM_ATTRIBUTES = {"rdd", "sparkContext", "_sc", "_jvm", "_jdf", "_jsc", "_jsparkSession", "_jc"}
CONTEXTS = {"SparkContext", "RDD", "SQLContext", "HiveContext"}
CACHING = {"cache", "persist", "unpersist", "checkpoint", "localCheckpoint", "cacheTable"}
SHARED_STATE = {"accumulator", "addPyFile", "addFile"}
GLOBAL_VIEWS = {"createGlobalTempView", "createOrReplaceGlobalTempView"}
TEMP_VIEWS = {"createTempView", "createOrReplaceTempView"}
FUNCTION_MODULES = {"F", "functions", "dist"}  # dist: torch.distributed
OBSERVING = {"observe", "Observation"}
STREAM_SINKS = {"start", "toTable"}
ANALYSED = {"schema", "columns", "dtypes", "count", "collect", "first", "toArrow", "save", "saveAsTable", "isEmpty"}
ANALYSED |= {"append_once", "overwrite"}  # the package's own writers
ANALYSIS_ERRORS = {"AnalysisException", "ParseException"}
CLOUD_PATH = re.compile(
    r"\A/?dbfs:?/|\A/mnt/|\bglobal_temp\.|\b(UN)?CACHE TABLE\b|\bCREATE\b.*\bTEMP(ORARY)? VIEW\b", re.IGNORECASE
)


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
    return isinstance(node, ast.Name) and node.id in CONTEXTS


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


def temp_view(node: ast.AST) -> bool:
    """Temporary views: Connect resolves their names only when a query runs, so that one used twice changes both."""
    return _called(node) in TEMP_VIEWS


def fixed_path(node: ast.AST) -> bool:
    """DBFS paths and mounts, the global_temp schema, CACHE TABLE, temporary views in SQL."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(CLOUD_PATH.search(node.value))


def session_option(node: ast.AST) -> bool:
    """`spark.conf.set` or `unset` of a key that serverless refuses or that cannot be read here; SQL SET as well."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    owner = node.func.value
    if node.func.attr in ("set", "unset") and isinstance(owner, ast.Attribute) and owner.attr == "conf":
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
    """Stream triggers other than availableNow, and streams that are started without one."""
    if isinstance(node, ast.Call) and _called(node) in STREAM_SINKS:
        chain = {each.attr for each in ast.walk(node.func) if isinstance(each, ast.Attribute)}
        if "writeStream" in chain and "trigger" not in chain:
            return True
    return (
        isinstance(node, ast.Call)
        and _called(node) == "trigger"
        and any(keyword.arg in {"processingTime", "continuous"} for keyword in node.keywords)
    )


def observation(node: ast.AST) -> bool:
    """Metrics beside a query, which older runtimes' standard access mode lacks; the written table is counted."""
    if isinstance(node, ast.ImportFrom):
        return any(alias.name in OBSERVING for alias in node.names)
    return _called(node) in OBSERVING


def unanalysed_try(node: ast.AST) -> bool:
    """A handler of analysis errors around code that only builds a frame: Connect analyses when something is asked."""
    if not isinstance(node, ast.Try):
        return False
    caught = {name.id for handler in node.handlers if handler.type for name in ast.walk(handler.type) if _is_name(name)}
    inside = [each for part in node.body for each in ast.walk(part)]
    asked = {each.attr for each in inside if isinstance(each, ast.Attribute)}
    asked |= {each.id for each in inside if isinstance(each, ast.Name)}
    return bool(caught & ANALYSIS_ERRORS) and not asked & ANALYSED


def _is_name(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name)


def captured_global(node: ast.AST) -> bool:
    """A user-defined function that reads a module's list, dictionary or rebound name: Connect pickles it late."""
    return isinstance(node, ast.Module) and bool(captured_globals(node))


RULES: tuple[Callable[[ast.AST], bool], ...] = (
    jvm_access,
    caching,
    shared_state,
    global_view,
    temp_view,
    fixed_path,
    session_option,
    whole_to_pandas,
    collect,
    delta_python,
    new_udf,
    endless_stream,
    observation,
    unanalysed_try,
    captured_global,
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
