"""API keys in the database, and what a worker knows of them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from serve import keys_cli
from serve.store import DOWN, Store, keys
from serve.store.keys import FRESH, KEPT, TOKEN, Key, KeyRing
from serve.store.tables import keys as table


class Clock:
    """Says what it was set to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def add(store: Store, *scopes: str, expires: float | None = None) -> tuple[Key, str]:
    with store.write() as connection:
        return keys.add(connection, "helpdesk", scopes or ("route",), expires)


def revoke(store: Store, key_id: str) -> bool:
    with store.write() as connection:
        return keys.revoke(connection, key_id)


def test_a_key_is_known_by_its_token_and_by_nothing_else(any_store: Store) -> None:
    key, token = add(any_store, "route", "review")
    ring = KeyRing(any_store)
    assert ring.check(token) == key
    assert key.scopes == {"route", "review"}
    _, other = add(any_store)
    head, tail = token[: len("csc_") + 13], other[len("csc_") + 13 :]
    last = "0" if token[-1] != "0" else "1"
    for wrong in (
        head + tail,
        token[:-1] + last,
        token[:-1],
        token + "0",
        token.upper(),
        "",
        "csc_",
    ):
        assert ring.check(wrong) is None


def test_only_a_hash_of_the_secret_is_stored(any_store: Store) -> None:
    _, token = add(any_store)
    parts = TOKEN.fullmatch(token)
    assert parts
    with any_store.read() as connection:
        (row,) = connection.execute(select(table)).mappings()
    assert row["hash"] != parts[2]
    assert parts[2] not in str(dict(row))
    assert len(bytes.fromhex(parts[2])) == 32


def test_tokens_are_never_alike(any_store: Store) -> None:
    made = [add(any_store)[1].split("_") for _ in range(20)]
    assert len({part for _, *parts in made for part in parts}) == 40


def test_a_key_is_over_when_it_expires(any_store: Store) -> None:
    over, over_token = add(any_store, expires=time.time() - 1)
    lasts, token = add(any_store, expires=time.time() + 60)
    ring = KeyRing(any_store)
    assert ring.check(over_token) is None
    assert ring.check(token) == lasts
    assert (over.state(time.time()), lasts.state(time.time())) == ("expired", "valid")


def test_a_key_that_expires_between_two_looks_at_the_database_is_over_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, token = add(store, expires=time.time() + 60)
    ring = KeyRing(store)
    assert ring.check(token) == key
    monkeypatch.setattr("serve.store.keys.time.time", lambda: (key.expires or 0) + 1)
    assert ring.check(token) is None


def test_revoking_is_known_when_what_was_read_is_no_longer_fresh(any_store: Store) -> None:
    clock = Clock()
    key, token = add(any_store)
    ring = KeyRing(any_store, clock)
    assert ring.check(token) == key
    assert revoke(any_store, key.id)
    clock.now += FRESH
    assert ring.check(token) is None
    assert FRESH < 2


def test_revoking_twice_keeps_the_first_time_and_an_unknown_id_is_told(any_store: Store) -> None:
    key, _ = add(any_store)
    assert revoke(any_store, key.id)
    with any_store.read() as connection:
        first = keys.everyone(connection)[0].revoked
    assert revoke(any_store, key.id)
    with any_store.read() as connection:
        assert keys.everyone(connection)[0].revoked == first
    assert not revoke(any_store, "0" * 12)


def test_guessing_asks_the_database_no_more_than_once_in_a_while(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, asked = Clock(), []
    ring = KeyRing(store, clock)
    read = store.read
    monkeypatch.setattr(store, "read", lambda: asked.append(1) or read())
    for i in range(100):
        assert ring.check(f"csc_{i:012x}_{i:064x}") is None
    assert len(asked) == 1
    _, token = add(store)
    assert ring.check(token) is None, "what is no key is remembered for a moment, too"
    clock.now += FRESH
    assert ring.check(token)
    assert len(asked) == 2


def test_a_store_that_says_nothing_holds_up_one_thread_and_not_those_with_known_keys(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, asked, go, read = Clock(), Event(), Event(), store.read
    key, token = add(store)
    ring = KeyRing(store, clock)
    assert ring.check(token) == key

    def silent() -> Any:
        asked.set()
        assert go.wait(10)
        return read()

    monkeypatch.setattr(store, "read", silent)
    clock.now += FRESH
    with ThreadPoolExecutor(1) as another:
        held = another.submit(ring.check, token)
        assert asked.wait(10)
        assert ring.check(token) == key
        assert not held.done()
        go.set()
    assert held.result() == key


def test_with_the_store_away_known_keys_are_good_for_some_minutes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, asked = Clock(), []
    key, token = add(store)
    ring, cold = KeyRing(store, clock), KeyRing(store, clock)
    assert ring.check(token) == key

    def away() -> Any:
        asked.append(1)
        raise OperationalError("", None, Exception())

    with monkeypatch.context() as patch:
        patch.setattr(store, "read", away)
        for _ in range(9):
            with pytest.raises(DOWN):
                cold.check(token)
        assert len(asked) == 1, "that it failed is remembered for a moment, too"
        clock.now += KEPT - FRESH / 2
        assert ring.check(token) == key
        clock.now += FRESH
        with pytest.raises(DOWN):
            ring.check(token)
    clock.now += FRESH
    assert ring.check(token) == cold.check(token) == key


def test_admin_implies_every_scope(store: Store) -> None:
    admin, route = add(store, "admin")[0], add(store, "route")[0]
    assert all(admin.allows(scope) for scope in keys.SCOPES)
    assert [scope for scope in keys.SCOPES if route.allows(scope)] == ["route"]


def test_the_command_knows_the_same_scopes() -> None:
    assert keys_cli.SCOPES == keys.SCOPES
