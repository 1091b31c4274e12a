"""The real service under clients: every ticket is asked, and it is always stopped."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from cascade.errors import CascadeError
from cascade.router import TOO_LATE
from eval.http_latency import ask_all, service, through_http

TEXTS = [f"vpn ☎ is down since this morning, {number}" for number in range(12)]


def test_each_number_of_clients_has_its_times(linear_bundle: Path) -> None:
    told = through_http(linear_bundle, TEXTS, (1, 3), deadline_ms=5000, workers=1)
    assert (told["tickets"], told["workers"], told["deadline_ms"]) == (12, 1, 5000)
    assert list(told["clients"]) == ["1", "3"]
    for row in told["clients"].values():
        assert 0 < row["ms_p50"] <= row["ms_p95"] <= row["ms_p99"]
        assert row["per_second"] > 0
        assert (row["errors"], row["late"]) == (0, 0)
    assert 0 < told["overhead_ms"] <= told["clients"]["1"]["ms_p99"]


def test_tickets_that_the_service_refuses_are_errors(linear_bundle: Path) -> None:
    told = through_http(linear_bundle, [*TEXTS, "  "], (2,), workers=1)
    assert told["clients"]["2"]["errors"] == 1
    assert told["overhead_ms"] is None


def test_a_service_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(CascadeError, match=r"the service did not start: cascade: .*not a bundle"):
        through_http(tmp_path, TEXTS, (2,))


def test_it_is_stopped_even_after_an_error(linear_bundle: Path) -> None:
    with pytest.raises(ZeroDivisionError), service(linear_bundle, workers=1) as address:
        asked = http.client.HTTPConnection(address)
        asked.request("GET", "/readyz")
        assert asked.getresponse().status == 200
        raise ZeroDivisionError
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(address).request("GET", "/readyz")


class Fake(BaseHTTPRequestHandler):
    """A service that is late for some tickets, refuses some and hangs up on others."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self._answer(200, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = body["text"]
        self.asked.append(text)
        if text == "hang up":
            self.close_connection = True
            return
        reason = TOO_LATE if text == "late" else ""
        self._answer(503 if text == "busy" else 200, {"reason": reason})

    def _answer(self, status: int, plain: dict[str, str]) -> None:
        body = json.dumps(plain).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def fake() -> Iterator[str]:
    Fake.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fake)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("clients", [1, 2, 5])
def test_together_the_clients_ask_for_each_ticket_once(fake: str, clients: int) -> None:
    texts = [f"ticket {number}" for number in range(40)]
    told = ask_all(fake, [json.dumps({"text": text}) for text in texts], clients)
    warm = clients * -(-20 // clients)
    assert sorted(Fake.asked[warm:]) == sorted(texts)
    assert len(told["ms"]) == 40 and min(told["ms"]) > 0
    assert told["seconds"] > 0


def test_it_is_counted_how_they_ended(fake: str) -> None:
    texts = ["fine", "late", "busy", "hang up", "fine", "late", "fine"]
    told = ask_all(fake, [json.dumps({"text": text}) for text in texts], 1)
    assert (told["errors"], told["late"]) == (2, 2)
