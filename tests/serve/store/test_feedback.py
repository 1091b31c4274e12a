"""The newest feedback on each decision counts."""

from __future__ import annotations

from sqlalchemy import delete

from serve.store import Store, decisions, feedback, new_id
from serve.store.tables import decisions as decisions_table


def keep(store: Store, ticket: str | None = None, text: str = "") -> str:
    answer = {"id": ticket, "queue": "Billing", "confidence": 0.5, "stage": "linear"}
    answer |= {"decision_id": new_id(), "bundle": "b", "action": "route", "pending": False}
    with store.write() as connection:
        decisions.add(connection, answer | {"labels": {}}, "f")
        if text:
            decisions.add_text(connection, str(answer["decision_id"]), text)
    return str(answer["decision_id"])


def say(store: Store, its: str, queue: str, source: str = feedback.API, by: str = "anna") -> str:
    with store.write() as connection:
        return feedback.add(connection, source, its, queue, by)


def newest(store: Store, since: float = 0.0, with_text: bool = False) -> list[tuple[str, str]]:
    with store.read() as connection:
        rows = feedback.newest(connection, since, with_text=with_text)
        return [(row.decision, row.queue) for row in rows]


def test_later_word_replaces_earlier_word_on_the_same_decision(any_store: Store) -> None:
    one, other = keep(any_store), keep(any_store)
    for its, queue in ((one, "A"), (other, "B"), (one, "C"), (one, "D")):
        say(any_store, its, queue)
    assert newest(any_store) == [(other, "B"), (one, "D")]


def test_who_takes_it_back_takes_back_what_they_said_there(any_store: Store) -> None:
    its = keep(any_store)
    say(any_store, its, "A", feedback.REVIEW, "bert")
    say(any_store, its, "B", feedback.API, "anna")
    say(any_store, its, "C", feedback.REVIEW, "anna")
    with any_store.write() as connection:
        feedback.take_back(connection, feedback.REVIEW, its, "anna")
    assert newest(any_store) == [(its, "B")]


def test_feedback_comes_with_what_was_decided(any_store: Store) -> None:
    its, silent = keep(any_store, "4711", "my vpn"), keep(any_store)
    say(any_store, its, "Network")
    say(any_store, silent, "Network")
    with any_store.read() as connection:
        first, second = feedback.newest(connection, 0.0, with_text=False)
    assert (first.ticket, first.text, first.its_queue, first.its_stage) == (
        "4711", "my vpn", "Billing", "linear",
    )  # fmt: skip
    assert (second.ticket, second.text) == (None, None)
    assert newest(any_store, with_text=True) == [(its, "Network")]


def test_feedback_since_a_time(any_store: Store) -> None:
    its = keep(any_store)
    say(any_store, its, "Network")
    with any_store.read() as connection:
        (row,) = feedback.newest(connection, 0.0, with_text=False)
        assert feedback.since(connection, row.created) == 1
        assert feedback.since(connection, row.created + 1) == 0
    assert newest(any_store, row.created) == [(its, "Network")]
    assert newest(any_store, row.created + 1) == []


def test_feedback_outlives_its_decision_each_by_itself(any_store: Store) -> None:
    ids = [keep(any_store), keep(any_store)]
    for its in ids:
        say(any_store, its, "A")
    with any_store.write() as connection:
        connection.execute(delete(decisions_table))
    assert newest(any_store) == [(None, "A"), (None, "A")]


def test_a_ticket_that_came_twice_is_its_newest_decision(any_store: Store) -> None:
    keep(any_store, "4711")
    keep(any_store, "4712")
    second = keep(any_store, "4711")
    with any_store.read() as connection:
        assert feedback.newest_decision(connection, "4711") == second
        assert feedback.newest_decision(connection, "0815") is None
