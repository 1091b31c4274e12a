"""Calls to a language-model server that never take longer than they may.

Whatever the server does (nothing, errors, nonsense, a reply without end), a call ends by its
deadline, with a JSON object or with `NoAnswer`. Neither a message nor a log holds anything of what
was sent or received.

Each call has a connection of its own. That costs half a millisecond, and what one reply leaves
behind can never be taken for the answer to the next ticket.

httpcore, the engine of httpx, is used without httpx around it: what httpx adds (redirects, cookies,
proxies from the environment, content codings, a log line with the server's own words) is what must
not happen here.
"""

from __future__ import annotations

import json
import logging
import math
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpcore

from cascade.errors import InputError
from cascade.llm.address import Guard, check
from cascade.llm.base import NoAnswer
from cascade.llm.breaker import Breaker

MAX_REPLY = 1 << 20
"""Largest reply in bytes. An answer to 20 candidates takes a few thousand."""

ANSWERED = "answered"
"""The counter of calls that brought an answer, beside those of the kinds of `NoAnswer`."""

# At DEBUG httpcore writes each reply's headers into the log.
logging.getLogger("httpcore").setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper limits of one call, in seconds; the call's deadline may be sooner.

    Attributes:
        connect: for the name's look-up, the connection and the TLS handshake.
        first_byte: until the reply's headers are there. A model's first call can take half a
            minute.
        total: for the whole call.
        in_flight: calls at the same time.
        wait: for one of those to end, before the call is given up as ``busy``.
    """

    connect: float = 2.0
    first_byte: float = 60.0
    total: float = 60.0
    in_flight: int = 4
    wait: float = 0.05


class BadStatus(NoAnswer):
    """The server says that it did not: kind ``refused`` (4xx, 501) or ``failed`` (other 5xx).

    Attributes:
        status: the HTTP status.
        wait: seconds after which the server asks to be called again, if it does.
    """

    def __init__(self, status: int, wait: float | None = None) -> None:
        # 501 is the server's word for a model that cannot do this, not a sign of ill health.
        refused = 400 <= status < 500 or status == 501
        verb = "refused the call" if refused else "failed"
        verb = "has too much to do" if status == 429 else verb
        super().__init__("refused" if refused else "failed", f"the LLM server {verb} ({status})")
        self.status = status
        self.wait = wait


class Server:
    """An HTTP server that answers JSON with JSON. Safe to call from several threads.

    Args:
        base_url: such as ``http://10.0.0.5:8000/v1``.
        api_key: sent as a bearer token, if any.
        limits: of time and of calls in flight.
        allow_public: talk to addresses that are neither loopback nor private, too.
        breaker: by default one with its own defaults.

    Raises:
        InputError: the URL or the key cannot be used; see `cascade.llm.address.check`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        limits: Limits | None = None,
        allow_public: bool = False,
        breaker: Breaker | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.breaker = breaker or Breaker()
        self._address = check(base_url, allow_public=allow_public)
        self._headers = [
            ("Host", self._address.authority),
            ("Accept", "application/json"),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
            ("User-Agent", "ticket-cascade"),
        ]
        if api_key:
            if not (api_key.isascii() and api_key.isprintable()) or " " in api_key:
                raise InputError(
                    "the LLM server's API key is not all ASCII without blanks: copy it again"
                )
            self._headers.append(("Authorization", f"Bearer {api_key}"))
        self._pool = httpcore.ConnectionPool(
            # The system's certificates, where a company adds its own, not certifi's.
            ssl_context=ssl.create_default_context() if self._address.scheme == "https" else None,
            max_connections=None,
            network_backend=Guard(allow_public=allow_public),
        )
        self._slots = threading.BoundedSemaphore(self.limits.in_flight)
        self._counts: Counter[str] = Counter()
        self._counting = threading.Lock()

    def post(self, path: str, payload: Mapping[str, Any], deadline: float) -> dict[str, Any]:
        """Send a JSON object and read one.

        Args:
            path: below the base URL, such as ``chat/completions``.
            payload: what can be written as JSON.
            deadline: moment of `time.monotonic` by which the call ends.

        Raises:
            NoAnswer: ``late``, ``busy``, ``open``, ``refused``, ``failed``, ``nonsense`` or
                ``forbidden``; `BadStatus` where the server's status is the reason.
        """
        # All in ASCII: a lone surrogate in a ticket would else be an error that quotes the ticket.
        body = json.dumps(payload, allow_nan=False).encode("ascii")
        return self._call("POST", path, body, deadline)

    def get(self, path: str, deadline: float) -> dict[str, Any]:
        """Read a JSON object; see `post`."""
        return self._call("GET", path, None, deadline)

    @property
    def counts(self) -> dict[str, int]:
        """How many calls ended how, by kind of `NoAnswer` or as `ANSWERED`."""
        with self._counting:
            return dict(self._counts)

    def close(self) -> None:
        """Close the connections of calls that are still on their way."""
        self._pool.close()

    def _call(self, method: str, path: str, body: bytes | None, deadline: float) -> dict[str, Any]:
        kind = "failed"
        try:
            now = time.monotonic()
            if now >= deadline:  # not the server's fault, so the breaker is not told
                raise NoAnswer("late", "the deadline was over before the LLM server was asked")
            end = min(deadline, now + self.limits.total)
            with self._permission(), self._slot(end):
                reply = self._ask(method, path, body, end)
            kind = ANSWERED
            return reply
        except NoAnswer as reason:
            kind = reason.kind
            raise
        finally:
            with self._counting:
                self._counts[kind] += 1

    @contextmanager
    def _permission(self) -> Iterator[None]:
        """Ask the breaker, and tell it how it went."""
        permit, began = self.breaker.enter(), time.monotonic()
        success: bool | None = None
        try:
            yield
            success = True
        except NoAnswer as reason:
            if reason.kind in ("late", "failed", "nonsense"):
                success = False
            elif reason.kind == "refused":
                success = True
            raise
        finally:
            self.breaker.leave(permit, success, time.monotonic() - began)

    @contextmanager
    def _slot(self, end: float) -> Iterator[None]:
        wait = min(self.limits.wait, (end - time.monotonic()) / 2)
        if not self._slots.acquire(timeout=max(0.0, wait)):
            raise NoAnswer("busy", "as many calls as may be are at the LLM server already")
        try:
            yield
        finally:
            self._slots.release()

    def _ask(self, method: str, path: str, body: bytes | None, end: float) -> dict[str, Any]:
        """Send, and once more where the server surely did nothing the first time."""
        try:
            try:
                return self._send(method, path, body, end)
            except BadStatus as bad:
                if bad.wait is None or time.monotonic() + bad.wait >= end:
                    raise
                time.sleep(bad.wait)
                return self._send(method, path, body, end)
        except httpcore.TimeoutException:
            raise NoAnswer("late", "the LLM server did not answer in time") from None
        except httpcore.NetworkError:
            raise NoAnswer("failed", "the LLM server is down or cut the connection") from None
        except httpcore.ProtocolError:
            raise NoAnswer("nonsense", "the LLM server's reply breaks off or is not HTTP") from None

    def _send(self, method: str, path: str, body: bytes | None, end: float) -> dict[str, Any]:
        address = self._address
        kind = [] if body is None else [("Content-Type", "application/json")]
        now = time.monotonic()
        moments = {
            "connect": min(end, now + self.limits.connect),
            "write": end,
            "read": min(end, now + self.limits.first_byte),
        }
        url = httpcore.URL(
            scheme=address.scheme,
            host=address.host,
            port=address.port,
            target=f"{address.path}/{path.lstrip('/')}",
        )
        with self._pool.stream(
            method,
            url,
            headers=self._headers + kind,
            content=body,
            extensions={"timeout": moments},
        ) as reply:
            moments["read"] = end  # httpcore looks again before it reads the body
            names = {name.lower(): value for name, value in reply.headers}
            if 300 <= reply.status < 400:
                raise NoAnswer("forbidden", "the LLM server redirects to elsewhere")
            if reply.status >= 400:
                raise BadStatus(reply.status, _wait(reply.status, names))
            if reply.status != 200:
                raise NoAnswer("nonsense", "the LLM server's reply has no content")
            if names.get(b"content-encoding", b"identity").lower() != b"identity":
                raise NoAnswer("nonsense", "the LLM server's reply is compressed, unasked")
            return _object(_read(reply))


def _wait(status: int, headers: Mapping[bytes, bytes]) -> float | None:
    """Seconds of ``Retry-After``, where it is given as such."""
    value = headers.get(b"retry-after", b"")
    if status in (429, 503, 529) and value.isdigit() and len(value) < 6:
        return float(value)
    return None


def _read(reply: httpcore.Response) -> bytes:
    """The body, if it is not too large."""
    body = bytearray()
    for part in reply.iter_stream():
        body += part
        if len(body) > MAX_REPLY:
            raise NoAnswer("nonsense", "the LLM server's reply is too large")
    return bytes(body)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError
    return number


def _object(body: bytes) -> dict[str, Any]:
    """Read a JSON object, strictly: no NaN, no infinity."""
    try:
        value = json.loads(body.decode("utf-8"), parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise NoAnswer("nonsense", "the LLM server's reply is not a JSON object")
    return value
