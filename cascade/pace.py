"""How long a stage takes of late, so that none is started that cannot finish in time.

What a ticket costs grows with its length (the encoder: in proportion, up to its cap; a language
model: hardly, with a heavy tail) and changes with whatever else the machine does. So nothing is
assumed of the shape: lengths fall into octaves, each remembers its last few times, and the second
slowest of them is what the next ticket is expected to take. As order statistics go, of
exchangeable times the next exceeds the second slowest of 20 in 2 of 21 cases, whatever their
distribution; and a single outlier does not move it at all. Who can be broken off at the deadline,
as advisers can, makes nobody late, so there it is the median: started is what is as likely as not
to have an answer by then.

Whoever is believed too slow is no longer started, and so could never show that it is fast again.
Hence it is half open, as a circuit breaker is (`cascade.llm.breaker`): now and then a ticket is
let through, rarely and ever more rarely while that is in vain.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence

RECENT = 20
"""Times that an octave remembers."""
OCTAVES = 16
"""The last one holds all texts of 16,384 characters and more, beyond what stages look at."""
PATIENCE, LONGEST_PATIENCE = 8, 1024
"""Tickets that are turned away before one is let through, at first and at most."""
AT_LEAST = 1.25
"""What was broken off is believed to take so many times as long as it had."""


class _Octave:
    """What is known of one stage and texts of one length, give or take a factor of two."""

    def __init__(self, breakable: bool) -> None:
        self.breakable = breakable
        self.recent: deque[float] = deque(maxlen=RECENT)
        self.expected = 0.0
        self.refused = 0  # tickets in a row
        self.left = 0.0  # milliseconds that the last of them had
        self.probing = False
        self.patience = PATIENCE
        self.tried = 0.0  # most milliseconds that a ticket had which was let through in vain

    def add(self, ms: float) -> None:
        self.recent.append(ms)
        rising = sorted(self.recent)
        self.expected = rising[(len(rising) - 1) // 2] if self.breakable else rising[-2:][0]

    def forget(self) -> None:
        self.recent.clear()
        self.expected = 0.0


class Pace:
    """Milliseconds that each stage takes for a ticket of a length. Safe to use from threads.

    Lengths are characters of the cleaned text. What is not known yet costs nothing: it is tried.

    Args:
        breakable: stages that can be broken off at the deadline.
    """

    def __init__(self, breakable: Collection[str] = ()) -> None:
        self._lock = threading.Lock()
        self._breakable = frozenset(breakable)
        self._stages: dict[str, list[_Octave]] = {}

    def expect(self, stage: str, characters: int) -> float:
        """Milliseconds that a ticket is expected to take; never less than a shorter one's."""
        with self._lock:
            return self._expect(stage, _octave(characters))

    def observe(self, stage: str, characters: int, ms: float, *, finished: bool = True) -> None:
        """Learn that a ticket, or a round of which it was the longest, took ``ms`` milliseconds.

        Args:
            finished: False if it was broken off then. It would have taken longer, nobody knows
                how much: a quarter more is believed, and no less than was expected.
        """
        at = _octave(characters)
        with self._lock:
            octaves = self._octaves(stage)
            its = octaves[at]
            if its.probing and finished and ms <= its.left:
                # Whatever said otherwise, of this length or of shorter ones, is over.
                for octave in octaves[: at + 1]:
                    if octave.expected > ms:
                        octave.forget()
            elif its.probing:
                its.patience = min(2 * its.patience, LONGEST_PATIENCE)
                its.tried = max(its.tried, its.left)
            its.add(ms if finished else max(AT_LEAST * ms, self._expect(stage, at)))
            its.probing, its.refused = False, 0
            if its.expected <= its.left:
                its.patience, its.tried = PATIENCE, 0.0

    def rounds(
        self, stage: str, lengths: Sequence[int], at_once: int, left: Callable[[], float]
    ) -> Iterator[tuple[slice, bool]]:
        """Which tickets of one call are started, a few at a time, in their order.

        A round is judged when its turn comes, by what is left after those before it. So the queue
        within a call needs no estimate, and a wrong one of a long queue makes nobody late.

        Args:
            lengths: characters of each ticket.
            at_once: tickets of a round; they run side by side and end with the longest.
            left: milliseconds until the deadline.

        Yields:
            A slice of the tickets, and whether it is to be started. Never after the deadline, nor
            where it is expected to end after it; but for a probe, at most one a call and only as
            its first round, as what waited for others would teach little.
        """
        for start in range(0, len(lengths), at_once):
            part = slice(start, start + at_once)
            longest, ms = max(lengths[part]), left()
            in_time = self.expect(stage, longest) <= ms
            yield part, ms > 0 and (in_time or (not start and self._probe(stage, longest, ms)))

    def _probe(self, stage: str, characters: int, left: float) -> bool:
        """Whether a ticket that is expected to be late is started all the same, to learn."""
        with self._lock:
            its = self._octaves(stage)[_octave(characters)]
            its.refused += 1
            its.left = left
            # Others may have had so little time that their failure says nothing of this one.
            if its.refused <= (its.patience if left <= its.tried else PATIENCE):
                return False
            its.probing, its.refused = True, 0
            return True

    def _expect(self, stage: str, at: int) -> float:
        return max(octave.expected for octave in self._octaves(stage)[: at + 1])

    def _octaves(self, stage: str) -> list[_Octave]:
        if stage not in self._stages:
            breakable = stage in self._breakable
            self._stages[stage] = [_Octave(breakable) for _ in range(OCTAVES)]
        return self._stages[stage]


def _octave(characters: int) -> int:
    return min(characters.bit_length(), OCTAVES - 1)
