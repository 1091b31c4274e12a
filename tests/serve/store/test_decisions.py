"""Decisions are found by ids as we make them."""

from __future__ import annotations

import pytest

from serve.store import Store, decisions, new_id


@pytest.mark.parametrize("text", ["", "a\0b", "0" * 31, "0" * 33, "0" * 31 + "\n", "G" * 32])
def test_what_is_no_id_finds_nothing_in_any_database(any_store: Store, text: str) -> None:
    with any_store.read() as connection:
        assert decisions.find(connection, text) is None


def test_an_id_that_nobody_gave_finds_nothing(any_store: Store) -> None:
    assert decisions.is_id(new_id())
    with any_store.read() as connection:
        assert decisions.find(connection, new_id()) is None
