"""A plan as a terminal shows it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from finelake.training.plan.finding import Finding, Verdict
from finelake.training.plan.make import JobPlan

_STYLES: dict[Verdict, str] = {"ok": "green", "warn": "yellow", "refuse": "bold red", "unknown": "dim"}


def plan_view(plan: JobPlan) -> RenderableType:
    """Show files, what the job comes to, the findings, and the verdict with each breach."""
    return Group(
        Text(" ".join(["Plan:", plan.method, "training of", plan.model, plan.training_type]).rstrip(), style="bold"),
        _files(plan),
        _spent(plan),
        _findings(plan),
        *_verdict(plan),
    )


def _files(plan: JobPlan) -> Table:
    table = _table("file", "bytes", "examples", "tokens", "learnt tokens", "at the service")
    for file in plan.files:
        table.add_row(
            file.name,
            f"{file.bytes:,}",
            f"{file.examples:,}",
            _number(file.tokens),
            _number(file.trained_tokens),
            {None: "not known", True: "yes", False: "no"}[file.uploaded],
        )
    return table


def _spent(plan: JobPlan) -> Table:
    reckoning, price = plan.reckoning, plan.reckoning.price
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("epochs", f"{reckoning.epochs} ({reckoning.epochs_rule})")
    if reckoning.billed is not None:
        table.add_row("billed tokens", f"{reckoning.billed} (tokens of the training file times epochs)")
    told = "no source gives one" if price is None else f"{price.amount} {price.currency} ({price.basis})"
    table.add_row("training price", told)
    if price is not None:
        table.add_row("", f"{price.source}, as of {price.as_of}")
    return table


def _findings(plan: JobPlan) -> Group:
    """One row for the findings of a check that differ in nothing but what was found; sources by number, below."""
    numbers: dict[str, int] = {}
    rows: dict[tuple[str, ...], list[Finding]] = {}
    for of, finding in plan.findings:
        key = (of, finding.check, finding.verdict, finding.limit, finding.source, finding.remedy)
        rows.setdefault(key, []).append(finding)
    table, group = _table("", "check", "found", "limit"), ""
    for (name, *_), findings in rows.items():
        first = findings[0]
        if name != group:
            table.add_row("", Text(name, style="bold"))
            group = name
        limit = Text(first.limit)
        if first.source:
            limit.append(
                f"{' ' if first.limit else ''}[{numbers.setdefault(first.source, len(numbers) + 1)}]", style="dim"
            )
        table.add_row(Text(first.verdict, style=_STYLES[first.verdict]), first.check, _found(findings), limit)
    return Group(table, *(Text(f"[{number}] {source}", style="dim") for source, number in numbers.items()))


def _found(findings: Sequence[Finding]) -> Text:
    text, remedy = Text("\n".join(finding.found for finding in findings)), findings[0].remedy
    if remedy:
        text.append(f" {remedy}" if findings[-1].found.endswith(".") else f". {remedy}", style="italic")
    return text


def _verdict(plan: JobPlan) -> list[Text]:
    counts = plan.counts
    told = f"{counts['ok']} in order, {counts['warn']} warnings, {counts['unknown']} unknown"
    if not plan.breaches:
        return [Text(f"Nothing stands against it: {told}.", style="bold green")]
    names = ", ".join(dict.fromkeys(one.check for one in plan.breaches))
    return [Text(f"Refused by {names}: {told}.", style="bold red")]


def _number(value: int | None) -> str:
    return "not known" if value is None else f"{value:,}"


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
