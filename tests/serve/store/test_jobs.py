"""Jobs are done once, whoever is killed and however late the loser of a lease comes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError

from serve.store import Store, decisions, jobs, new_id, tables
from serve.store.jobs import CALLBACK, FINISH, Job

LONG, OVER = 60.0, 0.0


def a_decision(store: Store) -> str:
    answer = {
        "decision_id": new_id(),
        "id": None,
        "bundle": "b",
        "queue": "Network",
        "confidence": 0.5,
        "stage": "human",
        "action": "review",
        "pending": True,
        "labels": {},
    }
    with store.write() as connection:
        decisions.add(connection, answer, "")
    return str(answer["decision_id"])


def owe(store: Store, number: int = 1, kind: str = FINISH) -> list[str]:
    """So many jobs; the ids of their decisions."""
    owed = [a_decision(store) for _ in range(number)]
    with store.write() as connection:
        for decision in owed:
            jobs.add(connection, kind, decision, "text")
    return owed


def claim(store: Store, lease: float = LONG, kind: str = FINISH) -> Job | None:
    with store.write() as connection:
        return jobs.claim(connection, kind, lease)


def claimed(store: Store, lease: float = LONG) -> Job:
    job = claim(store, lease)
    assert job
    return job


def finish(store: Store, job: Job) -> bool:
    with store.write() as connection:
        return jobs.done(connection, job)


def left(store: Store) -> int:
    with store.read() as connection:
        return connection.scalar(select(func.count()).select_from(tables.jobs)) or 0


def test_each_job_is_claimed_by_one(any_store: Store, database: str) -> None:
    owed = owe(any_store, 30)
    stores = [any_store, Store(database)]  # as two processes have them

    def work(number: int) -> list[str]:
        mine = []
        while job := claim(stores[number % 2]):
            mine.append(job.decision)
        return mine

    with ThreadPoolExecutor(6) as threads:
        taken = [decision for mine in threads.map(work, range(6)) for decision in mine]
    stores[1].close()
    assert sorted(taken) == sorted(owed)


def test_the_first_that_was_due_comes_first_and_each_kind_by_itself(any_store: Store) -> None:
    second, first = owe(any_store, 2)
    [told] = owe(any_store, 1, CALLBACK)
    with any_store.write() as connection:
        earlier = update(tables.jobs).where(tables.jobs.c.decision == first)
        connection.execute(earlier.values(due=1.0))
    assert [claimed(any_store).decision, claimed(any_store).decision] == [first, second]
    callback = claim(any_store, kind=CALLBACK)
    assert callback
    assert (callback.decision, callback.attempts) == (told, 1)


def test_who_holds_a_job_can_do_it_until_another_has_claimed_it(any_store: Store) -> None:
    owe(any_store)
    slow = claimed(any_store, OVER)
    quick = claimed(any_store)
    assert (slow.id, quick.attempts) == (quick.id, 2)
    assert not finish(any_store, slow)
    assert finish(any_store, quick)
    assert not finish(any_store, quick)
    assert left(any_store) == 0


def test_a_lease_is_renewed_but_not_one_that_was_lost(any_store: Store) -> None:
    owe(any_store)
    lost = claimed(any_store, OVER)
    held = claimed(any_store, OVER)
    with any_store.write() as connection:
        jobs.renew(connection, [held.holder], LONG)
        jobs.renew(connection, [lost.holder], OVER)
    assert claim(any_store) is None
    assert finish(any_store, held)


@pytest.mark.parametrize("counted", [True, False])
def test_a_job_is_put_back_by_its_holder_only(any_store: Store, counted: bool) -> None:
    owe(any_store)
    lost = claimed(any_store, OVER)
    held = claimed(any_store)
    with any_store.write() as connection:
        jobs.put_back(connection, lost, OVER)
    assert claim(any_store) is None
    with any_store.write() as connection:
        jobs.put_back(connection, held, OVER, counted=counted)
    assert claimed(any_store).attempts == (3 if counted else 2)


def test_what_is_put_back_for_later_is_not_due(any_store: Store) -> None:
    owe(any_store)
    with any_store.write() as connection:
        jobs.put_back(connection, claimed_in(connection), LONG)
        assert not jobs.any_due(connection, FINISH)
        connection.execute(update(tables.jobs).values(due=0.0))
        assert jobs.any_due(connection, FINISH)
        assert not jobs.any_due(connection, CALLBACK)


def claimed_in(connection: Any) -> Job:
    job = jobs.claim(connection, FINISH, LONG)
    assert job
    return job


def test_a_job_is_of_a_decision_and_goes_with_it(any_store: Store) -> None:
    [decision] = owe(any_store)
    with pytest.raises(IntegrityError), any_store.write() as connection:
        jobs.add(connection, FINISH, new_id(), "text")
    with any_store.write() as connection:
        connection.execute(delete(tables.decisions).where(tables.decisions.c.id == decision))
    assert left(any_store) == 0


STEPS = st.lists(st.tuples(st.sampled_from(["claim", "lose", "do"]), st.integers(0, 5)))


@given(steps=STEPS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_any_order_of_events_each_job_is_done_once(
    store: Store, steps: list[tuple[str, int]]
) -> None:
    with store.write() as connection:
        connection.execute(delete(tables.decisions))
    owe(store, 2)
    claims: list[Job] = []
    last: dict[str, Job] = {}  # who claimed it last is the only one who can do it
    done: list[str] = []
    for step, number in steps:
        if step != "do":
            job = claim(store, LONG if step == "claim" else OVER)
            if job:
                claims.append(job)
                last[job.id] = job
        elif claims:
            job = claims[number % len(claims)]
            can = last[job.id] == job and job.id not in done
            assert finish(store, job) == can
            done += [job.id] if can else []
    assert left(store) == 2 - len(done)
