"""What each worker process does in the background: later answers, and telling of them.

The jobs are rows in the store (`serve.store.jobs`), written in the transaction that made them
necessary and deleted in the one that stores what came of them. Any process takes any job, so one
that is killed loses nothing: when its lease ends, another one takes the job, and whoever lost a
lease stores nothing. So a decision gets one later answer. The same callback may be posted twice,
which no sender can rule out (the reply may be lost): it then has the same ``Webhook-Id``.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from serve import logs
from serve.problems import Problem
from serve.store import Store, jobs
from serve.store.jobs import Job

LEASE = 15.0
"""Seconds after which a killed process's jobs are taken by another one."""
POLL = 1.0
"""Seconds between looks at the store for what other processes left."""
FIRST_PAUSE = 5.0
"""Seconds to the second attempt; each further pause is twice as long."""
LONGEST_PAUSE = 3600.0
LONGEST_OUTAGE = 15.0
"""Most seconds until a database that was away is tried again."""
NOT_NOW = 1.0
"""Seconds after which a job is tried again that came before the bundle was there."""
STOP_SECONDS = 2.0

HOUR, DAY = 3600.0, 86_400.0

LOST = "lost"
"""Outcome of a job whose lease was lost: another process has it, and nothing was stored."""
RETRIED = "retried"


class Again(Exception):  # noqa: N818  (a reason, not an error)
    """A job could not be done now. The message is a fixed text without a word of a customer's."""


class Task(Protocol):
    """How jobs of one kind are done. What is returned is what they are counted as."""

    kind: str
    due: threading.Event
    """Set when there is a new job, in this process."""

    def do(self, job: Job) -> str:
        """Do a job, and store what came of it unless its lease was lost.

        Raises:
            Again: not now.
            Problem: no bundle is in service yet, which does not count as an attempt.
        """
        ...

    def is_last(self, job: Job) -> bool:
        """Whether this attempt is the last one."""
        ...

    def give_up(self, job: Job) -> str:
        """Do without."""
        ...


class Background:
    """The background threads of one process: one a task, and one that renews the leases.

    So a receiver of callbacks who is slow holds up no ticket. A further thread does once a day
    what has to be done so often; in which process is all the same.

    Args:
        store: where the jobs are.
        tasks: one a kind.
        count: told each job's kind, and how it ended or that it is to be tried again.
        daily: done once a day, the first time within an hour, and an hour after it failed.
    """

    def __init__(
        self,
        store: Store,
        *tasks: Task,
        count: Callable[[str, str], None],
        daily: Callable[[], object],
    ) -> None:
        self._store, self._tasks, self._count = store, tasks, count
        self._lease, self._first_pause = LEASE, FIRST_PAUSE
        self._stopping = threading.Event()
        self._held: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._daily, self._until_daily = daily, random.uniform(0.0, HOUR)
        self._threads = [self._thread("renew", self._renew), self._thread("daily", self._tidy)]
        self._threads += [self._thread(task.kind, self._work, task) for task in tasks]

    def start(self) -> None:
        """Start the threads: after the fork, as they do not survive one."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End the threads, and put back what is not done by then, for another process."""
        self._stopping.set()
        for task in self._tasks:
            task.due.set()
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        with self._lock:
            held = list(self._held.values())
        if held:
            with self._store.write() as connection:
                for job in held:
                    jobs.put_back(connection, job, 0.0, counted=False)

    def step(self, task: Task) -> bool:
        """Do the job of a kind that has been due for longest.

        Returns:
            Whether there may be more to do at once.
        """
        job = self._claim(task.kind)
        if job is None:
            return False
        with self._holding(job):
            try:
                outcome = task.do(job)
            except Problem:
                self._put_back(job, NOT_NOW, counted=False)
                return False
            except Again as reason:
                self._log(str(reason), job)
                outcome = self._failed(task, job)
            except Exception as error:
                self._log("a job failed", job, **logs.describe(error))
                outcome = self._failed(task, job)
        self._count(task.kind, outcome)
        for other in self._tasks:  # a later answer may have made a callback due
            other.due.set()
        return True

    def _claim(self, kind: str) -> Job | None:
        with self._store.read() as connection:  # at no cost for those who write
            if not jobs.any_due(connection, kind):
                return None
        with self._store.write() as connection:
            return jobs.claim(connection, kind, self._lease)

    @contextmanager
    def _holding(self, job: Job) -> Iterator[None]:
        with self._lock:
            self._held[job.id] = job
        try:
            yield
        finally:
            with self._lock:
                del self._held[job.id]

    def _failed(self, task: Task, job: Job) -> str:
        if task.is_last(job):
            self._log("a job is given up", job)
            return task.give_up(job)
        self._put_back(job, pause(job.attempts, self._first_pause))
        return RETRIED

    def _put_back(self, job: Job, seconds: float, *, counted: bool = True) -> None:
        with self._store.write() as connection:
            jobs.put_back(connection, job, seconds, counted=counted)

    def _log(self, event: str, job: Job, **fields: object) -> None:
        named = {"job": job.id, "decision": job.decision, "attempt": job.attempts}
        logs.log.warning(event, extra={"fields": named | fields})

    def _thread(self, name: str, turn: Callable[..., None], *given: Task) -> threading.Thread:
        def run() -> None:
            failures = 0
            while not self._stopping.is_set():
                try:
                    turn(*given)
                    failures = 0
                except Exception as error:  # the database may be gone for a while
                    failures += 1
                    logs.log.error("unforeseen error", extra={"fields": logs.describe(error)})
                    self._stopping.wait(min(pause(failures, POLL), LONGEST_OUTAGE))

        return threading.Thread(target=run, name=name, daemon=True)

    def _work(self, task: Task) -> None:
        task.due.clear()  # before the look at what is due: what comes later sets it again
        if not self.step(task):
            task.due.wait(POLL * random.uniform(0.5, 1.0))  # not all processes at once

    def _renew(self) -> None:
        self._stopping.wait(self._lease / 3)
        with self._lock:
            holders = [job.holder for job in self._held.values()]
        if holders:
            with self._store.write() as connection:
                jobs.renew(connection, holders, self._lease)

    def _tidy(self) -> None:
        if not self._stopping.wait(self._until_daily):
            self._until_daily = HOUR  # unless it fails
            self._daily()
            self._until_daily = DAY


def pause(attempts: int, first: float) -> float:
    """Seconds to the next attempt: twice as long each time, and not the same for all."""
    longest = min(first * 2.0 ** (attempts - 1), LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1.0)
