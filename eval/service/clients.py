"""Many clients of one service, to be run in a process of their own (see `eval.child.call`).

Threads with `http.client`: 0.25 ms of CPU a request, so that on two cores neither locust (several
times that) nor a build of wrk is needed. How much of a core the clients took is told by ``cpu``.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import Any

import numpy as np

from cascade.errors import CascadeError

PATIENCE = 60.0
"""Seconds that a client waits for an answer."""
START = 120.0
"""Seconds that a worker may take until it is ready."""
PAUSE = 0.05
"""Seconds between two looks whether it is."""
WARM = 20
"""Requests that are sent first and not counted."""
JSON = {"Content-Type": "application/json"}


@dataclass(slots=True)
class Reply:
    """How one request ended.

    Attributes:
        due: seconds from the start to when it was to be sent.
        lag: milliseconds that it was sent late, as all clients were busy.
        ms: from when it was due to the last byte of the answer, or to the end of the connection.
        status: of the reply; 0 where there was none.
        stage: that settled the ticket; empty where there is no decision.
        deepest: the last stage that ran.
        late: a deadline or load left out a stage.
        pending: of the decision.
        decision_id: of the decision.
    """

    due: float
    lag: float
    ms: float
    status: int
    stage: str = ""
    deepest: str = ""
    late: bool = False
    pending: bool = False
    decision_id: str = ""


@dataclass(slots=True)
class Asked:
    """What clients saw.

    Attributes:
        replies: in the order in which they were due.
        seconds: from the first request to the last answer.
        cpu: share of one core that the clients took.
        reconnected: requests that were sent again, as the connection was closed before an answer
            came. The service keeps its connections for longer than a client here is idle, so each
            of them was dropped by it.
    """

    replies: list[Reply]
    seconds: float
    cpu: float
    reconnected: int = 0

    @classmethod
    def read(cls, told: dict[str, Any]) -> Asked:
        """From what `closed_loop` and `open_loop` return."""
        replies = [Reply(*row) for row in told["replies"]]
        return cls(replies, told["seconds"], told["cpu"], told["reconnected"])


def requests(texts: Iterable[str], deadline_ms: float | None) -> list[str]:
    """Bodies of ``/v1/route``; without a deadline the service's own counts."""
    asked = {} if deadline_ms is None else {"deadline_ms": deadline_ms}
    return [json.dumps({"text": text, **asked}) for text in texts]


def closed_loop(
    address: str, bodies: Sequence[str], clients: int, seconds: float | None = None
) -> dict[str, Any]:
    """So many clients, each of which asks for the next ticket when it has an answer.

    Args:
        bodies: together the clients send each of them once.
        seconds: so long instead, from the first to the last and again.

    Returns:
        An `Asked` as JSON values.
    """
    todo = _Shared(bodies if seconds is None else cycle(bodies))
    end = np.inf if seconds is None else seconds

    def work(client: Client, began: float) -> Iterator[Reply]:
        while (due := time.perf_counter() - began) < end and (body := next(todo, None)) is not None:
            yield client.ask(body, began, due)

    return _run(address, bodies, clients, work)


def open_loop(
    address: str,
    bodies: Sequence[str],
    clients: int,
    rate: float,
    seconds: float,
    seed: int = 0,
) -> dict[str, Any]:
    """Requests that come when they come, whether or not those before are answered.

    Args:
        clients: most requests in flight; with fewer than the service lets wait, the clients
            would wait for each other, which each reply's `Reply.lag` shows.
        rate: requests a second, independent of each other (a Poisson process).
        seconds: so long.

    Returns:
        An `Asked` as JSON values.
    """
    random = np.random.default_rng(seed)
    gaps = random.exponential(1 / rate, size=max(1, round(rate * seconds)))
    todo = _Shared(zip(np.cumsum(gaps).tolist(), cycle(bodies), strict=False))

    def work(client: Client, began: float) -> Iterator[Reply]:
        while (its := next(todo, None)) is not None:
            due, body = its
            time.sleep(max(0.0, due - (time.perf_counter() - began)))
            yield client.ask(body, began, due)

    return _run(address, bodies, clients, work)


def _run(address: str, bodies: Sequence[str], clients: int, work: Any) -> dict[str, Any]:
    asking = [Client(address) for _ in range(clients)]
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(lambda client: client.warm_up(bodies[: -(-WARM // clients)]), asking))
        before = sum(client.reconnected for client in asking)
        began, cpu = time.perf_counter(), time.process_time()
        done = list(pool.map(lambda client: list(work(client, began)), asking))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    for client in asking:
        client.close()
    replies = sorted((reply for its in done for reply in its), key=lambda reply: reply.due)
    return {
        "replies": [list(asdict(reply).values()) for reply in replies],
        "seconds": seconds,
        "cpu": cpu / seconds,
        "reconnected": sum(client.reconnected for client in asking) - before,
    }


class _Shared:
    """An iterator that several threads take from."""

    def __init__(self, its: Iterable[Any]) -> None:
        self._its, self._lock = iter(its), threading.Lock()

    def __iter__(self) -> _Shared:
        return self

    def __next__(self) -> Any:
        with self._lock:
            return next(self._its)


class Client:
    """Keeps one connection, and so stays with one worker of the service.

    Attributes:
        reconnected: requests that were sent again on a new connection.
    """

    def __init__(self, address: str) -> None:
        self.reconnected = 0
        self._connection = http.client.HTTPConnection(address, timeout=PATIENCE)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def warm_up(self, bodies: Sequence[str]) -> None:
        """Wait for the worker at the other end, as each loads the bundle, then ask a little."""
        end = time.monotonic() + START
        while not self.is_ready():
            if time.monotonic() > end:
                raise CascadeError("a worker of the service was not ready in time")
            time.sleep(PAUSE)
        for body in bodies:
            self.ask(body, time.perf_counter(), 0.0)

    def is_ready(self) -> bool:
        """Whether that worker has loaded the bundle."""
        return self.send("GET", "/readyz")[0] == http.HTTPStatus.OK

    def ask(self, body: str, began: float, due: float) -> Reply:
        """Have a ticket routed that was to be sent ``due`` seconds after ``began``."""
        lag = time.perf_counter() - began - due
        status, answer = self.send("POST", "/v1/route", body)
        ms = (time.perf_counter() - began - due) * 1000
        reply = Reply(round(due, 4), round(lag * 1000, 3), round(ms, 3), status)
        if status == http.HTTPStatus.OK:
            told = json.loads(answer)
            reply.stage, reply.late, reply.pending = told["stage"], told["late"], told["pending"]
            reply.decision_id, reply.deepest = told["decision_id"], told["stages"][-1]["name"]
        return reply

    def send(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        """Status and body of the reply; status 0 where none came."""
        try:
            return self._send(method, path, body)
        except http.client.RemoteDisconnected:
            self.reconnected += 1  # as every client does: a kept one may be closed while idle
        except (OSError, http.client.HTTPException):
            self.close()
            return 0, b""
        try:
            return self._send(method, path, body)
        except (OSError, http.client.HTTPException):
            self.close()
            return 0, b""

    def _send(self, method: str, path: str, body: str | None) -> tuple[int, bytes]:
        self._connection.request(method, path, body, JSON)
        reply = self._connection.getresponse()
        return reply.status, reply.read()
