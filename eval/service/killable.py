"""The service of `eval.service.kill`, which can be killed and started again at one address."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from cascade.errors import CascadeError
from eval.child import ROOT

WORKERS = 2
PATIENCE = 120.0
"""Seconds that it may take to start."""


class Service:
    """A service.

    Args:
        folder: for its log and its temporary files.
        variables: of its environment.
        pauses: arguments of `eval.service.kill_server`.
    """

    def __init__(self, folder: Path, variables: dict[str, str], pauses: tuple[float, ...]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._command = [sys.executable, "-P", "-m", "eval.service.kill_server", *map(str, pauses)]
        self._environ = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "CASCADE_PORT": str(self.port),
            "CASCADE_WORKERS": str(WORKERS),
            "TMPDIR": str(folder),  # whoever is killed leaves something behind
            **variables,
        }
        self.log = folder / "log"
        self.start()

    def start(self) -> None:
        """Start it; this does not wait until it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  (our own command)
                self._command,
                env=self._environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Return when it is ready.

        Raises:
            CascadeError: it does not start.
        """
        end = time.monotonic() + PATIENCE
        while ask(self.port, "GET", "/readyz")[0] != http.HTTPStatus.OK:
            if self._process.poll() is not None or time.monotonic() > end:
                last = self.log.read_text(errors="replace").strip().splitlines()[-1:]
                raise CascadeError(f"the service did not start: {''.join(last)}")
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill the master and all workers at once."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End it as a system does, if it runs."""
        self._process.terminate()
        self._process.wait()


def ask(
    port: int, method: str, path: str, body: str | None = None, key: str = ""
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a reply; status 0 where there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10.0)
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    try:
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        return reply.status, dict(reply.headers), reply.read()
    except (OSError, http.client.HTTPException):
        return 0, {}, b""
    finally:
        connection.close()
