"""What was decided, and what was answered under an idempotency key."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from serve.store.tables import decisions, replies, reviews, texts

Answer = dict[str, Any]
"""A decision as it goes out, without any word of the customer's."""


def add(connection: Connection, answer: Answer, fingerprint: str) -> None:
    """Keep a decision; one that is for people waits for review from now on."""
    now = time.time()
    row = {
        "id": answer["decision_id"],
        "created": now,
        "ticket": answer["id"],
        "fingerprint": fingerprint,
        "bundle": answer["bundle"],
        **_parts(answer),
    }
    connection.execute(insert(decisions), row)
    _ask_people(connection, answer, now)


def finish(connection: Connection, answer: Answer) -> bool:
    """Put the later answer in place of a pending one.

    Returns:
        Whether it was still pending. If not, nothing is changed.
    """
    now = time.time()
    done = connection.execute(
        update(decisions)
        .where(decisions.c.id == answer["decision_id"], decisions.c.pending)
        .values(finished=now, **_parts(answer))
    )
    if done.rowcount:
        _ask_people(connection, answer, now)
    return bool(done.rowcount)


def find(connection: Connection, decision_id: str) -> Answer | None:
    """A decision, with ``created`` and ``finished``."""
    row = connection.execute(select(decisions).where(decisions.c.id == decision_id)).first()
    if row is None:
        return None
    found: Answer = json.loads(row.answer)
    return {**found, "created": row.created, "finished": row.finished}


def add_text(connection: Connection, decision_id: str, text: str) -> None:
    """Keep a ticket's text, cleaned and masked."""
    row = {"decision": decision_id, "text": text, "created": time.time()}
    connection.execute(insert(texts), row)


def replied(connection: Connection, caller: str, key: str) -> tuple[str, Any] | None:
    """The hash of the body that came with an idempotency key, and what was answered."""
    found = connection.execute(
        select(replies.c.body, replies.c.answer).where(
            replies.c.caller == caller, replies.c.key == key
        )
    ).first()
    return (found.body, json.loads(found.answer)) if found else None


def add_reply(connection: Connection, caller: str, key: str, body: str, answer: Any) -> None:
    """Keep what is answered under an idempotency key.

    Raises:
        IntegrityError: somebody was faster under the same key.
    """
    row = {"caller": caller, "key": key, "body": body, "answer": json.dumps(answer)}
    connection.execute(insert(replies), {**row, "created": time.time()})


def purge(
    connection: Connection, *, decisions_before: float, texts_before: float, replies_before: float
) -> dict[str, int]:
    """Forget what is older than the given times; what still waits for somebody is kept.

    Returns:
        Rows that are gone, by table.
    """
    waiting = select(reviews.c.decision).where(reviews.c.done.is_(None))
    gone = {
        "texts": delete(texts).where(texts.c.created < texts_before),
        "replies": delete(replies).where(replies.c.created < replies_before),
        "decisions": delete(decisions).where(
            decisions.c.created < decisions_before,
            decisions.c.id.not_in(waiting),
            ~decisions.c.pending,
        ),
    }
    return {name: connection.execute(statement).rowcount for name, statement in gone.items()}


def _parts(answer: Mapping[str, Any]) -> dict[str, Any]:
    names = ("queue", "confidence", "stage", "action", "pending")
    return {**{name: answer[name] for name in names}, "answer": json.dumps(answer)}


def _ask_people(connection: Connection, answer: Answer, now: float) -> None:
    """A decision for review waits for a person, unless a later answer may spare them that."""
    if answer["action"] == "review" and not answer["pending"]:
        row = {"decision": answer["decision_id"], "created": now, "priority": priority(answer)}
        connection.execute(insert(reviews), row)


def priority(answer: Mapping[str, Any]) -> float:
    """Place in the order of review, the highest first: the urgent, then the least sure."""
    urgency = answer["labels"].get("urgency", {}).get("value", "")
    return URGENCY.get(urgency, 0.0) + 1.0 - float(answer["confidence"])


URGENCY = {"critical": 3.0, "urgent": 3.0, "high": 2.0, "medium": 1.0, "normal": 1.0}
"""What the value of a label ``urgency`` adds."""
