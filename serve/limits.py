"""How often something may happen: token buckets, one a name."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable


class Limiter:
    """Lets each name have at most ``burst + rate * t`` turns in any t seconds (a token bucket).

    A bucket starts full. A turn takes a token; tokens come back evenly, up to ``burst``. Each
    process counts for itself.

    Args:
        rate: tokens a second, more than 0.
        burst: tokens that a bucket holds, 1 or more.
        most: names that are remembered; beyond, the one that was idle for longest is forgotten,
            and starts anew with a full bucket.
        clock: seconds, never going back.
    """

    def __init__(
        self,
        rate: float,
        burst: float,
        most: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate, self._burst, self._most, self._clock = rate, burst, most, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, as of when
        self._lock = threading.Lock()

    def wait(self, name: str) -> float:
        """Take a turn.

        Returns:
            0.0 where it was had, else the seconds until there is one; then none was taken.
        """
        with self._lock:
            now = self._clock()
            tokens, at = self._buckets.pop(name, (self._burst, now))
            tokens = min(self._burst, tokens + (now - at) * self._rate)
            missing = 1.0 - tokens
            self._buckets[name] = (tokens if missing > 0 else tokens - 1.0, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
            return max(missing, 0.0) / self._rate
