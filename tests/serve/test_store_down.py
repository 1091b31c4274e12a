"""No answer goes out whose decision is not stored: whoever asks is told to come back."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, create_engine, event, func, select, text
from sqlalchemy.exc import OperationalError

from serve.app import create_app
from serve.engine import Engine
from serve.intake import Intake
from serve.logs import JsonFormatter
from serve.service import Service
from serve.settings import Settings
from serve.store import Store, keys
from serve.store.tables import decisions

TICKETS = {"tickets": [{"text": "my password is hunter2"}] * 16}
"""More than the last page of a table has room for."""
ONCE = {"Idempotency-Key": "k"}
Trouble = Callable[[Store], AbstractContextManager[str]]
"""Makes a database fail, and says what it will call that."""


@contextmanager
def full(store: Store) -> Iterator[str]:
    """A disk without room for another page."""
    with pragma(store, "max_page_count = 1"):  # it stays as large as it is
        yield "SQLITE_FULL"


@contextmanager
def pragma(store: Store, setting: str) -> Iterator[None]:
    """A setting of SQLite for all new connections."""

    def change(connection: Any, _: object) -> None:
        connection.execute(f"PRAGMA {setting}")

    store.close()
    event.listen(store._engine, "connect", change)
    yield
    event.remove(store._engine, "connect", change)
    store.close()


@contextmanager
def read_only(store: Store) -> Iterator[str]:
    """A file that may not be written."""
    with pragma(store, "query_only = ON"):
        yield "SQLITE_READONLY"


@contextmanager
def locked(store: Store) -> Iterator[str]:
    """Somebody else writes, and does not end."""
    with pragma(store, "busy_timeout = 10"):
        other = create_engine(store.url)
        with other.connect() as connection:
            connection.execute(text("BEGIN IMMEDIATE"))
            yield "SQLITE_BUSY"
        other.dispose()


@contextmanager
def away(store: Store) -> Iterator[str]:
    """A server that ends all connections to the database, and takes no new ones."""
    admin = create_engine(store.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    name = store.url.database
    end = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
    with admin.connect() as connection:
        connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        connection.execute(end, {"name": name})
        yield "None"  # libpq gives no code where there is no connection
        connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
    admin.dispose()


@contextmanager
def cut_at_the_commit(store: Store) -> Iterator[str]:
    """A server that goes down when all is written and nothing is committed."""
    admin = create_engine(store.url.set(database="postgres"), isolation_level="AUTOCOMMIT")

    def cut(connection: Connection) -> None:
        pid = connection.scalar(select(func.pg_backend_pid()))
        with admin.connect() as other:
            other.execute(select(func.pg_terminate_backend(pid, 5000)))

    event.listen(store._engine, "commit", cut)
    yield "57P01"
    event.remove(store._engine, "commit", cut)
    admin.dispose()


TROUBLES = {
    "sqlite": (full, read_only, locked),
    "postgresql": (away, cut_at_the_commit),
}


def test_with_the_store_away_who_has_a_key_is_told_the_figures(
    service_of: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = service_of(auth="keys")
    with parts.store.write() as connection:
        _, token = keys.add(connection, "prometheus", ["metrics"])
    client = create_app(parts).test_client()

    def figures() -> str:
        return client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).text

    def away() -> Any:
        raise OperationalError("", None, Exception())

    assert "cascade_store_up 1.0" in figures()
    monkeypatch.setattr("serve.store.keys.FRESH", 0.0)
    monkeypatch.setattr(parts.store, "read", away)
    assert "cascade_store_up 0.0" in figures()


@pytest.fixture
def asked(any_store: Store, cascade: Any) -> FlaskClient:
    """A client of an app over a store of either kind."""
    settings = Settings(workers=1)
    engine = Engine(settings.threads, settings.waiting, settings.shallow_from)
    engine.serve(cascade)
    intake = Intake(settings, engine, any_store)
    return create_app(Service(settings, engine, any_store, intake)).test_client()


def stored(store: Store) -> int:
    with store.read() as connection:
        return connection.scalar(select(func.count()).select_from(decisions)) or 0


def test_while_the_database_fails_nothing_is_decided_and_then_all_is_as_before(
    asked: Any, any_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "serve")
    assert asked.post("/v1/route/batch", json=TICKETS).status_code == 200
    for trouble in TROUBLES[any_store.url.get_backend_name()]:
        caplog.clear()
        before = stored(any_store)
        with trouble(any_store) as code:
            reply = asked.post("/v1/route/batch", json=TICKETS, headers=ONCE)
        assert (trouble, reply.status_code) == (trouble, 503)
        assert reply.json["type"] == "/problems/store-unavailable"
        assert reply.headers["Retry-After"] == "1"
        assert stored(any_store) == before
        lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
        assert [line["event"] for line in lines] == ["the store is unavailable", "request"]
        assert (trouble, str(lines[0]["code"])) == (trouble, code)
        assert "hunter2" not in reply.text + str(lines)
        again = asked.post(
            "/v1/route/batch", json=TICKETS, headers=ONCE | {"Idempotency-Key": code}
        )
        assert again.status_code == 200
        assert stored(any_store) == before + 16


def test_who_has_no_database_is_alive_and_not_ready_and_still_tells_its_figures(
    asked: Any, any_store: Store
) -> None:
    assert asked.get("/readyz").status_code == 200
    if any_store.sqlite:
        pytest.skip("reading goes on whatever a SQLite file cannot take")
    with away(any_store):
        assert asked.get("/healthz").status_code == 200
        reply = asked.get("/readyz")
        assert (reply.status_code, reply.json["type"]) == (503, "/problems/store-unavailable")
        told = asked.get("/metrics").text
    assert "cascade_store_up 0.0" in told
    assert "cascade_store_up 1.0" in asked.get("/metrics").text
    assert asked.get("/readyz").status_code == 200
