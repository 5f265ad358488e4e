"""Writing the report: `report.json` and the page `report.html` that is rendered from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from finelake.files import write_whole
from finelake.report.document import Report, to_json
from finelake.report.render import render

JSON_NAME = "report.json"
PAGE_NAME = "report.html"


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where the report is, and of which run it is."""

    run_id: str
    page: Path
    json: Path


def write_report(report: Report, folder: Path) -> ReportFiles:
    """Write both files into the folder; each is whole or absent. Raises OutputError when that cannot be done."""
    page = render(report)
    files = ReportFiles(report.run_id, folder / PAGE_NAME, folder / JSON_NAME)
    write_whole(files.json, to_json(report))
    write_whole(files.page, page)
    return files
