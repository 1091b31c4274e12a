"""A threaded worker that does not wait for ever until a client has said what it wants.

gunicorn's own reads without a limit, so that as many half-sent requests as a worker has threads
would keep everybody else out. Here the reading side of a connection is closed after a while: what
was asked completely is still answered, and what was not ends (after a 400 where only the body is
missing and there is no TLS).
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

PATIENCE = 15.0
"""Seconds in which a request has to have arrived: its handshake, its head and its body."""


class PatientWorker(ThreadWorker):
    """Closes the reading side of connections that take too long."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._since: dict[Any, float] = {}

    def handle(self, conn: Any) -> Any:
        """Read a request and answer it, in a thread of the pool."""
        self._since[conn] = time.monotonic()
        try:
            return super().handle(conn)
        finally:
            del self._since[conn]

    def murder_pending(self) -> None:
        """Look at the connections, as the main loop does every second."""
        super().murder_pending()
        late = time.monotonic() - PATIENCE
        for conn in [conn for conn, since in self._since.copy().items() if since < late]:
            with suppress(OSError):  # it was closed meanwhile
                # Not the method of an SSL socket, which would forget how to write, too.
                socket.socket.shutdown(conn.sock, socket.SHUT_RD)
