"""A service that ends requests in every way there is, and a real one that is started once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from eval.service.running import Running, service


class Fake(BaseHTTPRequestHandler):
    """Is late for some tickets, refuses some and hangs up on others."""

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
        late = text == "late"
        decision = {
            "decision_id": f"d{len(self.asked)}",
            "stage": "human" if late else "linear",
            "stages": [{"name": "linear"}],
            "late": late,
            "pending": late,
        }
        self._answer(503 if text == "busy" else 200, decision)

    def _answer(self, status: int, plain: dict[str, Any]) -> None:
        body = json.dumps(plain).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def asked() -> list[str]:
    """What the fake was asked, in order."""
    return Fake.asked


@pytest.fixture
def fake() -> Iterator[str]:
    """Its address."""
    Fake.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fake)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def started(linear_bundle: Path) -> Iterator[Running]:
    """A real service with one worker."""
    with service(linear_bundle, workers=1) as its:
        yield its


def here(function: Callable[..., Any], **given: Any) -> Any:
    """What a process of its own would tell."""
    return json.loads(json.dumps(function(**given)))


@pytest.fixture
def quick(started: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts ask the service that is there already, from this process: starts take seconds."""
    for script in ("load", "overload", "soak"):
        monkeypatch.setattr(f"eval.service.{script}.call", here)
        monkeypatch.setattr(f"eval.service.{script}.service", lambda *_: nullcontext(started))
