"""A threaded worker that does not wait for ever for a client.

gunicorn's own reads and writes without a limit, so that as many clients as a worker has threads,
who send half a request or never read their answer, would keep everybody else out. Here the reading
side of a connection is closed after a while: what was asked completely is still answered, and what
was not ends (after a 400 where only the body is missing and there is no TLS). A connection ends,
too, whose answer is not taken. And gunicorn's own waits in its main loop for a client to hang up,
while nobody else is heard.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

PATIENCE = 15.0
"""Seconds in which a request has to have arrived (its handshake, its head and its body), and in
which its answer has to be taken."""


class PatientWorker(ThreadWorker):
    """Closes connections that take too long, each side on its own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._asked: dict[Any, float] = {}
        self._answered: dict[socket.socket, float] = {}

    def load_wsgi(self) -> None:
        """Load the app as gunicorn does, and note from when on its answers are being written."""
        super().load_wsgi()
        app = self.wsgi

        def noted(environ: MutableMapping[str, Any], start_response: Any) -> Iterable[bytes]:
            answer: Iterable[bytes] = app(environ, start_response)
            self._answered[environ["gunicorn.socket"]] = time.monotonic()
            return answer

        self.wsgi = noted

    def handle(self, conn: Any) -> Any:
        """Read a request and answer it, in a thread of the pool."""
        self._asked[conn] = time.monotonic()
        try:
            goes_on = super().handle(conn)
            if not goes_on:
                _hang_up(conn)
            return goes_on
        finally:
            del self._asked[conn]
            self._answered.pop(conn.sock, None)

    def murder_pending(self) -> None:
        """Look at the connections, as the main loop does every second."""
        super().murder_pending()
        late = time.monotonic() - PATIENCE
        slow = [(conn.sock, socket.SHUT_RD) for conn in _before(late, self._asked)]
        slow += [(line, socket.SHUT_RDWR) for line in _before(late, self._answered)]
        for line, side in slow:
            with suppress(OSError):  # it was closed meanwhile
                # Not the method of an SSL socket, which would forget how to write, too.
                socket.socket.shutdown(line, side)


def _before(late: float, since: dict[Any, float]) -> list[Any]:
    return [its for its, then in since.copy().items() if then < late]


def _hang_up(conn: Any) -> None:
    """Close a connection as gunicorn does, which may take seconds, before its main loop would."""
    with suppress(OSError):  # it is closed
        conn.close(graceful=True)
    conn.close = lambda graceful=False: None
