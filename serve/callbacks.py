"""Callbacks: later answers are told to the help desk.

The body is ``{"type": "decision.finished", "timestamp": ..., "data": the stored decision}``.
docs/callbacks.md tells a receiver what it gets and how to verify it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from threading import Event
from typing import Any

from sqlalchemy import Connection

from serve.logs import log
from serve.receiver import Receiver, Undelivered
from serve.store import Store, jobs
from serve.store.jobs import CALLBACK, Job
from serve.worker import LOST, Again

FINISHED = "decision.finished"
GIVE_UP_SECONDS = 86_400.0
"""How long a callback is tried."""
SENT, DROPPED = "sent", "dropped"


class Tell:
    """Posts later answers.

    Args:
        receiver: who gets them.
        store: of jobs.
    """

    kind = CALLBACK

    def __init__(self, receiver: Receiver, store: Store) -> None:
        self.due = Event()
        self._receiver, self._store = receiver, store

    def add(self, connection: Connection, data: Mapping[str, Any]) -> None:
        """Have a decision told, in the transaction that stores its later answer.

        Args:
            data: the decision as ``GET /v1/decisions/{decision_id}`` gives it.
        """
        jobs.add(connection, CALLBACK, data["decision_id"], message(data))

    def do(self, job: Job) -> str:
        """Post it.

        Raises:
            Again: it did not arrive.
        """
        try:
            status = self._receiver.post(job.id, job.payload.encode("ascii"))
        except Undelivered as reason:
            raise Again(str(reason)) from None
        if status == HTTPStatus.GONE:
            named = {"job": job.id, "decision": job.decision}
            log.warning("the receiver of callbacks wants one no more", extra={"fields": named})
            return self.give_up(job)
        if not 200 <= status < 300:
            raise Again(f"the receiver of callbacks answered {status}")
        return self._done(job, SENT)

    def is_last(self, job: Job) -> bool:
        """Whether it is tried for long enough."""
        return time.time() - job.created > GIVE_UP_SECONDS

    def give_up(self, job: Job) -> str:
        """Leave it: the answer can still be had by ``GET /v1/decisions/{decision_id}``."""
        return self._done(job, DROPPED)

    def _done(self, job: Job, outcome: str) -> str:
        with self._store.write() as connection:
            return outcome if jobs.done(connection, job) else LOST


def message(data: Mapping[str, Any]) -> str:
    """The body of a callback, as JSON.

    Args:
        data: a decision with its later answer, as ``GET /v1/decisions/{decision_id}`` gives it.
    """
    when = datetime.fromtimestamp(data["finished"], UTC).isoformat(timespec="milliseconds")
    body = {"type": FINISHED, "timestamp": when.replace("+00:00", "Z"), "data": data}
    return json.dumps(body, allow_nan=False)
