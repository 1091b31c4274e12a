"""What workers agree on, in each kind of database."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import update

from serve.store import Store, deployments
from serve.store.deployments import ACTIVE, DEAD, FORGOTTEN, REFUSED, Worker
from serve.store.tables import deployments as table
from serve.store.tables import workers


def begin(store: Store, path: str = "/b/one") -> int | None:
    with store.write() as connection:
        return deployments.begin(connection, path, "/b/one")


def decide(store: Store, deployment: int | None, state: str, reason: str = "") -> bool:
    assert deployment
    with store.write() as connection:
        return deployments.decide(connection, deployment, state, reason)


def current(store: Store) -> tuple[int | None, int | None]:
    with store.read() as connection:
        active, following = deployments.current(connection)
    return active.id if active else None, following.id if following else None


def age(store: Store, seconds: float) -> None:
    """Let time go by for what is there."""
    with store.write() as connection:
        connection.execute(update(table).values(created=table.c.created - seconds))
        connection.execute(update(workers).values(seen=workers.c.seen - seconds))


def test_a_deployment_is_prepared_and_then_active_or_refused(any_store: Store) -> None:
    assert current(any_store) == (None, None)
    one = begin(any_store)
    assert current(any_store) == (None, one)
    assert decide(any_store, one, ACTIVE)
    two = begin(any_store, "/b/two")
    assert current(any_store) == (one, two)
    assert decide(any_store, two, REFUSED, "damaged")
    assert current(any_store) == (one, None)
    assert not decide(any_store, two, ACTIVE), "what was decided stays so"
    assert two
    with any_store.read() as connection:
        found = deployments.find(connection, two)
    assert (found.path, found.configured, found.bundle) == ("/b/two", "/b/one", None)
    assert (found.state, found.reason) == (REFUSED, "damaged")


def test_of_many_that_begin_at_once_one_does(any_store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda _: begin(any_store), range(8)))
    assert sum(its is not None for its in begun) == 1


def test_a_deployment_whose_caller_was_killed_holds_nobody_up_for_ever(any_store: Store) -> None:
    abandoned = begin(any_store)
    assert abandoned
    age(any_store, DEAD - 1)
    with any_store.write() as connection:
        deployments.await_it(connection, abandoned)
    age(any_store, DEAD - 1)
    assert begin(any_store) is None, "somebody still waits for it"
    age(any_store, 2)
    assert current(any_store) == (None, None)
    assert begin(any_store)
    assert not decide(any_store, abandoned, ACTIVE)


def test_the_first_worker_says_which_bundle_it_is(any_store: Store) -> None:
    its = begin(any_store)
    assert its
    with any_store.write() as connection:
        assert deployments.name(connection, its, "b-1") == "b-1"
        assert deployments.name(connection, its, "b-2") == "b-1"


def test_a_worker_is_alive_while_its_heart_beats(any_store: Store) -> None:
    with any_store.write() as connection:
        deployments.report(connection, Worker("1"))
        deployments.report(connection, Worker("2", 7, 8, "damaged"))
    with any_store.read() as connection:
        assert deployments.alive(connection) == [Worker("1"), Worker("2", 7, 8, "damaged")]
    age(any_store, DEAD + 1)
    with any_store.write() as connection:
        deployments.report(connection, Worker("2", 8))
        assert deployments.alive(connection) == [Worker("2", 8)]
        deployments.leave(connection, "2")
        assert deployments.alive(connection) == []


def test_the_dead_are_forgotten_when_somebody_new_comes(any_store: Store) -> None:
    with any_store.write() as connection:
        deployments.report(connection, Worker("1"))
    age(any_store, FORGOTTEN + 1)
    with any_store.write() as connection:
        deployments.report(connection, Worker("2"))
        left = connection.execute(workers.select()).all()
    assert [row.id for row in left] == ["2"]


def test_a_worker_is_lost_that_died_before_it_had_told(any_store: Store) -> None:
    began = time.time() - DEAD - 1

    def lost() -> bool:
        with any_store.read() as connection:
            return deployments.lost(connection, 7, began)

    with any_store.write() as connection:
        for worker in (Worker("died before"), Worker("told", 6, 7), Worker("could not", 6, 7, "!")):
            deployments.report(connection, worker)
        earlier = update(workers).where(workers.c.id == "died before")
        connection.execute(earlier.values(seen=workers.c.seen - DEAD))
    age(any_store, DEAD + 0.5)
    assert not lost()
    with any_store.write() as connection:
        deployments.report(connection, Worker("loads", 6, 6))
    assert not lost(), "its heart beats"
    age(any_store, DEAD + 0.5)
    assert lost()
    with any_store.write() as connection:
        deployments.leave(connection, "loads")
    assert not lost(), "it ended as it should"
