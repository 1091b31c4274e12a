"""A real gunicorn over a real socket, around the fake cascade or as ``cascade serve`` starts it."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
FAKE = Path(__file__).parent / "fake_server.py"
JSON = {"Content-Type": "application/json"}
URL = re.compile(r"https?://\S+")


class Running:
    """A server in a process of its own."""

    def __init__(self, command: list[str], log: Path, **variables: str) -> None:
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        environ = os.environ | {
            "PYTHONPATH": os.pathsep.join(paths),
            "CASCADE_PORT": "0",
            "CASCADE_WORKERS": "1",
            "CASCADE_DATABASE": f"sqlite:///{log.parent / 'service.sqlite'}",
            **variables,
        }
        self.log_file = log
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                env=environ,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout
        lines = iter(self.process.stdout.readline, "")
        self.address = next((urlsplit(url[0]).netloc for url in map(URL.findall, lines) if url), "")

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def ask(
        self, method: str, path: str, body: bytes | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection(self.address, timeout=10)
        connection.request(method, path, body, JSON if body is not None else {})
        reply = connection.getresponse()
        answer = reply.status, reply.headers, reply.read()
        connection.close()
        return answer

    def say(self, data: bytes) -> bytes:
        """Send bytes as they are; everything that comes back until the server closes."""
        host, port = self.address.split(":")
        with socket.create_connection((host, int(port)), timeout=10) as line:
            line.sendall(data)
            received = b""
            while chunk := line.recv(65536):
                received += chunk
        return received

    def until_ready(self) -> None:
        wait_for(lambda: self.ask("GET", "/readyz")[0] == 200)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def running(mode: str | list[str], log: Path, **variables: str) -> Iterator[Running]:
    """The fake in one of its modes, or another command."""
    command = [str(FAKE), mode] if isinstance(mode, str) else mode
    server = Running(command, log, **variables)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
        assert server.process.stdout
        server.process.stdout.close()
