"""A small HTTP server that misbehaves as it is told, for tests of whoever talks to one.

    Hostile = runpy.run_path(".../hostile.py")["Hostile"]
    with Hostile("drip") as server:
        Server(server.url).post("chat/completions", {}, deadline)

`BEHAVIOURS` names what it can do. A behaviour gets the connection after each request that was
read whole; it returns True to read the next request from it, else the connection is closed.
"""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType

Behaviour = Callable[["Hostile", socket.socket], bool | None]

GOOD = {"answer": 42}
"""What the server says when it behaves."""

SECRET = "zq-secret-of-the-server-zq"
"""Words of the server that must not turn up in a message or in a log."""


def reply(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    """A response, whole."""
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(body) if length is None else length}",
        "Content-Type: application/json",
        f"X-Words: {SECRET}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _says(body: bytes, status: str = "200 OK", *headers: str) -> Behaviour:
    def say(server: Hostile, connection: socket.socket) -> bool:
        connection.sendall(reply(body, status, *headers))
        return True

    return say


def _good_once_more(status: str, *headers: str) -> Behaviour:
    """Behave at the second call; the first gets the status."""

    def say(server: Hostile, connection: socket.socket) -> bool:
        first = len(server.requests) == 1
        body = (
            reply(SECRET.encode(), status, *headers) if first else reply(json.dumps(GOOD).encode())
        )
        connection.sendall(body)
        return True

    return say


def _for_ever(head: bytes, part: bytes, pause: float) -> Behaviour:
    """The head, then the same part again and again."""

    def drip(server: Hostile, connection: socket.socket) -> None:
        connection.sendall(head)
        while not server.over.wait(pause):
            connection.sendall(part)

    return drip


def _slow(server: Hostile, connection: socket.socket) -> None:
    server.over.wait()


def _late(server: Hostile, connection: socket.socket) -> bool:
    server.over.wait(0.2)
    connection.sendall(reply(json.dumps(GOOD).encode()))
    return True


def _hang_up(server: Hostile, connection: socket.socket) -> None:
    """Close without a word."""


def _reset(server: Hostile, connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _cut(server: Hostile, connection: socket.socket) -> None:
    connection.sendall(reply(b'{"answer": ', length=1000))


def _close_after(server: Hostile, connection: socket.socket) -> None:
    """Promise to keep the connection, and close it."""
    connection.sendall(reply(json.dumps(GOOD).encode(), "200 OK", "Connection: keep-alive"))


def _two_replies(server: Hostile, connection: socket.socket) -> bool:
    """Say more than was asked, where the next request would find it."""
    connection.sendall(reply(json.dumps(GOOD).encode()) + reply(b'{"answer": "of another"}'))
    return True


def says(text: str) -> Behaviour:
    """Answer a chat with a text."""
    return _says(json.dumps({"choices": [{"message": {"content": text}}]}).encode())


def likes(tokens: dict[str, float]) -> Behaviour:
    """Answer a chat with the log-probabilities of its first token."""
    best = [{"token": token, "logprob": logprob} for token, logprob in tokens.items()]
    choice = {"message": {"content": "A"}, "logprobs": {"content": [{"top_logprobs": best}]}}
    return _says(json.dumps({"choices": [choice]}).encode())


def decides(probabilities: Callable[[list[str]], dict[str, float]]) -> Behaviour:
    """List one model, and answer typed decisions with what is said of the options."""

    def decide(server: Hostile, connection: socket.socket) -> bool:
        head, _, body = server.requests[-1].partition(b"\r\n\r\n")
        if head.startswith(b"GET"):
            plain: object = {"data": [{"id": "tiny"}]}
        elif b"/systemone" not in head.split(b"\r\n")[0]:
            connection.sendall(reply(b"{}", "404 Not Found"))
            return True
        else:
            options = list(json.loads(body)["questions"]["q"]["criteria"])
            given = probabilities(options)
            best = max(given, key=lambda option: given[option])
            answer = {"type": "choice", "choice": best, "probabilities": given}
            plain = {"model": "tiny", "answers": {"q": answer}}
        connection.sendall(reply(json.dumps(plain).encode()))
        return True

    return decide


_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_OPEN_END = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"

BEHAVIOURS: dict[str, Behaviour] = {
    "good": _says(json.dumps(GOOD).encode()),
    "late": _late,
    "close after": _close_after,
    "two replies": _two_replies,
    # Slow.
    "slow": _slow,
    "drip": _for_ever(_OPEN_END, b" ", 0.02),
    "drip chunks": _for_ever(_CHUNKED, b"1\r\n \r\n", 0.02),
    "drip head": _for_ever(b"HTTP/1.1 200 OK\r\nX-A: ", b"a", 0.02),
    "flood of hints": _for_ever(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100, 0),
    "flood of chunks": _for_ever(_CHUNKED, b"1\r\n \r\n" * 10_000, 0),
    # Down, or nearly.
    "hang up": _hang_up,
    "reset": _reset,
    "cut": _cut,
    "500": _says(SECRET.encode(), "500 " + SECRET),
    "501": _says(SECRET.encode(), "501 Not Implemented"),
    "503": _says(SECRET.encode(), "503 " + SECRET, "Retry-After: 3600"),
    "503 once": _good_once_more("503 Service Unavailable", "Retry-After: 0"),
    "429 once": _good_once_more("429 Too Many Requests", "Retry-After: 0"),
    "429": _says(b"{}", "429 Too Many Requests", "Retry-After: 0"),
    "500 once": _good_once_more("500 Oh", "Retry-After: 0"),
    "401": _says(SECRET.encode(), "401 Unauthorized"),
    "422": _says(SECRET.encode(), "422 Unprocessable"),
    # Nonsense.
    "empty": _says(b""),
    "no content": lambda server, connection: connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "nonsense": _says(b"{" + SECRET.encode()),
    "html": _says(b"<html><body>" + SECRET.encode() + b"</body></html>"),
    "array": _says(b"[1, 2]"),
    "nan": _says(b'{"answer": NaN}'),
    "infinity": _says(b'{"answer": -Infinity}'),
    "overflow": _says(b'{"answer": 1e999}'),
    "huge number": _says(b'{"answer": ' + b"9" * 100_000 + b"}"),
    "deep": _says(b'{"answer": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
    "latin": _says('{"answer": "ü"}'.encode("latin-1")),
    "huge body": _for_ever(_OPEN_END, b'"' * 65_536, 0),
    "huge length": lambda server, connection: connection.sendall(reply(b"{", length=10**15)),
    "huge headers": _for_ever(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"a" * 60_000 + b"\r\n", 0),
    "gzip bomb": _says(
        gzip.compress(b'{"answer": "' + b"a" * 50_000_000), "200 OK", "Content-Encoding: gzip"
    ),
    "coded": _says(json.dumps(GOOD).encode(), "200 OK", "Content-Encoding: br"),
    "not http": lambda server, connection: connection.sendall(b"SSH-2.0-" + SECRET.encode()),
    "two lengths": _says(b"{}", "200 OK", "Content-Length: 7"),
    # Elsewhere.
    "redirect": lambda server, connection: connection.sendall(
        reply(b"", "307 " + SECRET, f"Location: {server.elsewhere}")
    ),
}


class Hostile:
    """A server on a free port of the loopback address.

    Attributes:
        requests: all requests that were read, raw.
        connections: how many there were.
        elsewhere: where it redirects to.
    """

    def __init__(self, behaviour: str | Behaviour = "good", port: int = 0) -> None:
        self.behaviour = BEHAVIOURS[behaviour] if isinstance(behaviour, str) else behaviour
        self.requests: list[bytes] = []
        self.connections = 0
        self.elsewhere = "http://127.0.0.1:9/"
        self.over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", port))
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Hostile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening, and drop all connections: from now on the server is down."""
        self.over.set()
        for end in (self._listener, *self._open):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it is closed already
            finally:
                end.close()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while request := _request(connection):
                    self.requests.append(request)
                    if not self.behaviour(self, connection):
                        return
            except OSError:
                return  # the client has gone


def _request(connection: socket.socket) -> bytes:
    """One request, whole; nothing where the client has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body
