"""SQL that makes finelake's tables with comments, clustering keys and properties: one statement, one commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finelake.tables.contracts import CONTRACTS
from finelake.tables.descriptions import describe_column, describe_table
from finelake.tables.layout import LAYOUTS, Layout
from finelake.tables.names import TableRef

FEED = "delta.enableChangeDataFeed"
_STATISTICS = "delta.dataSkippingStatsColumns"
KEPT_PROPERTIES = (
    "delta.deletedFileRetentionDuration",
    "delta.logRetentionDuration",
    "delta.targetFileSize",
    "delta.checkpointInterval",
)
"""Properties that somebody may have set on a table, and that stay when it is written anew."""
_PLAIN = Layout(serves="")


def layout_of(name: str) -> Layout:
    """Give the layout of one of finelake's tables; one without a layout is not clustered."""
    return LAYOUTS.get(name, _PLAIN)


def create_sql(table: TableRef) -> str:
    """Give the statement that makes an empty table of its contract where none is."""
    fields = CONTRACTS[table.name].to_structtype().fields
    columns = ", ".join(
        f"{quoted(each.name)} {each.dataType.simpleString()}{_comment(describe_column(table.name, each.name))}"
        for each in fields
    )
    return f"CREATE TABLE IF NOT EXISTS {table.sql} ({columns}) {_form(table)}"


def replace_sql(table: TableRef, *, run_id: str, kept: Mapping[str, str] | None = None) -> str:
    """Give the statement that makes a table anew of the rows of `{frame}`; older versions stay readable.

    `kept` are properties that the table has and keeps: the statement forgets all others.
    """
    form = _form(table, more={**(kept or {}), "finelake.run": run_id})
    return f"CREATE OR REPLACE TABLE {table.sql} {form} AS SELECT * FROM {{frame}}"


def constraint_sql(table: TableRef) -> list[str]:
    """Give the statements that add a table's CHECK constraints."""
    checks = layout_of(table.name).checks.items()
    return [f"ALTER TABLE {table.sql} ADD CONSTRAINT {quoted(name)} CHECK ({rule})" for name, rule in checks]


def tags_sql(table: TableRef, tags: Mapping[str, str]) -> str:
    """Give the statement that sets a table's tags (Unity Catalog)."""
    return f"ALTER TABLE {table.sql} SET TAGS ({_pairs(tags.items())})"


def commented(frame: DataFrame, name: str) -> DataFrame:
    """Give a frame whose columns carry their comments, which a table made of it keeps."""
    described = {column: describe_column(name, column) for column in frame.columns}
    return frame.select(
        [
            F.col(quoted(column)).alias(column, metadata={"comment": text}) if text else F.col(quoted(column))
            for column, text in described.items()
        ]
    )


def quoted(name: str) -> str:
    """Quote a name for SQL."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """Quote a text for SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _form(table: TableRef, *, more: Mapping[str, str] | None = None) -> str:
    keys = layout_of(table.name).clustered
    properties = {FEED: "true", "finelake.table": table.name}
    if keys:
        properties[_STATISTICS] = ",".join(keys)
    properties |= more or {}
    clustered = f"CLUSTER BY ({', '.join(quoted(key) for key in keys)}) " if keys else ""
    about = _comment(describe_table(table.name)).strip()
    return f"USING delta {clustered}{about} TBLPROPERTIES ({_pairs(properties.items())})"


def _comment(text: str | None) -> str:
    return f" COMMENT {literal(text)}" if text else ""


def _pairs(items: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{literal(key)} = {literal(value)}" for key, value in items)
