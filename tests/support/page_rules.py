"""What every page of the project keeps to: it loads nothing, runs nothing, and shows data as text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

LOADING = {
    "src",
    "srcset",
    "href",
    "data",
    "poster",
    "action",
    "formaction",
    "background",
    "cite",
    "ping",
    "xlink:href",
}
ACTIVE = {
    "script",
    "iframe",
    "object",
    "embed",
    "link",
    "base",
    "form",
    "img",
    "video",
    "audio",
    "image",
    "foreignobject",
}
VOID = {"meta", "br", "hr", "wbr", "col", "input"}
_ADDRESS = re.compile(r"url\((?!#)|@import|//", re.IGNORECASE)


@dataclass
class Page(HTMLParser):
    """A parsed page: elements by name, ids, text, links inside the page, and what breaks the rules."""

    broken: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        if tag in ACTIVE:
            self.broken.append(f"element {tag}")
        for name, value in attrs:
            self._attribute(tag, name, value or "")

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.broken.append(f"unbalanced {tag}")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.broken += [f"style: {found}" for found in _ADDRESS.findall(data)]
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All text of the page, white space as single blanks."""
        return re.sub(r"[ \t\r\n]+", " ", " ".join(self.texts))

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if name == "id":
            self.ids.append(value)
        elif name.startswith("on"):
            self.broken.append(f"attribute {name}")
        elif name in LOADING:
            self.targets.append(value)
            if not value.startswith("#"):
                self.broken.append(f"{tag} {name}={value}")
        elif name == "style" and _ADDRESS.search(value):
            self.broken.append(f"{tag} style={value}")
        elif name == "content" and "default-src" in value:
            self.policies.append(value)


def read_page(html: str) -> Page:
    """Parse a page and hold it against the rules: `broken` is empty when it keeps them."""
    page = Page()
    page.feed(html)
    page.close()
    page.broken += [f"never closed: {tag}" for tag in page._open]
    page.broken += [f"two elements with the id {each}" for each in set(page.ids) if page.ids.count(each) > 1]
    page.broken += [f"link to nothing: {each}" for each in page.targets if each.removeprefix("#") not in page.ids]
    if page.policies != ["default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"]:
        page.broken.append(f"content policy {page.policies}")
    return page
