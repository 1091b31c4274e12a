"""Whether what clients and the receiver of callbacks saw is what the database holds.

It asks the database in plain SQL, so as not to trust the code that is looked at.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, create_engine, text

ENDS = {
    "easy": ("linear", "route"),
    "clear": ("encoder", "route"),
    "odd": ("human", "review"),
}
"""How each kind of ticket ends: the stage and the action."""


@dataclass
class Seen:
    """What was seen from outside.

    Attributes:
        answers: by ticket its kind, the first answer that arrived, and whether that was a
            repeated one.
        deliveries: callbacks that were taken: id, decision, and whether the signature was right.
    """

    answers: dict[str, tuple[str, dict[str, Any], bool]] = field(default_factory=dict)
    deliveries: list[tuple[str, dict[str, Any], bool]] = field(default_factory=list)


def check(database: str, seen: Seen, patience: float) -> dict[str, Any]:
    """Wait until nothing is owed any more, then compare.

    Args:
        database: its URL.
        seen: what was seen from outside; the receiver may still add to it.
        patience: seconds to wait.

    Returns:
        Counts, and ``violations``: a sentence for each thing that is not as it should be.
    """
    engine = create_engine(database)
    end = time.monotonic() + patience
    while (owed := _owed(engine.connect())) and time.monotonic() < end:
        time.sleep(0.1)
    with engine.connect() as connection:
        violations = [f"{owed} jobs are not done"] if owed else []
        violations += _lost_or_doubled(connection, seen)
        violations += _not_finished(connection, seen)
        violations += _not_told_once(connection, seen)
        violations += _not_reviewed_once(connection)
        violations += _damaged(connection)
    engine.dispose()
    ids = {message for message, _, _ in seen.deliveries}
    return {
        "tickets": len(seen.answers),
        "answers_repeated": sum(repeated for _, _, repeated in seen.answers.values()),
        "pending": sum(answer["pending"] for _, answer, _ in seen.answers.values()),
        "callbacks": len(ids),
        "callbacks_repeated": len(seen.deliveries) - len(ids),
        "violations": violations,
    }


def _owed(connection: Connection) -> int:
    with connection:
        return int(connection.scalar(text("SELECT count(*) FROM jobs")) or 0)


def _lost_or_doubled(connection: Connection, seen: Seen) -> Iterator[str]:
    """Each ticket has one decision, and it is the one that the client was told of."""
    stored: dict[str, list[str]] = {}
    for ticket, decision in connection.execute(text("SELECT ticket, id FROM decisions")):
        stored.setdefault(ticket, []).append(decision)
    for ticket, (_, answer, _) in seen.answers.items():
        if stored.get(ticket) != [answer["decision_id"]]:
            yield f"ticket {ticket} has {len(stored.get(ticket, ()))} decisions, or another one"
    for ticket in stored.keys() - seen.answers.keys():
        yield f"ticket {ticket} has a decision, and its client no answer"
    rows = connection.execute(text("SELECT key, answer FROM replies")).all()
    replies = {key: [its["decision_id"] for its in json.loads(answer)] for key, answer in rows}
    for ticket, (_, answer, _) in seen.answers.items():
        if replies.get(ticket) != [answer["decision_id"]]:
            yield f"ticket {ticket} has no reply under its key, or another one"
    if len(rows) != len(seen.answers):
        yield f"{len(rows)} replies for {len(seen.answers)} keys"


def _not_finished(connection: Connection, seen: Seen) -> Iterator[str]:
    """Each decision ends as its kind of ticket does; a pending one was finished, others not."""
    rows = connection.execute(text("SELECT ticket, answer, finished FROM decisions"))
    for ticket, stored, finished in rows:
        if ticket not in seen.answers:
            continue
        kind, first, _ = seen.answers[ticket]
        last = json.loads(stored)
        if last["pending"] or (last["stage"], last["action"]) != ENDS[kind]:
            yield f"ticket {ticket} ({kind}) ended as {last['stage']}, {last['action']}"
        if (finished is not None) != first["pending"]:
            yield f"ticket {ticket} was pending: {first['pending']}; finished: {finished}"


def _not_told_once(connection: Connection, seen: Seen) -> Iterator[str]:
    """Each later answer was posted under one id, as it is stored; nothing else was."""
    rows = connection.execute(text("SELECT id, answer FROM decisions WHERE finished IS NOT NULL"))
    finished = {decision: json.loads(answer) for decision, answer in rows}
    told: dict[str, set[str]] = {}
    for message, data, genuine in seen.deliveries:
        decision = data["decision_id"]
        told.setdefault(decision, set()).add(message)
        plain = {name: data[name] for name in data.keys() - {"created", "finished"}}
        if not genuine or plain != finished.get(decision):
            yield f"a callback for {decision} is not signed, or not what is stored"
    for decision in finished.keys() | told.keys():
        times = len(told.get(decision, ()))
        if times != 1:
            yield f"decision {decision} was told under {times} ids"


def _not_reviewed_once(connection: Connection) -> Iterator[str]:
    """Exactly the decisions that are for review wait for it."""
    query = text("SELECT id FROM decisions WHERE action = 'review'")
    wanted = Counter(connection.scalars(query))
    waiting = Counter(connection.scalars(text("SELECT decision FROM reviews")))
    for decision in wanted.keys() | waiting.keys():
        if wanted[decision] != waiting[decision]:
            yield f"decision {decision} waits for review {waiting[decision]} times"


def _damaged(connection: Connection) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        said = connection.scalar(text("PRAGMA integrity_check"))
        if said != "ok":
            yield f"the database is damaged: {said}"
