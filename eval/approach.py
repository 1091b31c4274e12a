"""Ways to route tickets that are measured side by side: stages, the cascade, baselines, peers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eval.labelled import Labelled


class Approach(Protocol):
    """Something that was fitted and says a queue for each ticket."""

    name: str

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """``(n, k)`` probabilities of the queues for raw texts; a row of zeros is no answer."""


Fit = Callable[[Labelled, int], Approach]
"""Fits an approach on labelled tickets with a seed. It cleans the texts if it wants them clean."""


def guesses(probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
    """``(n,)`` best queue of each row, -1 where there is no answer."""
    return np.where(probabilities.any(axis=1), probabilities.argmax(axis=1), -1)
