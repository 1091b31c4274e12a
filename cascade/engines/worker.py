"""A process that scores blocks for `cascade.engines.pool`, or for Ray."""

from __future__ import annotations

import json
import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import NoReturn

from cascade.batch.block import FAILED, Block, answer, failure
from cascade.errors import BundleError, CascadeError
from cascade.llm.settings import LLMSettings
from cascade.router import Cascade

TRIES = 3
"""Workers that a block may cost before it is given up."""


def load(bundle: Path, bundle_id: str | None = None, llm: LLMSettings | None = None) -> Cascade:
    """The cascade of one worker: on one thread, with a backend of its own.

    Args:
        bundle: its folder.
        bundle_id: the id that the bundle had when the work was handed out.
        llm: who answers in the llm stage; by default what this process's environment says.

    Raises:
        BundleError: the bundle cannot be loaded, or is another one by now.
        InputError: the settings of the llm stage cannot be used.
    """
    llm = llm or LLMSettings.read(os.environ)
    cascade = Cascade.load(bundle, threads=1, llm=llm.backend)
    if bundle_id not in (None, cascade.bundle_id):
        raise BundleError(f"{bundle}: changed while it was in use; give the same command again")
    return cascade


class Worker:
    """Scores blocks as they come and go between processes.

    Args:
        bundle: its folder.
        bundle_id: the id that the bundle had when the work was handed out.
        llm: see `load`.
    """

    def __init__(self, bundle: Path, bundle_id: str, llm: LLMSettings | None = None) -> None:
        self._cascade: Cascade | None = None
        self._failure = b""
        try:
            self._cascade = load(bundle, bundle_id, llm)
        except CascadeError as error:
            self._failure = failure(error)

    def __call__(self, block: bytes) -> bytes:
        """A `Block` to what comes of it, or to a `failure`; one that is given is handed on."""
        if self._cascade is None or block.startswith(FAILED):
            return self._failure or block
        return answer(self._cascade, Block.from_bytes(block)).to_bytes()


def main() -> None:
    """Score blocks that come in on a connection, until that is closed.

    Its file descriptor is the one argument. The first message names the bundle.
    """
    connection = Connection(int(sys.argv[1]))
    inbox: SimpleQueue[bytes] = SimpleQueue()
    # In a thread of its own, so that whoever sends a block never waits for one to be scored.
    Thread(target=_receive, args=(connection, inbox), daemon=True).start()
    named = json.loads(inbox.get())
    worker = Worker(Path(named["bundle"]), named["id"])
    while True:
        _send(connection, worker(inbox.get()))


def _receive(connection: Connection, inbox: SimpleQueue[bytes]) -> NoReturn:
    while True:
        try:
            inbox.put(connection.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)  # at once: nobody waits for what is being scored


def _send(connection: Connection, data: bytes) -> None:
    try:
        connection.send_bytes(data)
    except OSError:
        os._exit(0)


if __name__ == "__main__":
    main()
