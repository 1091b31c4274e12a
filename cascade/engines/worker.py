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

from cascade.batch.block import Block, answer
from cascade.errors import BundleError, CascadeError
from cascade.llm.settings import LLMSettings
from cascade.router import Cascade


def load(bundle: Path, bundle_id: str | None = None) -> Cascade:
    """The cascade of one worker: on one thread, with a backend of its own.

    Args:
        bundle: its folder.
        bundle_id: the id that the bundle had when the work was handed out.

    Raises:
        BundleError: the bundle cannot be loaded, or is another one by now.
        InputError: the settings of the llm stage cannot be used.
    """
    cascade = Cascade.load(bundle, threads=1, llm=LLMSettings.read(os.environ).backend)
    if bundle_id not in (None, cascade.bundle_id):
        raise BundleError(f"{bundle}: changed while it was in use; give the same command again")
    return cascade


def main() -> None:
    """Score blocks that come in on a connection, until that is closed.

    Its file descriptor is the one argument. The first message names the bundle; what goes out is a
    `Scored` for each block, or one message that is a line for people, behind ``!``.
    """
    connection = Connection(int(sys.argv[1]))
    inbox: SimpleQueue[bytes] = SimpleQueue()
    # In a thread of its own, so that whoever sends a block never waits for one to be scored.
    Thread(target=_receive, args=(connection, inbox), daemon=True).start()
    try:
        named = json.loads(inbox.get())
        cascade = load(Path(named["bundle"]), named["id"])
        while True:
            _send(connection, answer(cascade, Block.from_bytes(inbox.get())).to_bytes())
    except CascadeError as error:
        _send(connection, f"!{error}".encode())


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
