"""Ways to route tickets that are measured side by side: stages, the cascade, baselines, peers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cascade.clean import clean
from cascade.gate import Join
from cascade.router import Cascade
from cascade.stages.base import QUEUE, Adviser, Stage
from eval.labelled import Labelled
from train.measures import queue_numbers


class Approach(Protocol):
    """Something that was fitted and says a queue for each ticket."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """``(n, k)`` probabilities of the queues for raw texts; a row of zeros is no answer."""
        ...


Fit = Callable[[Labelled, int], Approach]
"""Fits an approach on labelled tickets with a seed. It cleans the texts if it wants them clean."""


def guesses(probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
    """``(n,)`` best queue of each row, -1 where there is no answer."""
    return np.where(probabilities.any(axis=1), probabilities.argmax(axis=1), -1)


class Together:
    """Stages that are all asked about every ticket; their answers are joined.

    Args:
        name: for people.
        stages: each is asked.
        join: of their probabilities, a weight a stage.
    """

    def __init__(self, name: str, stages: Sequence[Stage], join: Join) -> None:
        self.name, self._stages, self._join = name, tuple(stages), join

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """``(n, k)`` joined probabilities of raw texts."""
        cleaned = [clean(text) for text in texts]
        return self._join([stage.predict(cleaned)[QUEUE] for stage in self._stages])


class Routed:
    """A cascade: its best queue of each ticket, settled or not, as sure as the decision is.

    Args:
        cascade: is asked.
        queues: the columns of the answers, where there are more than its own.
    """

    name = "cascade"

    def __init__(self, cascade: Cascade, queues: Sequence[str] = ()) -> None:
        self._cascade, self._queues = cascade, queues or cascade.queues

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """``(n, k)``: each decision's confidence in its queue, and 0 for all others."""
        decisions = self._cascade.route(texts)
        out = np.zeros((len(texts), len(self._queues)), dtype=np.float32)
        sure = [decision.confidence for decision in decisions]
        out[np.arange(len(texts)), queue_numbers(decisions, self._queues)] = sure
        return out


def witnesses(cascade: Cascade) -> list[Stage]:
    """The stages that always have an answer: all but advisers, which come last."""
    return [stage for stage in cascade.stages if not isinstance(stage, Adviser)]


def alone(stage: Stage) -> Together:
    """A stage on its own, as it is."""
    return Together(f"{stage.name} alone", [stage], Join((1.0,)))


def always_on(cascade: Cascade) -> Together:
    """All stages that always have an answer, about every ticket, joined as the gates do it."""
    stages = witnesses(cascade)
    join = cascade.gates.gates[len(stages) - 1].joins[QUEUE]
    return Together("all stages, always on", stages, join)
