"""The real service, ``cascade serve``, under several clients at the same time."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cascade.errors import CascadeError
from cascade.llm.settings import STORE
from cascade.machine import cores
from cascade.router import TOO_LATE, Cascade
from eval.child import ROOT, call
from eval.latency import WARM, llm_anew, percentiles
from train.measures import timed

CLIENTS = (1, 4, 8)
DEADLINE_MS = 150.0
"""The service's own."""
PATIENCE = 60.0
"""Seconds that a client waits for an answer."""
START = 120.0
"""Seconds that the service may take until it is ready."""
STOP = 40.0
"""Seconds that it may take to end; it lets requests in flight end for 30."""
PAUSE = 0.05
"""Seconds between two looks whether it is ready."""
JSON = {"Content-Type": "application/json"}
ADDRESS = re.compile(r"http://([^/\s]+)/")
SERVE = ["-c", "from cascade.cli import main; main()", "serve", "--port", "0"]


def through_http(
    bundle: Path,
    texts: Sequence[str],
    clients: Sequence[int] = CLIENTS,
    *,
    deadline_ms: float = DEADLINE_MS,
    workers: int | None = None,
) -> dict[str, Any]:
    """Times of ``n`` tickets through the service, as so many clients see them.

    The service runs as ``cascade serve`` starts it, with the settings of the environment, and is
    started anew for each number of clients, with no stored answers of a language model. Each client
    keeps its connection and asks for the next ticket when it has an answer; together they
    ask for each ticket once. A few tickets are asked before and not counted.

    Args:
        texts: raw, none of them blank.
        clients: how many at the same time; each number is measured, in this order.
        deadline_ms: of each request.
        workers: processes of the service; one a core if None.

    Returns:
        ``tickets``: n; ``deadline_ms``; ``workers``; ``overhead_ms``: median over the tickets of
        what one client waits for more than a caller in the process (the same deadline, one
        thread), None where no number of clients is 1; ``clients``: for each number (as text)
        ``ms_p50``, ``ms_p95``, ``ms_p99``, ``per_second``, ``errors`` (requests that got no
        decision) and ``late`` (share of decisions that the deadline cut short).

    Raises:
        CascadeError: the bundle cannot be served; the message says why.
    """
    inside = _in_process(bundle, texts, deadline_ms) if 1 in clients else None
    workers = workers or cores()
    out: dict[str, Any] = {
        "tickets": len(texts),
        "deadline_ms": deadline_ms,
        "workers": workers,
        "overhead_ms": None,
        "clients": {},
    }
    bodies = [json.dumps({"text": text, "deadline_ms": deadline_ms}) for text in texts]
    for number in clients:
        with service(bundle, workers) as address:
            told = call(ask_all, address=address, bodies=bodies, clients=number)
        ms = np.asarray(told["ms"])
        if number == 1 and inside is not None:
            out["overhead_ms"] = round(float(np.median(ms - inside)), 2)
        out["clients"][str(number)] = {
            **percentiles(ms),
            "per_second": round(len(texts) / told["seconds"], 1),
            "errors": told["errors"],
            "late": round(told["late"] / len(texts), 4),
        }
    return out


def _in_process(bundle: Path, texts: Sequence[str], deadline_ms: float) -> NDArray[np.float64]:
    """``(n,)`` milliseconds that a worker of the service spends on routing."""
    with llm_anew() as llm:
        cascade = Cascade.load(bundle, threads=1, llm=llm.backend)
        cascade.warm_up()
        _, ms = timed(lambda text: cascade.route([text], deadline_ms=deadline_ms), texts)
    return ms


@contextmanager
def service(bundle: Path, workers: int) -> Iterator[str]:
    """Serve a bundle on a free port of this machine; it is stopped whatever happens.

    Yields:
        Host and port.

    Raises:
        CascadeError: it does not start; the message is the last line that it said.
    """
    variables = {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "CASCADE_HOST": "127.0.0.1",
        "CASCADE_BUNDLE": str(bundle.resolve()),
        "CASCADE_WORKERS": str(workers),
        "PYTHONUNBUFFERED": "1",
    }
    with tempfile.TemporaryFile() as log, llm_anew() as llm:
        process = subprocess.Popen(  # noqa: S603  (our own command)
            [sys.executable, "-P", *SERVE],
            env=os.environ | variables | {STORE: str(llm.store)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield _ready(process, log)
        finally:
            _stop(process)


def _ready(process: subprocess.Popen[str], log: IO[bytes]) -> str:
    """The address, once the service is ready there."""
    assert process.stdout
    lines = iter(process.stdout.readline, "")
    address = next((found[1] for line in lines if (found := ADDRESS.search(line))), "")
    end = time.monotonic() + START
    client = _Client(address)
    with closing(client.connection):
        while address and process.poll() is None and time.monotonic() < end:
            if client.is_ready():
                return address
            time.sleep(PAUSE)
    log.seek(0)
    said = log.read().decode(errors="replace").strip().splitlines()
    raise CascadeError(f"the service did not start: {said[-1] if said else 'it said nothing'}")


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        assert process.stdout
        process.stdout.close()


def ask_all(address: str, bodies: list[str], clients: int) -> dict[str, Any]:
    """Send each request once, by so many clients at the same time.

    Returns:
        ``ms`` of each request, in order; ``seconds`` of all; numbers of ``errors`` and ``late``.
    """
    todo = iter(range(len(bodies)))
    taking = threading.Lock()
    ms, ends = [0.0] * len(bodies), ["error"] * len(bodies)

    def work(client: _Client) -> None:
        while (row := _next(todo, taking)) is not None:
            began = time.perf_counter()
            ends[row] = client.ask(bodies[row])
            ms[row] = (time.perf_counter() - began) * 1000

    asking = [_Client(address) for _ in range(clients)]
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(lambda client: client.warm_up(bodies[: -(-WARM // clients)]), asking))
        began = time.perf_counter()
        list(pool.map(work, asking))
        seconds = time.perf_counter() - began
    for client in asking:
        client.connection.close()
    return {
        "ms": ms,
        "seconds": seconds,
        "errors": ends.count("error"),
        "late": ends.count("late"),
    }


def _next(todo: Iterator[int], taking: threading.Lock) -> int | None:
    with taking:
        return next(todo, None)


class _Client:
    """Keeps one connection, and so stays with one worker of the service."""

    def __init__(self, address: str) -> None:
        self.connection = http.client.HTTPConnection(address, timeout=PATIENCE)

    def warm_up(self, bodies: Sequence[str]) -> None:
        """Wait for the worker at the other end, as each loads the bundle, then ask a little."""
        end = time.monotonic() + START
        while not self.is_ready():
            if time.monotonic() > end:
                raise CascadeError("a worker of the service was not ready in time")
            time.sleep(PAUSE)
        for body in bodies:
            self.ask(body)

    def is_ready(self) -> bool:
        """Whether that worker has loaded the bundle."""
        try:
            return self._send("GET", "/readyz")[0] == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            self.connection.close()
            return False

    def ask(self, body: str) -> str:
        """How it ended: ``decided``, ``late`` or ``error``."""
        try:
            status, answer = self._send("POST", "/v1/route", body)
        except (OSError, http.client.HTTPException):
            self.connection.close()
            return "error"
        if status != http.HTTPStatus.OK:
            return "error"
        return "late" if json.loads(answer)["reason"] == TOO_LATE else "decided"

    def _send(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        try:
            self.connection.request(method, path, body, JSON)
            reply = self.connection.getresponse()
        except http.client.RemoteDisconnected:  # a kept connection may be closed while idle
            self.connection.request(method, path, body, JSON)
            reply = self.connection.getresponse()
        return reply.status, reply.read()
