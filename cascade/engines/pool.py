"""The engine for one machine: a pool of processes.

The files are read here, and their blocks handed out to workers as these get done; what comes back
is handed on in the order of the blocks, so that the outcome is the same for any number of workers.
Every worker has a connection of its own: one that is killed can leave no lock behind, and its
connection tells at once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import wait
from pathlib import Path

from cascade.batch.block import Scored
from cascade.batch.jobs import Job
from cascade.engines.worker import TRIES
from cascade.errors import CascadeError
from cascade.loading import open_bundle

ROOT = Path(__file__).parents[2]
"""Where this package is, so that a worker runs the same code."""
AT_HAND = 2
"""Blocks that a worker has: the one it works at, and the next."""
AHEAD = 4
"""Blocks a worker that may be read, or wait for an earlier one to be done, at a time."""
SECONDS_TO_END = 5
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
"""Environment of a worker: there is one for each core."""


class Pool:
    """See `cascade.batch.run.Engine`.

    Args:
        bundle: its folder; each worker loads it.
        workers: how many processes there may be. No more are started than there are blocks.

    Raises:
        BundleError: the bundle is missing, damaged or too new.
    """

    def __init__(self, bundle: Path, workers: int) -> None:
        opened = open_bundle(bundle)
        self.bundle_id, self.heads = opened.id, opened.manifest.heads
        self._bundle, self._workers = bundle, workers

    def __call__(self, jobs: Sequence[Job]) -> Generator[Scored, None, None]:
        hello = json.dumps({"bundle": str(self._bundle), "id": self.bundle_id}).encode()
        crew = _Crew(hello, self._workers)
        try:
            yield from crew.work(_tasks(jobs))
        finally:
            crew.dismiss()


@dataclass(slots=True)
class _Task:
    number: int
    block: bytes
    where: str
    tries: int = 0


def _tasks(jobs: Sequence[Job]) -> Iterator[_Task]:
    number = 0
    for job in jobs:
        for block in job.blocks():
            lines = block.rows.column("line")
            span = f", lines {lines[0]} to {lines[-1]}" if len(lines) else ""
            yield _Task(number, block.to_bytes(), f"{job.source}{span}")
            number += 1


class _Worker:
    """A process, and the blocks that it was given and has not answered, oldest first."""

    def __init__(self, hello: bytes) -> None:
        self.connection, theirs = Pipe()
        self.tasks: deque[_Task] = deque()
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603  (our own command)
                # -P: whatever lies in the current folder is not imported.
                [sys.executable, "-P", "-m", "cascade.engines.worker", str(theirs.fileno())],
                env={**os.environ, **ONE_THREAD, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                process_group=0,  # Ctrl-C is for this process; it ends the others
            )
        self._send(hello)

    def give(self, task: _Task) -> None:
        self.tasks.append(task)
        self._send(task.block)

    def _send(self, data: bytes) -> None:
        with suppress(OSError):  # if it is dead, its connection tells so when it is asked
            self.connection.send_bytes(data)


class _Crew:
    """Workers, started as there is work for them."""

    def __init__(self, hello: bytes, most: int) -> None:
        self._hello, self._most = hello, most
        self._workers: list[_Worker] = []

    def work(self, tasks: Iterator[_Task]) -> Iterator[Scored]:
        """What comes of the tasks, in order.

        Raises:
            CascadeError: see `cascade.batch.run.Engine`.
        """
        todo: deque[_Task] = deque()
        done: dict[int, Scored] = {}
        read = handed_on = 0
        failure: CascadeError | None = None
        ended = False
        while True:
            while not ended and read - handed_on < AHEAD * self._most:
                try:
                    task = next(tasks, None)
                except CascadeError as error:  # what was read before is still to be done
                    task, failure = None, error
                if task is None:
                    ended = True
                else:
                    todo.append(task)
                    read += 1
                    self._hand_out(todo)
            if handed_on == read:
                break
            self._collect(todo, done)
            self._hand_out(todo)
            while handed_on in done:
                yield done.pop(handed_on)
                handed_on += 1
        if failure:
            raise failure

    def dismiss(self) -> None:
        """End the workers, whatever they are at."""
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            try:
                worker.process.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
        self._workers.clear()

    def _hand_out(self, todo: deque[_Task]) -> None:
        while todo:
            worker = min(self._workers, key=lambda its: len(its.tasks), default=None)
            if (worker is None or worker.tasks) and len(self._workers) < self._most:
                worker = _Worker(self._hello)
                self._workers.append(worker)
            if worker is None or len(worker.tasks) >= AT_HAND:
                return
            worker.give(todo.popleft())

    def _collect(self, todo: deque[_Task], done: dict[int, Scored]) -> None:
        """Wait until workers have something to say, and hear them."""
        ready = wait([worker.connection for worker in self._workers])
        for worker in [its for its in self._workers if its.connection in ready]:
            try:
                message = worker.connection.recv_bytes()
            except (EOFError, OSError):
                self._bury(worker, todo)
                continue
            done[worker.tasks.popleft().number] = Scored.from_bytes(message)

    def _bury(self, worker: _Worker, todo: deque[_Task]) -> None:
        """A worker died: its blocks are to be done again, by another one."""
        self._workers.remove(worker)
        worker.connection.close()
        code = worker.process.wait()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        if worker.tasks:
            worker.tasks[0].tries += 1
            if worker.tasks[0].tries == TRIES:
                raise CascadeError(
                    f"{worker.tasks[0].where}: {TRIES} processes that scored them died, the last "
                    f"one of {how}; try fewer --workers, the same command goes on from here"
                )
        todo.extendleft(reversed(worker.tasks))
