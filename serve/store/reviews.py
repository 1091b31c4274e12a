"""What waits for a person: the costliest first, and never with two people at once.

Who has claimed a decision holds it until a time that is set then. After that anybody may have it,
and until somebody does it can still be decided by who had it.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, update

from serve.store import feedback
from serve.store.tables import decisions, reviews, texts

DECIDED, CORRECTED = "decided", "corrected"
"""Outcomes: a person took it from the queue and chose, or the help desk told where it belongs."""


@dataclass(frozen=True, slots=True)
class Item:
    """A decision that waits for a person.

    Attributes:
        decision: as it is stored, with ``created`` and ``finished``.
        text: of the ticket, cleaned and masked; None where none is kept.
        priority: see `serve.store.decisions.priority`.
        claimed_by: who holds it; None where nobody does.
        claimed_until: when that ends, in seconds since 1970.
    """

    decision: dict[str, Any]
    text: str | None
    priority: float
    claimed_by: str | None
    claimed_until: float | None


def waiting(connection: Connection) -> int:
    """How many are not done, claimed or not."""
    counted = select(func.count()).select_from(reviews).where(reviews.c.done.is_(None))
    return connection.scalar(counted) or 0


def first(connection: Connection, limit: int) -> list[Item]:
    """Those that come first."""
    rows = connection.execute(_items().where(reviews.c.done.is_(None)).limit(limit))
    return [_item(row) for row in rows]


def claim(
    connection: Connection, by: str, seconds: float, decision_id: str | None = None
) -> Item | None:
    """Give a decision to a person, for some time.

    Without an id it is the first that nobody holds. With one it may also be theirs already; then
    the time begins anew.

    Returns:
        None where there is none to be had.
    """
    now = time.time()
    if decision_id is None:
        # PostgreSQL: what another transaction is just giving away is passed over, not waited for.
        # SQLite has one writer at a time.
        free = select(reviews.c.decision).where(reviews.c.done.is_(None), _lapsed(now))
        first_free = free.order_by(*_ORDER).limit(1).with_for_update(skip_locked=True)
        wanted = and_(reviews.c.decision == first_free.scalar_subquery(), _lapsed(now))
    else:
        wanted = and_(reviews.c.decision == decision_id, _open_to(by, now))
    given = connection.execute(
        update(reviews)
        .where(wanted)
        .values(claimed_by=by, claimed_until=now + seconds)
        .returning(reviews.c.decision)
    ).scalar()
    if given is None:
        return None
    return _item(connection.execute(_items().where(reviews.c.decision == given)).one())


def release(connection: Connection, decision_id: str, by: str) -> bool:
    """Give a decision back that somebody holds.

    Returns:
        Whether it was theirs.
    """
    theirs = and_(reviews.c.decision == decision_id, reviews.c.claimed_by == by)
    given = connection.execute(
        update(reviews)
        .where(theirs, reviews.c.done.is_(None))
        .values(claimed_by=None, claimed_until=None)
    )
    return bool(given.rowcount)


def decide(connection: Connection, decision_id: str, by: str, queue: str) -> str | None:
    """Settle a decision: where the ticket belongs, as somebody says who holds it or could.

    Returns:
        The id of the feedback that this is; None where another one holds it, or it is done.
    """
    now = time.time()
    closed = connection.execute(
        update(reviews)
        .where(reviews.c.decision == decision_id, _open_to(by, now))
        .values(done=now, outcome=DECIDED, claimed_by=by)
    )
    if not closed.rowcount:
        return None
    return feedback.add(connection, feedback.REVIEW, decision_id, queue, by)


def reopen(connection: Connection, decision_id: str, by: str, seconds: float, hold: float) -> bool:
    """Take back what somebody decided at most so many seconds ago; they hold it again.

    Args:
        seconds: how long ago that may be.
        hold: for how long they hold it from now on.

    Returns:
        Whether there was such a decision of theirs.
    """
    now = time.time()
    theirs = and_(reviews.c.decision == decision_id, reviews.c.claimed_by == by)
    opened = connection.execute(
        update(reviews)
        .where(theirs, reviews.c.outcome == DECIDED, reviews.c.done > now - seconds)
        .values(done=None, outcome=None, claimed_until=now + hold)
    )
    if opened.rowcount:
        feedback.take_back(connection, feedback.REVIEW, decision_id, by)
    return bool(opened.rowcount)


def close(connection: Connection, decision_id: str) -> None:
    """Nobody has to look at a decision any more, whoever holds it: it was corrected elsewhere."""
    connection.execute(
        update(reviews)
        .where(reviews.c.decision == decision_id, reviews.c.done.is_(None))
        .values(done=time.time(), outcome=CORRECTED)
    )


def exists(connection: Connection, decision_id: str) -> bool:
    """Whether the decision waits for a person, or did."""
    found = select(reviews.c.decision).where(reviews.c.decision == decision_id)
    return connection.execute(found).first() is not None


_ORDER = (reviews.c.priority.desc(), reviews.c.created, reviews.c.decision)


def _lapsed(now: float) -> ColumnElement[bool]:
    return or_(reviews.c.claimed_until.is_(None), reviews.c.claimed_until <= now)


def _open_to(by: str, now: float) -> ColumnElement[bool]:
    return and_(reviews.c.done.is_(None), or_(_lapsed(now), reviews.c.claimed_by == by))


def _items() -> Select[Any]:
    columns = (reviews, decisions.c.answer, decisions.c.created.label("decided"))
    joined = reviews.join(decisions).outerjoin(texts, texts.c.decision == reviews.c.decision)
    found = select(*columns, decisions.c.finished, texts.c.text).select_from(joined)
    return found.order_by(*_ORDER)


def _item(row: Any) -> Item:
    held = row.claimed_until is not None and row.claimed_until > time.time()
    return Item(
        json.loads(row.answer) | {"created": row.decided, "finished": row.finished},
        row.text,
        row.priority,
        row.claimed_by if held else None,
        row.claimed_until if held else None,
    )
