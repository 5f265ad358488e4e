"""Plots as inline SVG: matplotlib draws, and colours and fonts are left to the page's style.

Colours are drawn as placeholders that become CSS variables, so that a plot follows light and dark; text stays text
and is set in the page's font. A plot is drawn about as wide as a phone: one unit is one CSS pixel there.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from markupsafe import Markup

from finelake.errors import EnvironmentProblem

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 380
"""Width of a plot in CSS pixels at its natural size; text in it is 11 pixels high."""

_POINTS_AN_INCH = 72

INK, QUIET, RULE, SHEET = "#0a0001", "#0a0002", "#0a0003", "#0a0004"
WATER, GOOD, BAD, CALM, WAIT = "#0a0005", "#0a0006", "#0a0007", "#0a0008", "#0a0009"

COLOURS: Mapping[str, str] = {
    INK: "var(--ink)",
    QUIET: "var(--quiet)",
    RULE: "var(--rule)",
    SHEET: "var(--sheet)",
    WATER: "var(--water)",
    GOOD: "var(--good)",
    BAD: "var(--bad)",
    CALM: "var(--calm)",
    WAIT: "var(--wait)",
}
"""The placeholders that plots draw with, and the variables of the page's style that they become."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # labels are data: a dollar sign is a dollar sign
    "font.family": "DejaVu Sans",  # comes with matplotlib; only its measures matter
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": QUIET,
    "axes.linewidth": 1,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": RULE,
    "grid.linewidth": 1,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.minor.size": 0,
    "legend.frameon": False,
    "figure.facecolor": "none",
}
_SVG, _LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
_FONT = re.compile(r"font: (?:(?P<weight>\d{3}|bold) )?(?P<size>[\d.]+px)[^;]*|font-family: [^;]*;? ?")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_PLACEHOLDER = re.compile("|".join(COLOURS))


def draw(name: str, paint: Callable[[Axes], None], *, description: str, height: int = 220) -> Markup:
    """Draw one plot; gives the SVG element. `paint` gets the axes and draws with the placeholders of this module.

    `name` is unique in the page (ids inside the plot begin with it), `description` is what a screen reader says.
    The same input gives the same markup. Raises EnvironmentProblem where matplotlib is not installed.
    """
    with _drawing():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(WIDTH / _POINTS_AN_INCH, height / _POINTS_AN_INCH), layout="constrained")
        paint(figure.add_subplot())
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return inline(buffer.getvalue(), name=name, description=description)


def inline(svg: bytes, *, name: str, description: str) -> Markup:
    """Make an SVG file of matplotlib's fit to stand in a page: no file header, no address, own ids, page colours."""
    root = ElementTree.fromstring(svg)
    for child in list(root):
        if child.tag == f"{_SVG}metadata":
            root.remove(child)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{_SVG}style":
                parent.remove(child)
    for node in root.iter():
        node.tag = str(node.tag).removeprefix(_SVG)
        node.attrib = dict(_attribute(key, value, name) for key, value in node.attrib.items())
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": description}
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _attribute(key: str, value: str, name: str) -> tuple[str, str]:
    if key == "id":
        return key, f"{name}-{value}"
    if key == _LINK:
        return "href", f"#{name}-{value.removeprefix('#')}"
    if key == "style":
        value = _FONT.sub(_font, value)
    value = _REFERENCE.sub(rf"url(#{name}-\1)", value)
    return key, _PLACEHOLDER.sub(lambda found: COLOURS[found.group()], value)


def _font(found: re.Match[str]) -> str:
    if found["size"] is None:
        return ""
    weight = f"font-weight: {found['weight']}; " if found["weight"] else ""
    return f"{weight}font-size: {found['size']}"


@contextmanager
def _drawing() -> Iterator[None]:
    try:
        import matplotlib as mpl
    except ImportError:
        raise EnvironmentProblem(
            "The report's plots need matplotlib, which is not installed here: pip install 'finelake[report]'."
        ) from None
    with warnings.catch_warnings(), mpl.rc_context({**_STYLE, "svg.hashsalt": "finelake"}):
        # Characters that the measuring font lacks are measured as a box; the reader's own font shows them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield
