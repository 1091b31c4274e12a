"""How much waits: for people, and for the worker in the background."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, literal, select, union_all

from serve.store.tables import jobs, reviews

REVIEW = "review"


class Backlog(NamedTuple):
    """What waits for one thing: `REVIEW`, or a kind of job.

    ``oldest`` is when the first of them was begun, in seconds since 1970.
    """

    kind: str
    waiting: int
    oldest: float


def backlog(connection: Connection) -> list[Backlog]:
    """All that waits; nothing is said of kinds of which nothing does."""
    asked = select(literal(REVIEW), func.count(), func.min(reviews.c.created)).where(
        reviews.c.done.is_(None)
    )
    owed = select(jobs.c.kind, func.count(), func.min(jobs.c.created)).group_by(jobs.c.kind)
    rows = connection.execute(union_all(asked, owed)).all()
    return [Backlog(kind, waiting, oldest) for kind, waiting, oldest in rows if waiting]
