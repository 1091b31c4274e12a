"""The table of numbers: what is in it is found, what is not is told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.stages import table
from cascade.stages.table import Table

NUMBERS = st.integers(0, 2**62)


def array(numbers: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.asarray(numbers, dtype=np.int64)


@given(st.lists(NUMBERS, unique=True, min_size=1), st.lists(NUMBERS))
def test_each_number_is_found_where_it_stands_and_no_other(
    held: list[int], asked: list[int]
) -> None:
    expected = [held.index(number) if number in held else len(held) for number in held + asked]
    assert Table(array(held)).find(array(held + asked)).tolist() == expected


@given(st.integers(1, 3000), st.integers(1, 2**40))
def test_numbers_in_a_row_find_room_as_well(many: int, step: int) -> None:
    held = np.arange(many, dtype=np.int64) * step
    assert np.array_equal(Table(held).find(held), np.arange(many))
    assert (Table(held).find(held + 1)[: many if step > 1 else 0] == many).all()


def test_a_table_as_large_as_that_of_a_vocabulary() -> None:
    held = np.random.default_rng(0).choice(2**40, 300_000, replace=False)
    found = Table(held).find(np.concatenate([held, held + 2**40]))
    assert np.array_equal(found[:300_000], np.arange(300_000))
    assert (found[300_000:] == 300_000).all()


def test_asking_for_nothing_finds_nothing() -> None:
    assert Table(array([7])).find(array([])).shape == (0,)


def test_numbers_that_find_no_room_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three numbers of the same two places: a vocabulary made for it, not by training."""
    monkeypatch.setattr(table, "_FACTORS", np.zeros((2, 1), dtype=np.uint64))
    with pytest.raises(ValueError, match="no room"):
        Table(array([1, 2, 3]))
