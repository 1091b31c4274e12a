"""What waits for people: the costliest first, never with two of them at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from serve.store import Store, decisions, feedback, new_id, reviews
from serve.store.tables import feedback as feedback_table

Keep = Callable[..., str]
MINUTE = 60.0


@pytest.fixture
def keep(any_store: Store) -> Keep:
    """Keeps a decision, by default one that nobody was sure of."""

    def made(confidence: float = 0.5, **other: Any) -> str:
        plain = {"id": None, "queue": "Billing", "confidence": confidence, "stage": "human"}
        plain |= {"decision_id": new_id(), "bundle": "b", "action": "review", "pending": False}
        answer = plain | {"labels": {}} | other
        with any_store.write() as connection:
            decisions.add(connection, answer, "f")
        return str(answer["decision_id"])

    return made


def claim(store: Store, by: str, decision_id: str | None = None, seconds: float = MINUTE) -> Any:
    with store.write() as connection:
        item = reviews.claim(connection, by, seconds, decision_id)
    return item and item.decision["decision_id"]


def decide(store: Store, decision_id: str, by: str, queue: str = "Network") -> str | None:
    with store.write(durable=True) as connection:
        return reviews.decide(connection, decision_id, by, queue)


def test_the_least_sure_come_first_and_the_oldest_of_equals(any_store: Store, keep: Keep) -> None:
    sure, unsure, first, second = (keep(its) for its in (0.9, 0.1, 0.4, 0.4))
    keep(0.0, action="route")
    keep(0.0, pending=True)
    with any_store.read() as connection:
        found = [item.decision["decision_id"] for item in reviews.first(connection, 9)]
        assert found == [unsure, first, second, sure]
        assert len(reviews.first(connection, 2)) == 2
        assert reviews.waiting(connection) == 4
    assert [claim(any_store, by) for by in "abcde"] == [unsure, first, second, sure, None]


def test_an_item_is_the_decision_and_its_text(any_store: Store, keep: Keep) -> None:
    its = keep(0.25, id="4711")
    with any_store.write() as connection:
        decisions.add_text(connection, its, "my vpn is down")
        item = reviews.claim(connection, "anna", MINUTE)
    assert item is not None
    assert (item.decision["id"], item.text, item.priority) == ("4711", "my vpn is down", 0.75)
    assert item.claimed_by == "anna"
    assert item.claimed_until == pytest.approx(time.time() + MINUTE, abs=5)
    with any_store.read() as connection:
        assert reviews.first(connection, 1) == [item]


def test_fifty_items_and_eight_people_none_gets_one_twice(
    any_store: Store, keep: Keep, database: str
) -> None:
    ids = {keep(number / 50) for number in range(50)}
    stores = [any_store, Store(database)]

    def work(person: int) -> list[str]:
        mine = []
        while its := claim(stores[person % 2], f"person {person}"):
            mine.append(its)
        return mine

    with ThreadPoolExecutor(8) as people:
        got = [its for each in people.map(work, range(8)) for its in each]
    stores[1].close()
    assert len(got) == 50
    assert set(got) == ids


def test_a_named_one_goes_to_one_of_those_who_want_it(any_store: Store, keep: Keep) -> None:
    its = keep()
    with ThreadPoolExecutor(8) as people:
        got = list(people.map(lambda by: claim(any_store, by, its), "abcdefgh"))
    assert sorted(got, key=str) == [its, *[None] * 7]


def test_who_holds_one_may_claim_it_again_and_get_another_one(any_store: Store, keep: Keep) -> None:
    first, second = keep(0.1), keep(0.2)
    assert claim(any_store, "anna", first) == claim(any_store, "anna", first) == first
    assert claim(any_store, "anna") == second
    assert claim(any_store, "bert", first) is None


def test_a_claim_ends(any_store: Store, keep: Keep) -> None:
    its = keep()
    assert claim(any_store, "anna", seconds=-1.0) == its
    with any_store.read() as connection:
        (item,) = reviews.first(connection, 1)
    assert (item.claimed_by, item.claimed_until) == (None, None)
    assert claim(any_store, "bert") == its
    assert decide(any_store, its, "anna") is None
    assert decide(any_store, its, "bert")


def test_who_was_late_may_still_decide_if_nobody_else_took_it(any_store: Store, keep: Keep) -> None:
    its = keep()
    claim(any_store, "anna", seconds=-1.0)
    assert decide(any_store, its, "anna")


def test_only_who_holds_it_gives_it_back(any_store: Store, keep: Keep) -> None:
    its = keep()
    claim(any_store, "anna")
    with any_store.write() as connection:
        assert not reviews.release(connection, its, "bert")
        assert reviews.release(connection, its, "anna")
        assert not reviews.release(connection, its, "anna")
    assert claim(any_store, "bert") == its


def test_a_decision_is_feedback_and_the_end_of_the_wait(any_store: Store, keep: Keep) -> None:
    its = keep(id="4711")
    claim(any_store, "anna")
    assert decide(any_store, its, "bert") is None
    told = decide(any_store, its, "anna", "Network")
    assert decide(any_store, its, "anna") is None
    with any_store.read() as connection:
        assert (reviews.waiting(connection), reviews.exists(connection, its)) == (0, True)
        (row,) = connection.execute(select(feedback_table)).all()
    assert (row.id, row.decision, row.ticket) == (told, its, "4711")
    assert (row.queue, row.source, row.by) == ("Network", "review", "anna")
    assert claim(any_store, "anna", its) is None


def test_all_at_once_one_decides(any_store: Store, keep: Keep) -> None:
    its = keep()
    with ThreadPoolExecutor(8) as people:
        told = list(people.map(lambda by: decide(any_store, its, by), "abcdefgh"))
    assert sum(one is not None for one in told) == 1
    with any_store.read() as connection:
        assert len(connection.execute(select(feedback_table)).all()) == 1


def test_who_decided_can_take_it_back_for_a_while(any_store: Store, keep: Keep) -> None:
    its = keep()
    decide(any_store, its, "anna")

    def reopen(by: str, seconds: float) -> bool:
        with any_store.write(durable=True) as connection:
            return reviews.reopen(connection, its, by, seconds, MINUTE)

    assert not reopen("bert", MINUTE)
    assert not reopen("anna", -1.0)
    assert reopen("anna", MINUTE)
    assert not reopen("anna", MINUTE)
    with any_store.read() as connection:
        assert connection.execute(select(feedback_table)).all() == []
        assert reviews.first(connection, 1)[0].claimed_by == "anna"
    assert claim(any_store, "bert") is None
    assert decide(any_store, its, "anna", "Billing")


def test_what_the_help_desk_corrected_nobody_has_to_look_at(any_store: Store, keep: Keep) -> None:
    its = keep()
    claim(any_store, "anna")
    with any_store.write() as connection:
        reviews.close(connection, its)
    assert decide(any_store, its, "anna") is None
    with any_store.write() as connection:
        assert not reviews.reopen(connection, its, "anna", MINUTE, MINUTE)
        assert reviews.waiting(connection) == 0


def test_a_pending_decision_that_was_corrected_waits_for_nobody_when_it_is_finished(
    any_store: Store, keep: Keep
) -> None:
    corrected, other = keep(pending=True), keep(pending=True)
    with any_store.write() as connection:
        feedback.add(connection, feedback.API, corrected, "Network", "anna")
        for its in (corrected, other):
            answer = decisions.find(connection, its)
            assert answer is not None
            assert decisions.finish(connection, answer | {"pending": False})
        assert [item.decision["decision_id"] for item in reviews.first(connection, 9)] == [other]
