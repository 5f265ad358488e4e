"""Row checks: the built-in limits, and pandera schemas that a user brings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pandera.pandas as pa
import pytest

from finelake.annotate.row_checks import Failure, Limits, check_rows, load_schemas, schema_hashes
from finelake.errors import ConfigError

LIMITS = Limits(tokens=100, messages=4)


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {"messages": 2, "tokens": 50, "trained_tokens": 10, "tool_tokens": 0}
    texts = dict.fromkeys(("system_text", "user_text", "assistant_text", "last_user", "last_reply"), "text")
    return pd.DataFrame([usual | texts | row for row in rows])


class Polite(pa.DataFrameModel):
    """A model as users write it."""

    last_reply: str

    @pa.check("last_reply", name="thanks")
    def _thanks(cls, texts: pd.Series) -> pd.Series:
        return texts.str.contains("thank")


SHORT = pa.DataFrameSchema({"trained_tokens": pa.Column(int, pa.Check.le(20, name="short_reply"))})
WHOLE = pa.DataFrameSchema(checks=pa.Check(lambda rows: rows["tokens"] > rows["trained_tokens"], name="sane"))
FOREIGN = pa.DataFrameSchema({"sentiment": pa.Column(float)})
STRICT = pa.DataFrameSchema({"tokens": pa.Column(int)}, strict=True)
MISTYPED = pa.DataFrameSchema({"last_user": pa.Column(int)})
OPTIONAL = pa.DataFrameSchema({"sentiment": pa.Column(float, required=False)})
NOT_A_SCHEMA = {"tokens": int}


@pytest.fixture(autouse=True)
def rules_module() -> Iterator[None]:
    """Make this module importable under the name that a configuration gives."""
    module = ModuleType("user_rules")
    module.__dict__.update({name: value for name, value in globals().items() if not name.startswith("__")})
    module.__file__ = __file__
    sys.modules["user_rules"] = module
    yield
    del sys.modules["user_rules"]


def test_rows_within_the_limits_pass() -> None:
    assert check_rows(frame({}, {"tokens": 100, "messages": 4, "trained_tokens": 1}), LIMITS, []) == []


def test_each_limit_has_its_code_value_and_threshold() -> None:
    rows = frame({"tokens": 101}, {}, {"messages": 5}, {"trained_tokens": 0}, {"tokens": 300, "messages": 9})
    assert check_rows(rows, LIMITS, []) == [
        Failure(0, "example_too_long", "101", "100"),
        Failure(2, "too_many_messages", "5", "4"),
        Failure(3, "nothing_trained", "0", "0"),
        Failure(4, "example_too_long", "300", "100"),
        Failure(4, "too_many_messages", "9", "4"),
    ]


def test_a_users_checks_have_their_own_codes_and_show_no_text() -> None:
    rows = frame({"last_reply": "thank you"}, {"last_reply": "no", "trained_tokens": 25})
    schemas = load_schemas(["user_rules:Polite", "user_rules:SHORT"])
    assert check_rows(rows, LIMITS, schemas) == [
        Failure(1, "check_last_reply_thanks", None, None),
        Failure(1, "check_trained_tokens_short_reply", "25", "20"),
    ]


def test_a_check_of_the_whole_row_names_the_row() -> None:
    rows = frame({}, {"trained_tokens": 60})
    assert [(f.row, f.reason) for f in check_rows(rows, LIMITS, load_schemas(["user_rules:WHOLE"]))] == [
        (1, "check_sane")
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_package:schema", "cannot be imported (ModuleNotFoundError)"),
        ("user_rules:missing", "cannot be imported (AttributeError)"),
        ("user_rules:NOT_A_SCHEMA", "is no pandera.pandas DataFrameSchema or DataFrameModel"),
        ("user_rules:FOREIGN", "asks for columns ['sentiment']. Available: messages, tokens"),
        ("user_rules:STRICT", "does not fit the frame it is given (column_not_in_schema)"),
        ("user_rules:MISTYPED", "does not fit the frame it is given (wrong_datatype)"),
    ],
)
def test_a_schema_that_cannot_work_is_refused_at_once(name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_schemas([name])
    assert str(caught.value).startswith(f"checks.row_schemas: {name} ")
    assert message in str(caught.value)


def test_a_column_that_may_be_absent_is_allowed() -> None:
    (schema,) = load_schemas(["user_rules:OPTIONAL"])
    assert check_rows(frame({}), LIMITS, [schema]) == []


def test_an_edited_schema_has_another_hash(tmp_path: Path) -> None:
    path = tmp_path / "rules.py"
    sys.modules["user_rules"].__file__ = str(path)
    path.write_text("limit = 1\n", encoding="utf-8")
    before = schema_hashes(["user_rules:SHORT"])
    path.write_text("limit = 2\n", encoding="utf-8")
    assert schema_hashes(["user_rules:SHORT"]) != before
