"""A circuit breaker: a server that fails again and again is left alone for a while.

Closed, calls pass. After some failures in a row, or fewer that took long, it opens, and calls are
turned away at once. When the pause is over it is half open: one call at a time may try. If that
fails, the next pause is twice as long (up to a limit); if it succeeds, all is as before. See
Nygard, Release It! (2nd ed., 2018), chapter 5.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

from cascade.llm.base import NoAnswer

State = Literal["closed", "open", "half-open"]


class Breaker:
    """Counts the failures of one server. Safe to call from several threads.

    Each `enter` that returns must be followed by one `leave` with the permit that it gave.

    Args:
        failures: how many in a row open it.
        pause: seconds of the first pause.
        longest: seconds of the longest pause.
        clock: seconds that never run backwards.
        waste: seconds that failures in a row may have taken, all together, before it opens: where
            callers are patient, five that wait in vain would be too many.
    """

    def __init__(
        self,
        failures: int = 5,
        pause: float = 1.0,
        longest: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        waste: float = 30.0,
    ) -> None:
        self._limit, self._waste = failures, waste
        self._first_pause = pause
        self._longest = longest
        self._clock = clock
        self._lock = threading.Lock()
        self._failed, self._wasted = 0, 0.0
        self._pause = pause
        self._until: float | None = None  # end of the pause; None while closed
        self._probing = False
        self._era = 0  # a new one with each change, so that late news of the past are told apart

    @property
    def state(self) -> State:
        """What it would say now, for the health page."""
        with self._lock:
            if self._until is None:
                return "closed"
            return "half-open" if self._probing or self._clock() >= self._until else "open"

    def enter(self) -> int:
        """Ask to make a call.

        Returns:
            A permit, to be handed to `leave`.

        Raises:
            NoAnswer: ``open``.
        """
        with self._lock:
            if self._until is None:
                return self._era
            if self._probing or self._clock() < self._until:
                raise NoAnswer("open", "the LLM server has failed too often and is left alone")
            self._probing = True
            self._era += 1
            return self._era

    def leave(self, permit: int, success: bool | None, seconds: float = 0.0) -> None:
        """Tell how a call went, and how long it took; None where it says nothing of the server.

        News of a call that began before the last change of state are ignored.
        """
        with self._lock:
            if permit != self._era:
                return
            if success:
                if self._until is not None:
                    self._era += 1
                self._failed, self._wasted = 0, 0.0
                self._pause, self._until = self._first_pause, None
            elif success is False:
                self._failure(seconds)
            elif self._probing:
                self._era += 1
            self._probing = False

    def _failure(self, seconds: float) -> None:
        self._failed += 1
        self._wasted += seconds
        if self._probing:
            self._pause = min(2 * self._pause, self._longest)
        elif self._failed < self._limit and self._wasted < self._waste:
            return
        self._until = self._clock() + self._pause
        self._era += 1
