"""Who may route now, who waits, and who is told to come back.

Routing is bound by the CPU, so only so many requests route at once and so many more may wait; the
next one is refused. That keeps threads free for ``/healthz`` under any load, and keeps a request
from waiting longer than its answer is worth.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Event, Lock

from serve.problems import BUSY, Problem

NEWEST = 0.1
"""Weight of the latest turn in the time that one is expected to take."""
LONGEST_RETRY = 60


class Turns:
    """Hands turns out, first come, first served. Safe to use from threads.

    Args:
        at_once: turns that are taken at the same time.
        waiting: how many may wait for one.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._at_once, self._room = at_once, waiting
        self._free = at_once
        self._queue: deque[Event] = deque()
        self._lock = Lock()
        self._quiet = Condition(self._lock)
        self._seconds = 0.0  # that a turn takes of late

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._queue)

    @property
    def retry_after(self) -> int:
        """Seconds until those who wait now will have had their turn, going by the turns of late.

        At least 1, as whoever comes back at once only makes the crowd larger.
        """
        expected = self._seconds * (self.waiting + 1) / self._at_once
        return min(max(1, math.ceil(expected)), LONGEST_RETRY)

    @contextmanager
    def take(self, patience: float) -> Iterator[None]:
        """A turn, as soon as there is one.

        Args:
            patience: seconds to wait for it at most.

        Raises:
            Problem: 503, too many wait already, or no turn came up in time.
        """
        self._wait(patience)
        began = time.perf_counter()
        try:
            yield
        finally:
            self._pass_on(time.perf_counter() - began)

    def wait_for_quiet(self) -> None:
        """Return when nobody waits for a turn."""
        with self._quiet:
            self._quiet.wait_for(lambda: not self._queue)

    def _wait(self, patience: float) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            if len(self._queue) >= self._room:
                raise self._busy("The waiting room is full.")
            mine = Event()
            self._queue.append(mine)
        if mine.wait(patience):
            return
        with self._lock:
            if mine.is_set():  # it came up at the last moment
                return
            self._queue.remove(mine)
            self._tell_quiet()
            raise self._busy("No turn came up in time.")

    def _pass_on(self, seconds: float) -> None:
        with self._lock:
            self._seconds += NEWEST * (seconds - self._seconds)
            if self._queue:
                self._queue.popleft().set()  # it stays taken: nobody who comes now is faster
            else:
                self._free += 1
            self._tell_quiet()

    def _tell_quiet(self) -> None:
        if not self._queue:
            self._quiet.notify_all()

    def _busy(self, why: str) -> Problem:
        return Problem(BUSY, why, headers={"Retry-After": str(self.retry_after)})
