"""Where tickets belong, as people say; the newest feedback on a decision is the one that counts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, func, insert, or_, select

from serve.store import new_id
from serve.store.tables import decisions, feedback, texts

REVIEW, API = "review", "api"
"""Sources: a decision from the review queue, or word from the help desk."""


def add(connection: Connection, source: str, decision_id: str, queue: str, by: str) -> str:
    """Keep what somebody says of a decision that there is.

    Returns:
        The id of this feedback.
    """
    # Locked, so that a later answer that is stored at the same moment sees this, or is seen by
    # whoever closes its review next; SQLite has one writer at a time, and ignores it.
    its = select(decisions.c.ticket).where(decisions.c.id == decision_id)
    ticket = its.with_for_update(read=True)
    row = {"id": new_id(), "created": time.time(), "decision": decision_id, "queue": queue}
    row |= {"ticket": connection.scalar(ticket), "source": source, "by": by}
    connection.execute(insert(feedback), row)
    return str(row["id"])


def take_back(connection: Connection, source: str, decision_id: str, by: str) -> None:
    """Forget what somebody said of a decision."""
    theirs = and_(feedback.c.decision == decision_id, feedback.c.by == by)
    connection.execute(delete(feedback).where(theirs, feedback.c.source == source))


def newest_decision(connection: Connection, ticket: str) -> str | None:
    """The last decision on a ticket, by the help desk's own id."""
    found = select(decisions.c.id).where(decisions.c.ticket == ticket)
    newest = found.order_by(decisions.c.created.desc(), decisions.c.id.desc()).limit(1)
    return connection.scalar(newest)


def newest(connection: Connection, since: float, *, with_text: bool) -> Iterator[Any]:
    """The newest feedback on each decision, in the order in which it came, a row at a time.

    Args:
        since: no older feedback, in seconds since 1970.
        with_text: only where the ticket's text is kept.
    """
    other = feedback.alias()
    later = or_(
        other.c.created > feedback.c.created,
        and_(other.c.created == feedback.c.created, other.c.id > feedback.c.id),
    )
    replaced = exists().where(other.c.decision == feedback.c.decision, later)
    joined = feedback.outerjoin(decisions).outerjoin(texts, texts.c.decision == decisions.c.id)
    columns = ("queue", "stage", "confidence", "action", "bundle")
    found = (
        select(
            feedback, texts.c.text, *(decisions.c[name].label(f"its_{name}") for name in columns)
        )
        .select_from(joined)
        .where(feedback.c.created >= since, ~replaced)
        .order_by(feedback.c.created, feedback.c.id)
    )
    if with_text:
        found = found.where(texts.c.text.is_not(None))
    return iter(connection.execution_options(yield_per=1000).execute(found))


def since(connection: Connection, then: float) -> int:
    """How much feedback came since a time."""
    counted = select(func.count()).select_from(feedback).where(feedback.c.created >= then)
    return connection.scalar(counted) or 0
