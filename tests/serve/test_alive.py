"""The health check of a container finds the service wherever the settings say that it listens."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import trustme

from serve.alive import alive
from serve.settings import Settings


class Answers(BaseHTTPRequestHandler):
    """Is alive, and nothing else."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(params=["http", "https"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a service that is there."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    pem = None
    if request.param == "https":
        pem = tmp_path / "both.pem"
        made = trustme.CA().issue_cert("tickets.example")
        made.private_key_and_cert_chain_pem.write_to_path(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    port = server.server_address[1]
    yield Settings(host="0.0.0.0", port=port, tls_certificate=pem, tls_key=pem)
    server.shutdown()
    thread.join()
    server.server_close()


def test_who_answers_is_alive_and_who_does_not_is_not(settings: Settings) -> None:
    assert alive(settings)
    assert not alive(settings.model_copy(update={"port": 1}))
    speaks_the_other = None if settings.tls_certificate else Path("x")
    assert not alive(settings.model_copy(update={"tls_certificate": speaks_the_other}))
