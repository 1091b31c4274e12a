"""What is to be done in the background, so that a kill at any point loses nothing.

Whoever claims a job holds it for a while, the lease, and renews that as long as it works on it. If
it is killed, the lease ends and another one takes the job. Each claim has an id of its own: what
comes of a job is stored in the transaction in which `done` says that the claim still holds, so
nothing is stored twice, however late the one who lost it comes.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from serve.store import new_id
from serve.store.tables import jobs

FINISH, CALLBACK = "finish", "callback"


@dataclass(frozen=True, slots=True)
class Job:
    """A job that was claimed.

    Attributes:
        attempts: claims so far, this one among them.
        created: seconds since 1970.
        holder: id of the claim.
    """

    id: str
    decision: str
    payload: str
    created: float
    attempts: int
    holder: str


def add(connection: Connection, kind: str, decision: str, payload: str) -> None:
    """Have something done, in the transaction that makes it necessary.

    Args:
        kind: `FINISH` a decision that a deadline cut short, or tell it by `CALLBACK`.
        payload: for `FINISH` the ticket's cleaned text, gone with the row; else JSON.
    """
    now = time.time()
    row = {"id": new_id(), "kind": kind, "decision": decision, "payload": payload}
    connection.execute(insert(jobs), {**row, "created": now, "due": now, "attempts": 0})


def any_due(connection: Connection, kind: str) -> bool:
    """Whether there may be something to `claim`."""
    found = select(jobs.c.id).where(jobs.c.kind == kind, jobs.c.due <= time.time()).limit(1)
    return connection.scalar(found) is not None


def claim(connection: Connection, kind: str, lease: float) -> Job | None:
    """Take the job that has been due for longest; nobody else gets it for ``lease`` seconds."""
    now = time.time()
    longest_due = (
        select(jobs.c.id)
        .where(jobs.c.kind == kind, jobs.c.due <= now)
        .order_by(jobs.c.due)
        .limit(1)
        .with_for_update(skip_locked=True)  # SQLite has one writer at a time, and ignores it
    )
    taken = connection.execute(
        update(jobs)
        .where(jobs.c.id == longest_due.scalar_subquery())
        .values(due=now + lease, holder=new_id(), attempts=jobs.c.attempts + 1)
        .returning(jobs)
    ).first()
    if taken is None:
        return None
    return Job(taken.id, taken.decision, taken.payload, taken.created, taken.attempts, taken.holder)


def renew(connection: Connection, holders: Collection[str], lease: float) -> None:
    """Hold these claims for another ``lease`` seconds; those that were lost stay lost."""
    held = jobs.c.holder.in_(holders)
    connection.execute(update(jobs).where(held).values(due=time.time() + lease))


def done(connection: Connection, job: Job) -> bool:
    """Take a job away, in the transaction that stores what came of it.

    Returns:
        Whether the claim still held. If not, nothing may be stored.
    """
    return bool(connection.execute(delete(jobs).where(_held(job))).rowcount)


def put_back(connection: Connection, job: Job, seconds: float, *, counted: bool = True) -> None:
    """Let a job be claimed again after some seconds, unless the claim was lost.

    Args:
        counted: it was an attempt; if not, it was not the job's fault.
    """
    attempts = job.attempts if counted else job.attempts - 1
    connection.execute(
        update(jobs)
        .where(_held(job))
        .values(due=time.time() + seconds, holder=None, attempts=attempts)
    )


def _held(job: Job) -> ColumnElement[bool]:
    return and_(jobs.c.id == job.id, jobs.c.holder == job.holder)
