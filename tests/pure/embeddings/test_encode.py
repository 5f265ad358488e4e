"""Loading a model by its name, vectors as lists, and settings that do not fit together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from finelake.config.settings import Embeddings, Settings
from finelake.embeddings.encode import as_lists, load_encoder
from finelake.errors import ConfigError, EnvironmentProblem


def test_a_missing_package_is_named_with_what_installs_it() -> None:
    with pytest.raises(EnvironmentProblem, match=r"'no_such_package'.*pip install 'finelake\[semantic\]'"):
        load_encoder("no_such_package:load")


def test_a_name_that_is_no_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="module:function"):
        load_encoder("json:no_such_function")


def test_module_and_function_give_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_model.py").write_text("class Model: encode = None\ndef load(): return Model()\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert hasattr(load_encoder("own_model:load"), "encode")


def test_vectors_become_lists_of_length_one_and_unusable_ones_null() -> None:
    rows = np.array([[3, 4], [0, 0], [np.nan, 1], [0, 2]], np.float32)
    assert as_lists(rows).to_pylist() == [[pytest.approx(0.6), pytest.approx(0.8)], None, None, [0.0, 1.0]]
    assert as_lists(np.empty((0, 3), np.float32)).to_pylist() == []


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"embeddings": {"column": "v", "model": "m"}}, "not both"),
        ({"embeddings": {"key": "id"}}, "give column"),
        ({"duplicates": {"semantic": {"enabled": True}}}, "embeddings.column or embeddings.model"),
        ({"topics": {"enabled": True, "features": "embedding"}}, "embeddings.column or embeddings.model"),
        ({"mixing": {"caps": [{"column": "topic", "tokens": 5}]}}, "topics.enabled"),
    ],
)
def test_settings_that_need_each_other(sections: dict[str, object], message: str) -> None:
    source = {"table": "a.b.c", "columns": {"turn_index": "n"}}
    values = {"project": "test", "model": "gpt-4.1-mini-2025-04-14", "source": source}
    assert Settings.model_validate(values).embeddings == Embeddings()
    with pytest.raises(ValueError, match=message):
        Settings.model_validate(values | sections)
