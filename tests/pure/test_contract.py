"""The package keeps to what every supported runtime offers, and its files to what any machine has."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support import contract_rules
from support.udf_globals import makes_functions

ROOT = Path(__file__).resolve().parents[2]

# Where a frame is brought to the driver, it is bounded by what the reason says.
ALLOWED: dict[tuple[str, str], str] = {
    ("collect", "src/finelake/contamination/scan.py"): "the segments of one filter, at most 16 MiB",
    ("collect", "src/finelake/audit.py"): "one row a check",
    ("collect", "src/finelake/tables/aliases.py"): "one row a promotion or rollback",
    ("collect", "src/finelake/tracking/track.py"): "one row a step that a job reported or its result file lists",
    ("collect", "src/finelake/splitting/pins.py"): "one row a run that pinned",
    ("collect", "src/finelake/annotate/long_summary.py"): "one row of sums",
    ("collect", "src/finelake/annotate/prompt_summary.py"): "one row, and at most ten prompts' keys",
    ("collect", "src/finelake/conversations/tools.py"): "one more than the allowed number of tool names",
    ("collect", "src/finelake/erasure/requests.py"): "at most 100 requests of at most 1,000 hashes",
    ("collect", "src/finelake/erasure/wanted.py"): "one more than the conversations of one request",
    ("collect", "src/finelake/evaluation/answer_table.py"): "at most evaluation.max_examples answers a model",
    ("collect", "src/finelake/evaluation/prompts.py"): "at most evaluation.max_examples prompts",
    ("collect", "src/finelake/evaluation/suites.py"): "at most max_examples rows of a suite",
    ("collect", "src/finelake/huggingface/shards.py"): "one row a split, and one or two a shard of 50,000 examples",
    ("collect", "src/finelake/lineage/examples.py"): "one row a kind of change and pair of splits",
    ("collect", "src/finelake/lineage/listing.py"): "at most --limit runs",
    ("collect", "src/finelake/lineage/results.py"): "the results of at most --limit runs",
    ("collect", "src/finelake/mixing/mix.py"): "one total a value of a column, at most 50,000",
    ("collect", "src/finelake/mixing/places.py"): "one number a value over its quota, at most 50,000",
    ("collect", "src/finelake/relate/near.py"): "a histogram of twenty-one steps",
    (
        "collect",
        "src/finelake/report/counts.py",
    ): "a row and a few ids a rule, 21 values a column, 64 octaves of bins",
    ("collect", "src/finelake/replies/canned.py"): "one more than replies.canned.max_kept signatures",
    (
        "collect",
        "src/finelake/profile/summary.py",
    ): "one row a role and measure, and at most profile --rows a line or rule",
    ("collect", "src/finelake/relate/semantic.py"): "at most 200,000 pairs of labels",
    ("collect", "src/finelake/relate/semantic_pairs.py"): "at most duplicates.semantic.sample vectors",
    ("collect", "src/finelake/tables/balance.py"): "one row a step, action and reason; one a split; one a unit",
    ("collect", "src/finelake/tables/runs.py"): "the records of one run",
    ("collect", "src/finelake/topics/assign.py"): "at most topics.sample texts, cut to topics.characters",
    ("collect", "src/finelake/topics/store.py"): "at most 1,000 topics and topics.terms terms",
    ("collect", "src/finelake/topics/step.py"): "three splits times at most 1,001 topics",
    ("collect", "src/finelake/why.py"): "at most 1,000 ledger rows of one conversation",
}

# A process of its own that never sees a frame; its imports are checked instead.
NO_SPARK = ROOT / "src" / "finelake" / "emulator"

SNIPPETS = {
    "jvm_access": "spark.sparkContext.setLogLevel('ERROR')",
    "caching": "frame.persist()",
    "shared_state": "context.broadcast(words)",
    "global_view": "frame.createGlobalTempView(name)",
    "temp_view": "frame.createOrReplaceTempView(f'turns_{run_id}')",
    "fixed_path": "spark.read.json('dbfs:/raw')",
    "session_option": "spark.conf.set('spark.sql.adaptive.enabled', 'false')",
    "whole_to_pandas": "frame.toPandas()",
    "collect": "rows = frame.groupBy('a').count().collect()",
    "delta_python": "from delta.tables import DeltaTable",
    "new_udf": "F.arrow_udf('long')",
    "endless_stream": "writer.trigger(processingTime='1 second')",
    "observation": "frame.observe('counts', F.count('*'))",
    "unanalysed_try": "try:\n    kept = frame.filter('a > 1')\nexcept AnalysisException:\n    kept = frame",
    "captured_global": (
        "WORDS = []\ndef make():\n    def run(batches):\n        yield from (each for each in batches if WORDS)\n"
        "    return frame.mapInArrow(run, 'a string')"
    ),
}
HARMLESS = '''
"""Docstrings may name spark.sparkContext and dbfs:/ paths."""
from functools import cache
from pyspark.sql import functions as F
joined = left.join(F.broadcast(right), "key")
spark.conf.set("spark.sql.session.timeZone", "UTC")
try:
    found = frame.filter("a > 1").schema
except AnalysisException:
    found = None
stream = frame.writeStream.trigger(availableNow=True).toTable("copy")
LIMIT = 3
values = F.collect_list("a")
client.fine_tuning.jobs.checkpoints.list(job)
'''


def python_files() -> list[Path]:
    """Return the modules of the package and of the jobs that may see a frame."""
    everything = [*(ROOT / "src").rglob("*.py"), *(ROOT / "jobs").rglob("*.py")]
    return sorted(path for path in everything if NO_SPARK not in path.parents)


def tracked_files() -> list[Path]:
    """Return the files that git tracks; a source archive without git has none to check."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a git checkout")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def setup_constant(name: str) -> object:
    """Return a literal that setup.py assigns, without running it; names of other literals are looked up."""
    assigned = {
        node.targets[0].id: node.value
        for node in ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    return literal(assigned[name], assigned)


def literal(node: ast.expr, assigned: dict[str, ast.expr]) -> object:
    """Evaluate a literal whose parts may be names of other literals."""
    if isinstance(node, ast.Name):
        return literal(assigned[node.id], assigned)
    if isinstance(node, ast.Dict):
        return {
            ast.literal_eval(key): literal(value, assigned)
            for key, value in zip(node.keys, node.values, strict=True)
            if key is not None
        }
    return ast.literal_eval(node)


def distribution(requirement: str) -> str:
    """Return the name in front of a requirement's extras and bounds."""
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower()


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_serverless_lacks_is_used(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    found = [
        f"{name}:{each.line} {each.rule}"
        for each in contract_rules.findings(path.read_text(encoding="utf-8"))
        if (each.rule, name) not in ALLOWED
    ]
    assert not found


def test_every_exception_is_still_needed() -> None:
    used = {
        (each.rule, str(path.relative_to(ROOT)))
        for path in python_files()
        for each in contract_rules.findings(path.read_text(encoding="utf-8"))
    }
    assert set(ALLOWED) <= used


@pytest.mark.parametrize(("rule", "snippet"), SNIPPETS.items())
def test_each_rule_catches_its_snippet(rule: str, snippet: str) -> None:
    assert rule in {each.rule for each in contract_rules.findings(snippet)}


def test_each_rule_has_a_snippet() -> None:
    assert set(SNIPPETS) == {rule.__name__ for rule in contract_rules.RULES}


def test_harmless_code_passes() -> None:
    assert list(contract_rules.findings(HARMLESS)) == []


def test_the_emulator_imports_no_spark() -> None:
    for path in NO_SPARK.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "pyspark"], path.name


def test_what_runs_on_workers_brings_no_network_client() -> None:
    """Workers of serverless have no network: modules with user-defined functions import nothing that needs one."""
    modules = [
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
        for path in python_files()
        if ROOT / "src" in path.parents and makes_functions(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert "finelake.annotate.one_pass" in modules
    code = f"import importlib, sys\nfor name in {modules}: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"openai", "httpx", "requests", "azure.identity", "databricks.sdk", "mlflow"} & set(done.stdout.split())


def test_hard_requirements_leave_spark_to_the_runtime() -> None:
    requirements = setup_constant("REQUIREMENTS")
    assert isinstance(requirements, list)
    names = {distribution(each) for each in requirements}
    assert names.isdisjoint({"pyspark", "pyspark-client", "delta-spark", "databricks-connect", "databricks-sdk"})
    assert "pandera" in names
    assert not any(each.startswith("pandera") and "pyspark" in each for each in requirements)


def test_the_local_extra_pairs_spark_with_delta() -> None:
    extras = setup_constant("EXTRAS")
    assert isinstance(extras, dict)
    assert sorted(distribution(each) for each in extras["local"]) == ["delta-spark", "pyspark"]
    assert all(">=4.0" in each and "<4.1" in each for each in extras["local"])


def test_tracked_files_name_no_machine_and_no_registry() -> None:
    # Assembled from pieces, so that this file does not find itself.
    places = ["/" + name + "/" for name in ("work", "root", "Users")] + ["/home/" + "[a-z]", "/tmp/" + "w/"]
    hosts = ["pypi" + r"\.org", "pythonhosted" + r"\.org", "maven" + r"\.org", "maven" + r"\.apache", "npmjs" + r"\."]
    pattern = re.compile("|".join([*(rf"(?<![\w.-]){place}" for place in places), *hosts]))
    found = []
    for path in tracked_files():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}:{number}" for number, line in enumerate(lines, 1) if pattern.search(line)]
    assert not found
