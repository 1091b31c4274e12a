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
        memory_mib: most memory that the process had held by its end.
    """

    minutes: float
    memory_mib: float


class Took:
    """A clock for the parts of a training, which come one after the other.

    Args:
        clock: in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self.parts: dict[str, Part] = {}

    def lap(self, part: str) -> None:
        """A part has ended; it began where the one before it ended, or with the training."""
        now = self._clock()
        self.parts[part] = Part((now - self._last) / 60, peak_mib())
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
        out = [f"{'part':<24}{'minutes':>9}{'MiB so far':>12}"]
        for name, part in self.parts.items():
            asked = f"  of {budget:g} that it may take" if name == FINE_TUNING else ""
            out.append(f"{name:<24}{part.minutes:>9.1f}{part.memory_mib:>12,.0f}{asked}")
        whole = sum(part.minutes for part in self.parts.values())
        most = max((part.memory_mib for part in self.parts.values()), default=0.0)
        return [*out, f"{'in all':<24}{whole:>9.1f}{most:>12,.0f}"]
