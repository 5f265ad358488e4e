"""Rendering: a template of the package and its values to one page."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from finelake import __version__
from finelake.report.page import formats

CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Nothing may be loaded, run or sent; style stands inline in the page and in its plots."""


def render_page(template: str, **values: Any) -> str:
    """Render a template, named by its path inside the package (`report/curation.html`), to a whole page.

    Values are escaped; only `markupsafe.Markup`, which the kit's plots return, is taken as it is. A value that the
    template names and that is not given is an error.
    """
    page = environment().get_template(template).render(**values)
    return page if page.endswith("\n") else page + "\n"


def environment() -> Environment:
    """Make the environment of templates: strict, escaping, with the formats as filters."""
    made = Environment(
        loader=PackageLoader("finelake", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(formats.FILTERS)
    made.globals |= {
        "content_policy": CONTENT_POLICY,
        "interval": formats.interval,
        "dash": formats.DASH,
        "version": __version__,
    }
    return made
