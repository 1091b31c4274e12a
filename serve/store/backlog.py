"""How much waits: for people, and for the worker in the background."""

from __future__ import annotations

import time
from typing import NamedTuple

from sqlalchemy import Connection, func, literal, select, union_all

from serve.store.jobs import CALLBACK, FINISH
from serve.store.tables import jobs, reviews

REVIEW = "review"
KINDS = (REVIEW, FINISH, CALLBACK)


class Backlog(NamedTuple):
    """How much waits for one thing, and the age in seconds of the oldest of it."""

    waiting: int = 0
    age: float = 0.0


def backlog(connection: Connection) -> dict[str, Backlog]:
    """What waits by its kind: `REVIEW` and each kind of job."""
    now = time.time()
    asked = select(literal(REVIEW), func.count(), func.min(reviews.c.created)).where(
        reviews.c.done.is_(None)
    )
    owed = select(jobs.c.kind, func.count(), func.min(jobs.c.created)).group_by(jobs.c.kind)
    rows = connection.execute(union_all(asked, owed)).all()
    found = {kind: Backlog(n, max(now - oldest, 0.0)) for kind, n, oldest in rows if n}
    return {kind: found.get(kind, Backlog()) for kind in KINDS}
