"""Names of tables are checked and quoted; every column of every contract is described."""

from __future__ import annotations

import pytest

from finelake.config.settings import Source, Tables
from finelake.config.table_names import name_parts, quoted_name
from finelake.tables import names
from finelake.tables.contracts import CONTRACTS
from finelake.tables.ddl import constraint_sql, create_sql, literal, replace_sql, tags_sql
from finelake.tables.descriptions import COLUMNS, IN_TABLE, describe_column, describe_table
from finelake.tables.layout import LAYOUTS, tags_of
from finelake.tables.names import TableRef, table_ref


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("a", "`a`"),
        ("main.support.raw_turns", "`main`.`support`.`raw_turns`"),
        ("my-catalog.größe.2026_raw", "`my-catalog`.`größe`.`2026_raw`"),
        ("`my-catalog`.`select`.t", "`my-catalog`.`select`.`t`"),
        ("main.support.tabelle-ü", "`main`.`support`.`tabelle-ü`"),
    ],
)
def test_a_name_is_quoted_part_by_part(name: str, sql: str) -> None:
    assert quoted_name(name) == sql
    assert TableRef(name).sql == sql
    assert Source(table=name, layout="conversations").table == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "a.",
        "a..b",
        "a.b.c.d",
        "a b.c",
        "a.b;drop table x",
        "a`b",
        "`a",
        "a.`b",
        "a.b\n",
        "a.'b'",
        "a,b",
        "x" * 256,
    ],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    assert name_parts(name) is None
    with pytest.raises(ValueError, match="name of one to three parts"):
        quoted_name(name)
    with pytest.raises(ValueError, match="table"):
        Source(table=name, layout="conversations")


def test_a_schema_is_not_a_table() -> None:
    assert table_ref(Tables(location="my-catalog.finelake"), names.EXAMPLES).sql == "`my-catalog`.`finelake`.`examples`"
    with pytest.raises(ValueError, match=r"location must be a folder or catalog\.schema"):
        Tables(location="a.b.c")


def test_only_three_parts_are_in_unity_catalog() -> None:
    assert TableRef("a.b.c").in_unity_catalog
    assert not TableRef("b.c").in_unity_catalog
    assert not TableRef("/lake/a").in_unity_catalog


def test_every_column_of_every_table_is_described_and_nothing_else() -> None:
    columns = {(table, column) for table, model in CONTRACTS.items() for column in model.to_schema().columns}
    assert [place for place in sorted(columns) if not describe_column(*place)] == []
    assert set(COLUMNS) <= {column for _, column in columns}
    assert set(IN_TABLE) <= columns
    for table in CONTRACTS:
        assert describe_table(table)


def test_every_table_has_a_layout_of_columns_that_it_has() -> None:
    assert set(LAYOUTS) == set(CONTRACTS)
    for name, layout in LAYOUTS.items():
        assert set(layout.clustered) <= set(CONTRACTS[name].to_schema().columns), name
        assert layout.serves
        assert len(layout.clustered) <= 4  # Delta's limit


def test_constraints_are_only_on_tables_behind_the_quarantine() -> None:
    assert {name for name, layout in LAYOUTS.items() if layout.checks} <= {names.ASSIGNMENTS}
    for layout in LAYOUTS.values():
        for rule in layout.checks.values():
            assert "IS NOT NULL" in rule or "IS NULL" in rule


def test_the_statements_say_everything_at_once() -> None:
    table = table_ref(Tables(location="main.finelake"), names.EXAMPLES)
    made = replace_sql(table, run_id="8b5c")
    assert made.startswith("CREATE OR REPLACE TABLE `main`.`finelake`.`examples` USING delta CLUSTER BY (`split`, ")
    for part in ("COMMENT 'The curated examples", "'delta.enableChangeDataFeed' = 'true'", "'finelake.run' = '8b5c'"):
        assert part in made
    pins = create_sql(table_ref(Tables(location="main.finelake"), names.ASSIGNMENTS))
    assert "`split` string COMMENT 'The split: train, validation or test.'" in pins
    assert len(constraint_sql(table_ref(Tables(location="main.finelake"), names.ASSIGNMENTS))) == 2
    tags = tags_sql(table, tags_of(names.EXAMPLES))
    assert tags.endswith("SET TAGS ('finelake' = 'examples', 'quotes_conversations' = 'yes')")
    assert literal("it's \\ x") == "'it\\'s \\\\ x'"
