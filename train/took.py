"""What each part of a training took: minutes, and the memory that it needed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from cascade.machine import peak_mib

FINE_TUNING = "fine-tuning"
"""The one part whose minutes are asked for."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a training.

    Attributes:
        minutes: of wall time.
        cpu_minutes: of all threads: what it would have taken on one core that is free for it.
        memory_mib: most memory that the process had held by its end.
    """

    minutes: float
    cpu_minutes: float
    memory_mib: float


class Took:
    """A clock for the parts of a training, which come one after the other.

    Args:
        clock, cpu_clock: in seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.process_time,
    ) -> None:
        self._clocks = clock, cpu_clock
        self._last = clock(), cpu_clock()
        self.parts: dict[str, Part] = {}

    def lap(self, part: str) -> None:
        """A part has ended; it began where the one before it ended, or with the training."""
        now = self._clocks[0](), self._clocks[1]()
        wall, cpu = ((end - start) / 60 for start, end in zip(self._last, now, strict=True))
        self.parts[part] = Part(wall, cpu, peak_mib())
        self._last = now

    def to_plain(self) -> dict[str, dict[str, Any]]:
        """By part what it took, rounded, for ``bundle.json``."""
        return {
            name: {key: round(its, 2) for key, its in asdict(part).items()}
            for name, part in self.parts.items()
        }

    def lines(self, budget: float) -> list[str]:
        """A table for people.

        Args:
            budget: minutes that fine-tuning may take.
        """
        whole = Part(
            sum(part.minutes for part in self.parts.values()),
            sum(part.cpu_minutes for part in self.parts.values()),
            max((part.memory_mib for part in self.parts.values()), default=0.0),
        )
        out = [f"{'part':<24}{'minutes':>9}{'of CPU':>9}{'MiB so far':>12}"]
        for name, part in (*self.parts.items(), ("in all", whole)):
            asked = f"  of {budget:g} minutes that it may take" if name == FINE_TUNING else ""
            out.append(
                f"{name:<24}{part.minutes:>9.1f}{part.cpu_minutes:>9.1f}"
                f"{part.memory_mib:>12,.0f}{asked}"
            )
        return out
