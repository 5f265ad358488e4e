"""What `mkdocs build` calls: the reference pages are made of the code, and are never files of the tree."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

FOLDER = "reference"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add one page for each reference."""
    from mkdocs.structure.files import File

    sys.path.insert(0, str(Path(__file__).parent))
    from make_reference import PAGES

    for name, make in PAGES.items():
        files.append(File.generated(config, f"{FOLDER}/{name}.md", content=make()))
    return files
