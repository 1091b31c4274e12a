"""What every stage has in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

MALFORMED = (
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    OverflowError,
    RecursionError,
    SafetensorError,
)
"""What JSON and arrays of another shape than the expected one end in when they are read."""

QUEUE = "queue"
"""The head that the gates act on. Further heads are named after their column."""

SIGNALS = "(signals)"
"""Beside the heads, what else a stage saw of each text: see `Stage.predict`."""

Heads = Mapping[str, tuple[str, ...]]
"""The classes of each head, `QUEUE` first."""

Probabilities = dict[str, NDArray[np.float32]]
"""For each head an ``(n, k)`` array, rows summing to 1; `SIGNALS` may stand beside them."""


class Stage(Protocol):
    """One witness. Its answer for a text never depends on the other texts of the call."""

    name: str

    def predict(self, texts: Sequence[str]) -> Probabilities:
        """Class probabilities of ``n`` cleaned texts, for each head an ``(n, k)`` array.

        Under `SIGNALS` there may be an ``(n, d)`` float32 array of what else it saw, such as the
        features that it judges by: what `cascade.scope` tells tickets of no queue by.
        """
        ...


@dataclass(frozen=True, slots=True)
class Advice:
    """What an adviser says of ``n`` tickets.

    Attributes:
        probabilities: as a stage's; rows without an answer mean nothing.
        reasons: why there is no answer, empty where there is one.
    """

    probabilities: Probabilities
    reasons: tuple[str, ...]


@runtime_checkable
class Adviser(Protocol):
    """A stage that is told what the earlier ones think, and that may have no answer.

    As with a `Stage`, what it says of a ticket never depends on the others of the call.
    """

    name: str

    @property
    def fitted(self) -> bool:
        """Whether its gate was fitted with whoever answers now."""
        ...

    @property
    def state(self) -> dict[str, Any]:
        """Who answers and how that went, for people and for health pages."""
        ...

    def warm_up(self) -> None:
        """Ask once, so that the first ticket is as fast as the next; it counts as no ticket."""
        ...

    def advise(
        self, texts: Sequence[str], joined: NDArray[np.float32], until: float | None
    ) -> Advice:
        """What it says of ``n`` cleaned texts.

        Args:
            joined: ``(n, k)`` queue probabilities of the earlier stages, joined.
            until: when it must have answered (of `time.monotonic`); None for no limit but its own.

        Returns:
            Probabilities of the queues; those of all other heads are even.
        """
        ...


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Probabilities along the last axis, computed without overflow."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    result = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return np.asarray(result, dtype=np.float32)


def energy(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """How loudly logits speak for any class at all: the logarithm of the sum of exponentials.

    Along the last axis. It tells what softmax divides out (Liu et al. 2020, the sign turned).
    """
    highest = logits.max(axis=-1)
    total = np.exp(logits - highest[..., None]).sum(axis=-1)
    return np.asarray(highest + np.log(total), dtype=np.float32)
