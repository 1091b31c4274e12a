"""gunicorn's processes as this service needs them: its master, its workers, its log lines."""

from __future__ import annotations

import os
import signal
import ssl
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gunicorn import util
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.http import errors

from serve import logs, metrics, tls
from serve.patience import PatientWorker
from serve.problems import MEDIA_TYPE, Problem, kind_of

if TYPE_CHECKING:
    from serve.server import Server

_STATUS_OF = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


class CalmArbiter(Arbiter):
    """gunicorn's master, where a hangup (SIGHUP) changes the bundle and no worker."""

    app: Server

    def handle_hup(self) -> None:
        """Have a worker see to it, the oldest: it is the likeliest to be ready."""
        if self.WORKERS:
            oldest = min(self.WORKERS, key=lambda pid: self.WORKERS[pid].age)
            self.kill_worker(oldest, signal.SIGHUP)


class Worker(PatientWorker):
    """gunicorn's threaded worker, with our answer to requests that are not HTTP.

    Its own answer and log line quote the request, and after a body longer than its
    Content-Length the "request line" is a piece of a ticket.
    """

    app: Server
    slot: int
    """A number that no other live worker has; whoever comes after it may get it again."""
    # Never reset to what the system does at a hangup, which is to end the process.
    SIGNALS = [each for each in PatientWorker.SIGNALS if each != signal.SIGHUP]  # noqa: RUF012

    def init_signals(self) -> None:
        """Set the handlers as gunicorn does, and ours."""
        super().init_signals()
        signal.signal(signal.SIGHUP, self.handle_hup)
        signal.siginterrupt(signal.SIGHUP, False)

    def handle_hup(self, sig: int, frame: Any) -> None:
        """Change the bundle; in the main loop, as a handler may interrupt anything."""
        self.method_queue.defer(self.app.change_bundle)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """End when the requests in flight are answered, and say so to whoever asks."""
        self.app.engine.draining = True
        super().handle_exit(sig, frame)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer with a problem and log the error's type."""
        status = 400 if isinstance(exc, (errors.ParseException, ssl.SSLError)) else 500
        status = int(_STATUS_OF.get(type(exc), status))
        kind = kind_of(status)
        metrics.refused(kind)
        request_id = uuid.uuid4().hex
        fields = {"status": status, "request_id": request_id, **logs.describe(exc)}
        fields |= tls.reason(exc)
        logs.log.warning("not a request", extra={"fields": fields})
        plain = tls.is_plain(exc)
        body = Problem(kind, tls.PLAIN if plain else kind.title + ".").to_json(request_id)
        headers = {
            "Connection": "close",
            "Content-Type": MEDIA_TYPE,
            "Content-Length": len(body),
            "X-Request-Id": request_id,
            **self.app.engine.header,
        }
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
        try:
            answer = (head + body).encode("ascii")
            if plain:
                os.write(client.fileno(), answer)  # beneath the TLS that the client does not speak
            else:
                util.write_nonblock(client, answer)
        except OSError:
            logs.log.info("the client had gone", extra={"fields": {"request_id": request_id}})


class JsonLogger(Logger):
    """gunicorn's own log lines in the form of ours."""

    def setup(self, cfg: Any) -> None:
        """Set up the handlers as gunicorn does, with our formatter."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(logs.JsonFormatter())
