"""The fenced blocks of the README and of the pages of docs/."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[a-z]*)(?: title=\"(?P<title>[^\"]+)\")?\n", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: the page (relative to the root), its line there, language, title and text."""

    page: str
    line: int
    language: str
    title: str | None
    text: str

    def commands(self, program: str) -> list[str]:
        """Give the command lines of a program, comments and explanations cut off."""
        lines = [line.strip().removeprefix("$ ") for line in self.text.splitlines()]
        found = [re.split(r"\s+#", line)[0].strip() for line in lines if line.startswith(f"{program} ")]
        return [re.split(r"\s{2,}", line)[0] for line in found]


def pages() -> list[Path]:
    """Give the README and every page of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(*paths: Path) -> Iterator[Block]:
    """Give the fenced blocks of pages in their order; of all pages where none is named."""
    for path in paths or pages():
        text = path.read_text(encoding="utf-8")
        position = 0
        while opening := _FENCE.search(text, position):
            close = re.compile(rf"^{opening['indent']}```\s*$", re.MULTILINE).search(text, opening.end())
            assert close is not None, f"{path.name}: a block is not closed"
            yield Block(
                page=path.relative_to(ROOT).as_posix(),
                line=text.count("\n", 0, opening.start()) + 1,
                language=opening["language"],
                title=opening["title"],
                text=text[opening.end() : close.start()],
            )
            position = close.end()
