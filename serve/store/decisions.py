"""What was decided, and what was answered under an idempotency key."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update

from serve.store.tables import decisions, feedback, replies, reviews, texts

Answer = dict[str, Any]
"""A decision as it goes out, without any word of the customer's."""


def add(connection: Connection, answer: Answer, fingerprint: str, stake: float = 1.0) -> None:
    """Keep a decision; one that is for people waits for review from now on.

    Args:
        answer: the decision.
        fingerprint: of the ticket's text.
        stake: see `priority`.
    """
    now = time.time()
    row = {
        "id": answer["decision_id"],
        "created": now,
        "ticket": answer["id"],
        "fingerprint": fingerprint,
        **_parts(answer),
    }
    connection.execute(insert(decisions), row)
    if waits(answer):
        _ask_people(connection, answer, now, stake)


def finish(connection: Connection, answer: Answer, stake: float = 1.0) -> bool:
    """Put the later answer in place of a pending one.

    What a person has corrected meanwhile waits for nobody.

    Args:
        answer: the decision as it is from now on.
        stake: see `priority`.

    Returns:
        Whether it was still pending. If not, nothing is changed.
    """
    now = time.time()
    done = connection.execute(
        update(decisions)
        .where(decisions.c.id == answer["decision_id"], decisions.c.pending)
        .values(finished=now, **_parts(answer))
    )
    corrected = select(feedback.c.id).where(feedback.c.decision == answer["decision_id"])
    if done.rowcount and waits(answer) and connection.execute(corrected).first() is None:
        _ask_people(connection, answer, now, stake)
    return bool(done.rowcount)


def find(connection: Connection, decision_id: str) -> Answer | None:
    """A decision, with ``created`` and ``finished``; None where there is none with this id."""
    if not is_id(decision_id):
        return None
    row = connection.execute(select(decisions).where(decisions.c.id == decision_id)).first()
    if row is None:
        return None
    found: Answer = json.loads(row.answer)
    return {**found, "created": row.created, "finished": row.finished}


def is_id(text: str) -> bool:
    """Whether it can be a decision's id; PostgreSQL refuses to look for a text with a NUL in it."""
    return re.fullmatch(r"[0-9a-f]{32}", text) is not None


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


def _parts(answer: Mapping[str, Any]) -> dict[str, Any]:
    names = ("bundle", "queue", "confidence", "stage", "action", "pending")
    return {**{name: answer[name] for name in names}, "answer": json.dumps(answer)}


def _ask_people(connection: Connection, answer: Answer, now: float, stake: float) -> None:
    row = {"decision": answer["decision_id"], "created": now, "priority": priority(answer, stake)}
    connection.execute(insert(reviews), row)


def waits(answer: Mapping[str, Any]) -> bool:
    """Whether it waits for a person: not while a later answer may spare them that."""
    return answer["action"] == "review" and not answer["pending"]


def priority(answer: Mapping[str, Any], stake: float = 1.0) -> float:
    """Place in the order of review, the highest first.

    The urgent come first, among them those whose suggestion is expected to cost most if it is
    acted on: the chance that it is wrong by what that costs. Where all errors cost the same, that
    is the order of doubt.

    Args:
        answer: the decision.
        stake: what an error in its queue costs, as a share of the dearest one: see `stake_of`.
    """
    urgency = answer["labels"].get("urgency", {}).get("value", "").lower()
    return URGENCY.get(urgency, 0.0) + (1.0 - float(answer["confidence"])) * stake


def stake_of(plan: Mapping[str, Any], queue: str) -> float:
    """What an error in a queue costs, in [0, 1] of the dearest one.

    Args:
        plan: `cascade.gate.Gates.plan`; it knows costs where the gates were fitted by them.
        queue: the one that was suggested.
    """
    errors = plan.get("costs", {}).get("error", {})
    dearest = max(errors.values(), default=0.0)
    return float(errors.get(queue, dearest)) / dearest if dearest > 0 else 1.0


URGENCY = {"critical": 3.0, "urgent": 3.0, "high": 2.0, "medium": 1.0, "normal": 1.0}
"""What the value of a label ``urgency`` adds; each more than any stake can."""
