"""Every line must be a whole example of the method's form: one bad line makes the service refuse the file."""

from __future__ import annotations

from collections.abc import Iterator

from finelake.training.plan.finding import Finding
from finelake.training.plan.known import Known
from finelake.training.plan.registry import check


@check("data")
def line_form(known: Known) -> Iterator[Finding]:
    """Name the codes of what is wrong, with line numbers."""
    for file in known.sent:
        problems = known.content[file.split].problems
        told = "; ".join(f"{code} {places}" for code, places in problems.items())
        yield Finding(
            check="line_form",
            verdict="refuse" if problems else "ok",
            found=f"{file.path.name}: {told or 'every line is in the right form'}",
            limit=f"lines of a {known.settings.training.method} file",
            source=known.cite("openai_openapi"),
            remedy="Correct these lines in the source and publish again; edit the source, not the files."
            if told
            else "",
        )
