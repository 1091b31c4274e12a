"""Clients that never finish what they say, or never listen, keep nobody else out."""

from __future__ import annotations

import re
import runpy
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

HELP = runpy.run_path(str(Path(__file__).parent / "running.py"))
running, wait_for = HELP["running"], HELP["wait_for"]

HEAD = b"POST /v1/route HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
Connect = Callable[..., socket.socket]


@pytest.fixture(scope="module", params=["plain", "tls"])
def connect(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connect]:
    """Connects to a service of five threads that soon loses its patience."""
    folder = tmp_path_factory.mktemp("hasty")
    variables = {"CASCADE_THREADS": "2", "CASCADE_WAITING": "1", "CASCADE_SHALLOW_FROM": "1"}
    context: ssl.SSLContext | None = None
    if request.param == "tls":
        authority = trustme.CA()
        made = authority.issue_cert("127.0.0.1")
        made.private_key_and_cert_chain_pem.write_to_path(folder / "both.pem")
        both = str(folder / "both.pem")
        variables |= {"CASCADE_TLS_CERTIFICATE": both, "CASCADE_TLS_KEY": both}
        context = ssl.create_default_context()
        authority.configure_trust(context)
    with running("hasty", folder / "log", **variables) as server:
        host, port = server.address.split(":")

        def line(room: int = 65536) -> socket.socket:
            made = socket.socket()
            made.settimeout(20)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)  # of what it does not read
            made.connect((host, int(port)))
            return context.wrap_socket(made, server_hostname=host) if context else made

        wait_for(lambda: b"fake-1" in said(line(), HEALTH))
        yield line
        assert "Traceback" not in server.log
        assert '"level": "error"' not in server.log


def said(line: socket.socket, data: bytes = b"") -> bytes:
    """What comes back until the server closes."""
    with line:
        line.sendall(data)
        received = b""
        with suppress(ssl.SSLError):  # ended without a goodbye
            while chunk := line.recv(65536):
                received += chunk
        return received


BEGUN = [HEAD, HEAD + b'Content-Length: 99\r\n\r\n{"text":', b"P"]
"""Half a head, half a body, next to nothing."""


def test_half_sent_requests_end_and_others_are_answered_meanwhile(connect: Connect) -> None:
    lines = []
    for begun in BEGUN * 4:
        lines.append(connect())
        lines[-1].sendall(begun)
    assert b"200 OK" in said(connect(), HEALTH)
    for line, begun in zip(lines, BEGUN * 4, strict=True):
        answer = said(line)
        assert b"200 OK" not in answer
        # Over TLS nothing can be written any more once reading has failed.
        told = answer.startswith(b"HTTP/1.1 400")
        assert told == (begun == BEGUN[1] and not isinstance(line, ssl.SSLSocket))


def test_an_answer_may_take_longer_than_the_question(connect: Connect) -> None:
    body = b'{"text": "sleep", "deadline_ms": 9000}'
    asked = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    assert b"200 OK" in said(connect(), asked)


def test_who_reads_no_answer_ends_and_others_are_answered_meanwhile(connect: Connect) -> None:
    lines = [connect(room=4096) for _ in range(5)]
    for line in lines:
        line.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"200 OK" in said(connect(), HEALTH)
    for line in lines:
        with suppress(ConnectionResetError):
            head, _, body = said(line).partition(b"\r\n\r\n")
            length = re.search(rb"Content-Length: (\d+)", head)
            assert length
            assert len(body) < int(length[1])


def test_who_does_not_hang_up_keeps_nobody_waiting(connect: Connect) -> None:
    lines = [connect() for _ in range(3)]
    for line in lines:
        line.sendall(HEALTH)
        assert line.recv(10)
    began = time.monotonic()
    assert b"200 OK" in said(connect(), HEALTH)
    assert time.monotonic() - began < 1.5
    for line in lines:
        line.close()
