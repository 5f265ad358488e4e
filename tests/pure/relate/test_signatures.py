"""How band keys and shingles travel in a binary column, and what makes stored signatures useless."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from finelake.config.settings import Duplicates
from finelake.relate.signatures import keys_of, packed, recipe_of, unpacked


def test_values_come_back_as_they_went_also_from_a_part_of_the_column() -> None:
    values = np.array([1, 2**64 - 1, 3, 4, 5], np.uint64)
    column = packed(values, np.array([0, 2, 2, 5]))
    found, sizes = unpacked(column)
    assert (found.tolist(), sizes.tolist()) == (values.tolist(), [2, 0, 3])
    part, sizes = unpacked(column.slice(1, 2))
    assert (part.tolist(), sizes.tolist()) == ([3, 4, 5], [0, 3])


def test_keys_are_read_row_by_row_over_chunks() -> None:
    keys = np.arange(-6, 6, dtype=np.int64).reshape(4, 3)
    parts = [packed(keys[rows], np.arange(len(keys[rows]) + 1) * 3) for rows in (slice(0, 1), slice(1, 4))]
    assert keys_of(pa.chunked_array(parts), count=3).tolist() == keys.tolist()
    assert keys_of(pa.chunked_array(parts).slice(1), count=3).tolist() == keys[1:].tolist()
    assert keys_of(pa.chunked_array([], pa.binary()), count=3).shape == (0, 3)


@pytest.mark.parametrize("changed", [{"threshold": 0.6}, {"permutations": 64}, {"side": "both"}])
def test_other_settings_are_another_recipe(changed: dict[str, object]) -> None:
    assert recipe_of(Duplicates.model_validate(changed)) != recipe_of(Duplicates())


def test_what_does_not_touch_a_signature_keeps_it() -> None:
    assert recipe_of(Duplicates(driver_values=5)) == recipe_of(Duplicates())
