"""Reinforcement training needs one grader, whose templates the lines can fill."""

from __future__ import annotations

from collections.abc import Iterator

from finelake.training.graders import grader_problems
from finelake.training.plan.finding import Finding
from finelake.training.plan.known import Known
from finelake.training.plan.registry import check


@check("data")
def grader(known: Known) -> Iterator[Finding]:
    """Look at training.grader, and at the keys that every line has."""
    training = known.settings.training
    if training.method != "reinforcement":
        return
    keys = frozenset.intersection(*(known.content[file.split].keys or frozenset() for file in known.sent))
    problems = list(grader_problems(training.grader, keys=keys))
    told = "; ".join(f"{problem.code} at {problem.place}" for problem in problems)
    yield Finding(
        check="grader",
        verdict="refuse" if problems else "ok",
        found=told or f"training.grader is in order; every line has: {', '.join(sorted(keys))}",
        limit="one grader of the known types, whose templates name keys that every line has",
        source=known.cite("azure_rft"),
        remedy="Correct training.grader, or give every line the keys that it names." if problems else "",
    )


@check("model")
def reinforcement_job(known: Known) -> Iterator[Finding]:
    """Say that reinforcement files are checked, and their jobs not created."""
    if known.settings.training.method == "reinforcement":
        yield Finding(
            check="reinforcement_job",
            verdict="warn",
            found="finelake checks reinforcement files and graders, and does not create such jobs",
            remedy="Create the job in the portal or by the API with these files.",
        )
