"""What is too old goes, what waits for somebody stays."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from serve.purge import DAY, compact, purge, purgeable
from serve.settings import Settings
from serve.store import Store, decisions, jobs, new_id
from serve.store.tables import feedback, metadata, reviews, texts

SETTINGS = Settings(keep_decisions_days=100, keep_text_days=10)


def answer(**other: Any) -> dict[str, Any]:
    plain = {"id": None, "queue": "Billing", "confidence": 0.4, "stage": "linear", "labels": {}}
    plain |= {"decision_id": new_id(), "bundle": "b", "action": "route", "pending": False}
    return plain | other


@pytest.fixture
def keep(any_store: Store, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Keeps a decision, with its text, as it was some days ago."""

    def made(days: float, **other: Any) -> str:
        with monkeypatch.context() as then, any_store.write() as connection:
            now = time.time() - days * DAY
            then.setattr(time, "time", lambda: now)
            its = answer(**other)
            decisions.add(connection, its, "f")
            decisions.add_text(connection, its["decision_id"], "my vpn is down")
        return str(its["decision_id"])

    return made


def kept(store: Store, table: Any = decisions.decisions) -> set[str]:
    with store.read() as connection:
        return set(connection.scalars(select(next(iter(table.primary_key)))))


def test_texts_go_before_decisions(any_store: Store, keep: Any) -> None:
    ids = {days: keep(days) for days in (1, 9.9, 10.1, 99, 101)}
    expected = {"texts": 3, "replies": 0, "feedback": 0, "decisions": 1}
    assert purgeable(any_store, SETTINGS) == expected
    assert len(kept(any_store)) == 5
    assert purge(any_store, SETTINGS) == expected
    assert kept(any_store) == set(ids.values()) - {ids[101]}
    assert kept(any_store, texts) == {ids[1], ids[9.9]}
    assert set(purge(any_store, SETTINGS).values()) == {0}


def test_texts_go_at_once_where_none_are_to_be_kept(any_store: Store, keep: Any) -> None:
    keep(0)
    assert purge(any_store, Settings())["texts"] == 1


def test_what_somebody_waits_for_is_kept(any_store: Store, keep: Any) -> None:
    waits, done = (keep(500, action="review") for _ in range(2))
    pending = keep(500, action="review", pending=True)
    told = keep(500)
    with any_store.write() as connection:
        jobs.add(connection, jobs.CALLBACK, told, "{}")
        closed = reviews.update().where(reviews.c.decision == done).values(done=1.0)
        connection.execute(closed)
    assert purge(any_store, SETTINGS)["decisions"] == 1
    assert kept(any_store) == {waits, pending, told}
    assert kept(any_store, reviews) == {waits}


def test_old_feedback_and_replies_go_and_new_feedback_outlives_its_decision(
    any_store: Store, keep: Any
) -> None:
    old = keep(101)
    base = {"queue": "A", "source": "api", "by": "anna", "ticket": "4711", "decision": old}
    with any_store.write() as connection:
        for name, days in (("new", 1), ("old", 101)):
            row = base | {"id": name, "created": time.time() - days * DAY}
            connection.execute(insert(feedback), row)
        decisions.add_reply(connection, "anyone", "k", "body", [])
        later = metadata.tables["replies"].update().values(created=time.time() - 3 * DAY)
        connection.execute(later)
    gone = purge(any_store, SETTINGS)
    assert (gone["feedback"], gone["replies"], gone["decisions"]) == (1, 1, 1)
    with any_store.read() as connection:
        (row,) = connection.execute(select(feedback)).all()
    assert (row.id, row.decision, row.ticket) == ("new", None, "4711")


def test_a_lot_goes_in_several_small_transactions(
    any_store: Store, keep: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.purge.CHUNK", 3)
    for _ in range(7):
        keep(101)
    assert purge(any_store, SETTINGS)["decisions"] == 7
    with any_store.read() as connection:
        assert connection.scalar(select(func.count()).select_from(texts)) == 0


def test_afterwards_no_copy_is_left_in_the_files(store: Store) -> None:
    with store.write() as connection:
        its = answer()
        decisions.add(connection, its, "f")
        decisions.add_text(connection, its["decision_id"], "hunter2 " * 50_000)
    file = Path(str(store.url.database))
    purge(store, Settings())
    compact(store)
    assert file.stat().st_size < 300_000
    assert not any(b"hunter2" in its.read_bytes() for its in file.parent.glob("service.sqlite*"))
