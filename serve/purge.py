"""Forgetting what is older than the operator wants it kept."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, exists, func, select, tuple_

from serve.settings import Settings
from serve.store import Store
from serve.store.tables import decisions, feedback, jobs, replies, reviews, texts

DAY = 86_400.0
REPLY_DAYS = 2
"""How long an answer can be had again under its idempotency key."""
CHUNK = 1000
"""Rows deleted in one transaction: others that write wait for no longer than that takes."""


def purge(store: Store, settings: Settings) -> dict[str, int]:
    """Delete what is too old, in small transactions, so that the service goes on meanwhile.

    What still waits for a person, for its later answer or for a callback is kept.

    Returns:
        Rows that are gone, by table.
    """
    gone = {}
    for table, old in _old(settings):
        key = tuple_(*table.primary_key)
        some = select(*table.primary_key).where(old).limit(CHUNK)
        gone[table.name] = 0
        last = CHUNK
        while last == CHUNK:
            with store.write() as connection:
                last = connection.execute(delete(table).where(key.in_(some))).rowcount
            gone[table.name] += last
    return gone


def purgeable(store: Store, settings: Settings) -> dict[str, int]:
    """Rows that `purge` would delete, by table; texts that go with their decision not counted."""
    with store.read() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table).where(old)) or 0
            for table, old in _old(settings)
        }


def compact(store: Store) -> None:
    """Give the room of deleted rows back to the disk, and leave no copy of them in SQLite's log.

    PostgreSQL does that by itself. Those who write wait, as SQLite copies what is left.
    """
    if store.sqlite:
        with closing(sqlite3.connect(str(store.url.database))) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _old(settings: Settings) -> Iterator[tuple[Table, ColumnElement[Any]]]:
    """Each table with the condition of what may go, texts first, as they go with decisions too."""
    now = time.time()
    before = now - settings.keep_decisions_days * DAY
    yield texts, texts.c.created < now - settings.keep_text_days * DAY
    yield replies, replies.c.created < now - REPLY_DAYS * DAY
    yield feedback, feedback.c.created < before
    waits = exists().where(reviews.c.decision == decisions.c.id, reviews.c.done.is_(None))
    owed = exists().where(jobs.c.decision == decisions.c.id)
    yield decisions, (decisions.c.created < before) & ~decisions.c.pending & ~waits & ~owed
