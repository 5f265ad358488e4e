"""Where raw rows are read, and where finelake keeps its tables and files."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from finelake.config.section import Section
from finelake.config.session import PLATFORM_VARIABLES
from finelake.config.table_names import MOST_PARTS, name_parts

Role = Literal["system", "user", "assistant", "tool"]

VOLUMES = "/Volumes/"
"""Where Databricks mounts Volumes."""
STAGING = Path(".finelake/volumes")
"""Where the local copies of folders in Volumes are, outside Databricks."""

_NAME_PREFIX = re.compile(r"\A([A-Za-z_][A-Za-z0-9_]*)?\Z")


def is_path(reference: str) -> bool:
    """Tell a Delta folder (`/Volumes/...`, `abfss://...`, `./tables/x`) from a catalog name (`a.b.c`)."""
    return "/" in reference or "\\" in reference


class Columns(Section):
    """Names of the raw table's columns; None means the table has no such column."""

    conversation_id: str = "conversation_id"
    turn_index: str | None = None
    sent_at: str | None = None
    author: str = "author"
    text: str = "text"
    tool_calls: str | None = None
    tool_call_id: str | None = None
    name: str | None = None
    weight: str | None = None
    user_id: str | None = None
    agent_id: str | None = None
    origin: str | None = None
    language: str | None = None
    metadata: tuple[str, ...] = ()
    messages: str = "messages"
    tools: str | None = None


class ToolCallFields(Section):
    """Field names inside the tool-call column, for tables that do not use OpenAI's form."""

    id: str = "id"
    name: str = "name"
    arguments: str = "arguments"
    results: str = "results"


class Source(Section):
    """Where the raw rows are and what their columns mean."""

    table: str
    version: Annotated[int, Field(ge=0)] | None = None
    layout: Literal["turns", "conversations"] = "turns"
    columns: Columns = Columns()
    roles: dict[str, Role] = Field(
        default={"system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}, min_length=1
    )
    tool_call_fields: ToolCallFields = ToolCallFields()

    @model_validator(mode="after")
    def _an_order_is_mapped(self) -> Source:
        if self.layout == "turns" and self.columns.turn_index is None and self.columns.sent_at is None:
            raise ValueError("map columns.turn_index or columns.sent_at: turns need an order")
        authors: dict[str, str] = {}
        for author, role in self.roles.items():
            if authors.setdefault(author.strip().lower(), role) != role:
                raise ValueError(f"roles gives {author!r} two roles: letter case and outer spaces do not count")
        if not is_path(self.table) and name_parts(self.table) is None:
            raise ValueError("table must be a name of one to three parts (catalog.schema.table) or a folder")
        return self


class Tables(Section):
    """Where finelake keeps its own tables: a folder, or `catalog.schema`."""

    location: str = ".finelake/tables"
    prefix: str = ""

    @model_validator(mode="after")
    def _names_are_safe(self) -> Tables:
        parts = () if is_path(self.location) else name_parts(self.location)
        if parts is None or len(parts) >= MOST_PARTS:
            raise ValueError("location must be a folder or catalog.schema")
        if not _NAME_PREFIX.match(self.prefix):
            raise ValueError("prefix may hold letters, digits and underscores")
        return self


class Output(Section):
    """The folder (local or under /Volumes) for JSONL files, manifest and reports.

    Outside Databricks, where no Volume is mounted, a folder under /Volumes is worked on in a local copy (below
    .finelake/volumes) and sent there by databricks-sdk.
    """

    folder: str = ".finelake/output"
    byte_order_mark: bool = False

    @property
    def is_elsewhere(self) -> bool:
        """Whether the folder is in a Volume that is not mounted on this machine."""
        on_databricks = any(os.environ.get(name) for name in PLATFORM_VARIABLES)
        return self.folder.startswith(VOLUMES) and not on_databricks and not Path(VOLUMES).is_dir()

    @property
    def path(self) -> Path:
        """The folder on this machine: the one that is named, or the local copy of one in a Volume."""
        if not self.is_elsewhere:
            return Path(self.folder)
        digest = hashlib.sha256(self.folder.rstrip("/").encode()).hexdigest()[:8]
        return STAGING / f"{self.folder.strip('/').replace('/', '-')}-{digest}"
