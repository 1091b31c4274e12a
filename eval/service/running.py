"""The real service in a process group of its own, as ``cascade serve`` starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cascade.errors import CascadeError
from cascade.llm.settings import STORE
from cascade.machine import cores
from eval.child import ROOT
from eval.latency import llm_anew
from eval.service.clients import PAUSE, START, Client

STOP = 40.0
"""Seconds that it may take to end; it lets requests in flight end for 30."""
ADDRESS = re.compile(r"http://([^/\s]+)/")
SERVE = ["-c", "from cascade.cli import main; main()", "serve", "--port", "0"]


@dataclass(frozen=True, slots=True)
class Running:
    """A service that runs.

    Attributes:
        address: host and port.
        pid: of its master process.
        database: its file.
    """

    address: str
    pid: int
    database: Path


@contextmanager
def service(bundle: Path, workers: int | None = None, **settings: str) -> Iterator[Running]:
    """Serve a bundle on a free port of this machine; it is stopped whatever happens.

    It has the settings of the environment, an empty database and no stored answers of a language
    model.

    Args:
        workers: processes; one a core if None.
        settings: further variables of its environment.

    Raises:
        CascadeError: it does not start; the message is the last line that it said.
    """
    with tempfile.TemporaryDirectory() as folder, llm_anew() as llm:
        database, log_file = Path(folder, "service.sqlite"), Path(folder, "log")
        variables = {
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "CASCADE_HOST": "127.0.0.1",
            "CASCADE_BUNDLE": str(bundle.resolve()),
            "CASCADE_WORKERS": str(workers or cores()),
            "CASCADE_DATABASE": f"sqlite:///{database}",
            "PYTHONUNBUFFERED": "1",
            STORE: str(llm.store),
            **settings,
        }
        with log_file.open("w+b") as log:
            process = subprocess.Popen(  # noqa: S603  (our own command)
                [sys.executable, "-P", *SERVE],
                env=os.environ | variables,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            try:
                yield Running(_ready(process, log), process.pid, database)
            finally:
                _stop(process)


def _ready(process: subprocess.Popen[str], log: IO[bytes]) -> str:
    """The address, once the service is ready there."""
    assert process.stdout
    lines = iter(process.stdout.readline, "")
    address = next((found[1] for line in lines if (found := ADDRESS.search(line))), "")
    end = time.monotonic() + START
    with closing(Client(address)) as client:
        while address and process.poll() is None and time.monotonic() < end:
            if client.is_ready():
                return address
            time.sleep(PAUSE)
    log.seek(0)
    said = log.read().decode(errors="replace").strip().splitlines()
    raise CascadeError(f"the service did not start: {said[-1] if said else 'it said nothing'}")


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        assert process.stdout
        process.stdout.close()
