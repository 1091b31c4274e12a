"""What every stage has in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

QUEUE = "queue"
"""The head that the gates act on. Further heads are named after their column."""

Heads = Mapping[str, tuple[str, ...]]
"""The classes of each head, `QUEUE` first."""

Probabilities = dict[str, NDArray[np.float32]]
"""For each head an ``(n, k)`` array, rows summing to 1."""


class Stage(Protocol):
    """One witness. Its answer for a text never depends on the other texts of the call."""

    name: str

    def predict(self, texts: Sequence[str]) -> Probabilities:
        """Class probabilities of ``n`` cleaned texts, for each head an ``(n, k)`` array."""
        ...


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Probabilities along the last axis, computed without overflow."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    result = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return np.asarray(result, dtype=np.float32)
