"""Clients that are to notice nothing, to be run in a process of their own (see `eval.child`)."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from eval.service.clients import JSON, PATIENCE, PAUSE


class Answer(NamedTuple):
    """One request: when it was sent and answered (`time.monotonic`), and what came.

    ``status`` is 0 where the connection broke.
    """

    sent: float
    done: float
    status: int
    bundle: str


def ask(address: str, bodies: Sequence[str], clients: int, stop: str) -> list[Answer]:
    """Clients that ask until there is a file ``stop``; to be run in a process of its own.

    Each has one connection. If that breaks the client ends, and its last answer tells.
    """
    with ThreadPoolExecutor(clients) as pool:
        asked = pool.map(
            lambda at: list(_ask(address, [*bodies[at:], *bodies[:at]], stop)), range(clients)
        )
        return [answer for its in asked for answer in its]


def _ask(address: str, bodies: Sequence[str], stop: str) -> Iterator[Answer]:
    connection = http.client.HTTPConnection(address, timeout=PATIENCE)
    connection.connect()
    connection.auto_open = 0  # a connection that was closed is an error
    while _send(connection, "GET", "/readyz", None)[0] != HTTPStatus.OK:
        time.sleep(PAUSE)  # the worker at the other end loads its bundle
    for body in cycle(bodies):
        if Path(stop).exists():
            break
        sent = time.monotonic()
        try:
            status, bundle = _send(connection, "POST", "/v1/route", body)
        except (OSError, http.client.HTTPException):
            yield Answer(sent, time.monotonic(), 0, "")
            break
        yield Answer(sent, time.monotonic(), status, bundle)
    connection.close()


def _send(
    connection: http.client.HTTPConnection, method: str, path: str, body: str | None
) -> tuple[int, str]:
    """Status of the reply, and the bundle that it names."""
    connection.request(method, path, body, JSON)
    reply = connection.getresponse()
    reply.read()
    return reply.status, str(reply.headers["Cascade-Bundle"])
