"""Decisions are found by ids as we make them."""

from __future__ import annotations

import time
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select, text

from serve.store import Store, decisions, feedback, new_id, reviews
from serve.store.tables import reviews as reviews_table


@pytest.mark.parametrize("given", ["", "a\0b", "0" * 31, "0" * 33, "0" * 31 + "\n", "G" * 32])
def test_what_is_no_id_finds_nothing_in_any_database(any_store: Store, given: str) -> None:
    with any_store.read() as connection:
        assert decisions.find(connection, given) is None


def test_an_id_that_nobody_gave_finds_nothing(any_store: Store) -> None:
    assert decisions.is_id(new_id())
    with any_store.read() as connection:
        assert decisions.find(connection, new_id()) is None


def test_a_ticket_that_is_corrected_while_its_later_answer_is_stored_waits_for_nobody(
    any_store: Store,
) -> None:
    if any_store.sqlite:
        pytest.skip("it has one writer at a time")
    answer: dict[str, Any] = {"id": None, "queue": "A", "confidence": 0.5, "stage": "human"}
    answer |= {"decision_id": new_id(), "bundle": "b", "action": "review", "labels": {}}
    its = str(answer["decision_id"])
    with any_store.write() as connection:
        decisions.add(connection, answer | {"pending": True}, "f")

    def finish() -> None:
        with any_store.write() as connection:
            assert decisions.finish(connection, answer | {"pending": False})

    def waits() -> bool:
        with any_store.read() as connection:
            held_up = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            return bool(connection.scalar(text(held_up)))

    later = Thread(target=finish)
    with any_store.write() as connection:
        feedback.add(connection, feedback.API, its, "B", "anna")
        reviews.close(connection, its)
        later.start()
        while later.is_alive() and not waits():
            time.sleep(0.01)
    later.join()
    with any_store.read() as connection:
        assert connection.execute(select(reviews_table)).all() == []
