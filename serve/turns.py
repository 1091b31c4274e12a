"""Who may route now, who waits, and who is told to come back.

Routing is bound by the CPU, so only so many requests route at once and so many more may wait; the
next one is refused. That keeps threads free for ``/healthz`` under any load, and keeps a request
from waiting longer than its answer is worth.

Long requests (a batch, or whoever asks a language model and waits for it) leave one turn to the
others, and half of the room: else a few of them would keep everybody else out for minutes.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition, Event, Lock

from serve.problems import BUSY, Problem

NEWEST = 0.1
"""Weight of the latest turn in the time that one is expected to take."""
LONGEST_RETRY = 60


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Somebody's place in the queue; ``patience`` in seconds, ``arrived`` as `time.monotonic`."""

    patience: float
    long: bool
    arrived: float = field(default_factory=time.monotonic)
    called: Event = field(default_factory=Event)

    @property
    def spent(self) -> float:
        """Share of the patience that is spent."""
        return (time.monotonic() - self.arrived) / self.patience if self.patience else 0.0


class Turns:
    """Hands turns out, first come, first served, but for long requests. Safe to use from threads.

    Args:
        at_once: turns that are taken at the same time; by long requests one less, but for one.
        waiting: how many may wait for one.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._at_once, self._room = at_once, waiting
        self._free, self._free_for_long = at_once, max(1, at_once - 1)
        self._room_for_long = -(-waiting // 2)
        self._queue: deque[Place] = deque()
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
    def take(self, patience: float, *, long: bool = False) -> Iterator[Place]:
        """A turn, as soon as there is one.

        Args:
            patience: seconds to wait for it at most.
            long: it may take much longer than others.

        Raises:
            Problem: 503, too many wait already, or no turn came up in time.
        """
        place = Place(patience, long)
        self._wait(place)
        began = time.perf_counter()
        try:
            yield place
        finally:
            self._pass_on(place, time.perf_counter() - began)

    def crowd(self) -> list[Place]:
        """Who waits, but for long requests."""
        with self._lock:
            return [place for place in self._queue if not place.long]

    def wait_for_quiet(self, limit: float) -> None:
        """Return as soon as nobody waits for a turn, or after ``limit`` seconds.

        Once is enough: under steady load somebody waits again before the one who is told so here
        has come to look.
        """
        with self._quiet:
            if self._queue:
                self._quiet.wait(limit)

    def _wait(self, mine: Place) -> None:
        with self._lock:
            if self._may_go(mine):
                self._take(mine)
                return
            if self._is_full(mine):
                raise self._busy("The waiting room is full.")
            self._queue.append(mine)
        if mine.called.wait(mine.patience):
            return
        with self._lock:
            if mine.called.is_set():  # it came up at the last moment
                return
            self._queue.remove(mine)
            self._tell_quiet()
            raise self._busy("No turn came up in time.")

    def _may_go(self, place: Place) -> bool:
        return self._free > 0 and (not place.long or self._free_for_long > 0)

    def _take(self, place: Place) -> None:
        self._free -= 1
        self._free_for_long -= place.long

    def _is_full(self, place: Place) -> bool:
        of_long = sum(other.long for other in self._queue)
        return len(self._queue) >= self._room or (place.long and of_long >= self._room_for_long)

    def _pass_on(self, place: Place, seconds: float) -> None:
        with self._lock:
            self._seconds += NEWEST * (seconds - self._seconds)
            self._free += 1
            self._free_for_long += place.long
            following = next(filter(self._may_go, self._queue), None)
            if following:  # it takes the turn here: nobody who comes now is faster
                self._queue.remove(following)
                self._take(following)
                following.called.set()
            self._tell_quiet()

    def _tell_quiet(self) -> None:
        if not self._queue:
            self._quiet.notify_all()

    def _busy(self, why: str) -> Problem:
        return Problem(BUSY, why, headers={"Retry-After": str(self.retry_after)})
