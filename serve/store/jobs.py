"""What is to be done in the background, so that a kill at any point loses nothing."""

from __future__ import annotations

import time

from sqlalchemy import Connection, insert

from serve.store import new_id
from serve.store.tables import jobs

FINISH, CALLBACK = "finish", "callback"


def add(connection: Connection, kind: str, decision: str, payload: str) -> None:
    """Have something done, in the transaction that makes it necessary.

    Args:
        kind: `FINISH` a decision that a deadline cut short, or tell it by `CALLBACK`.
        payload: for `FINISH` the ticket's cleaned text, gone with the row; else JSON.
    """
    now = time.time()
    row = {"id": new_id(), "kind": kind, "decision": decision, "payload": payload}
    connection.execute(insert(jobs), {**row, "created": now, "due": now, "attempts": 0})
