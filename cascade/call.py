"""What is known of the tickets of one call while they go through the stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cascade.decision import Choice, Label, StageTrace
from cascade.gate import Join
from cascade.stages.base import QUEUE, Heads, Probabilities

SETTLED, EMPTY, LATE, UNSURE = range(4)
"""How a ticket fared."""


class Call:
    """The tickets of one call, a row each, stage after stage.

    Args:
        heads: the classes of each head.
        texts: cleaned.
        stages: how many there are.
    """

    def __init__(self, heads: Heads, texts: list[str], stages: int) -> None:
        n = len(texts)
        self.texts = texts
        self._heads = heads
        self.joined: Probabilities = {
            name: np.zeros((n, len(classes)), dtype=np.float32) for name, classes in heads.items()
        }
        self.seen: Probabilities = {
            name: np.zeros((stages, n, len(classes)), dtype=np.float32)
            for name, classes in heads.items()
        }
        """Each stage's own probabilities; those of stages that are not asked have no weight."""
        self.status = np.asarray([UNSURE if text else EMPTY for text in texts], dtype=np.int64)
        self.stopped = np.zeros(n, dtype=np.bool_)
        self.outside = np.zeros(n, dtype=np.bool_)
        """Which seem to belong to no queue, by the last stage that could tell."""
        self.settled_by = [""] * n
        self.cut = np.zeros(n, dtype=np.bool_)
        """Which had no time for a stage, or for the end of its answer."""
        self.reasons = [""] * n
        """Why an adviser had no answer."""
        self.traces: list[list[StageTrace]] = [[] for _ in texts]

    def open(self) -> NDArray[np.int64]:
        """Rows that the next stage is asked about."""
        return np.flatnonzero(~self.stopped)

    def note(self, rows: NDArray[np.int64], reasons: Sequence[str]) -> NDArray[np.bool_]:
        """Keep an adviser's reasons; returns which of the rows it answered."""
        for row, reason in zip(rows, reasons, strict=True):
            self.reasons[row] = reason
        return np.asarray([not reason for reason in reasons], dtype=np.bool_)

    def take(
        self,
        at: int,
        seen: Probabilities,
        rows: NDArray[np.int64],
        answered: NDArray[np.bool_],
        joins: Mapping[str, Join],
    ) -> None:
        """Join a stage's probabilities with those of the stages before, where it answered."""
        known = rows[answered]
        for name, joined in self.joined.items():
            self.seen[name][at, rows] = seen[name]
            joined[known] = joins[name]([array[known] for array in self.seen[name][: at + 1]])

    def best(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The joined confidence in the best queue, and that queue, both ``(m,)``."""
        joined = self.joined[QUEUE][rows]
        return joined.max(axis=1), joined.argmax(axis=1)

    def stop(
        self,
        rows: NDArray[np.int64],
        stops: NDArray[np.bool_],
        settled: NDArray[np.bool_],
        stage: str,
    ) -> None:
        """Note which rows stop here, and which of them are settled. An empty text always stops."""
        self.stopped[rows] = stops | (self.status[rows] == EMPTY)
        self.status[rows[settled]] = SETTLED
        for row in rows[settled].tolist():
            self.settled_by[row] = stage

    def late(self, rows: NDArray[np.int64]) -> None:
        """Note that for these rows there is no time for a further stage."""
        self.stopped[rows] = True
        self.status[rows] = LATE
        self.cut[rows] = True

    def trace(
        self,
        rows: NDArray[np.int64],
        stage: str,
        best: NDArray[np.int64],
        confidence: NDArray[np.float32],
        seconds: float,
    ) -> None:
        """Note a stage's answers; its time is shared equally by the tickets it was asked about."""
        ms = round(seconds * 1000 / len(rows), 3)
        queues = self._heads[QUEUE]
        for row, k, sure in zip(rows.tolist(), best.tolist(), confidence.tolist(), strict=True):
            self.traces[row].append(StageTrace(stage, queues[k], sure, ms))

    def ranked(self, most: int) -> list[list[Choice]]:
        """Each ticket's likeliest queues, best first; of equal ones the first named."""
        queues, joined = self._heads[QUEUE], self.joined[QUEUE]
        order = np.argsort(-joined, axis=1, kind="stable")[:, :most]
        sure = np.take_along_axis(joined, order, axis=1)
        return [
            [Choice(queues[k], p) for k, p in zip(*row, strict=True)]
            for row in zip(order.tolist(), sure.tolist(), strict=True)
        ]

    def labels(self) -> list[dict[str, Label]]:
        """Each ticket's likeliest value of every further head."""
        found: list[dict[str, Label]] = [{} for _ in self.texts]
        for name, joined in self.joined.items():
            if name != QUEUE:
                best, sure = joined.argmax(axis=1).tolist(), joined.max(axis=1).tolist()
                for labels, k, p in zip(found, best, sure, strict=True):
                    labels[name] = Label(self._heads[name][k], p)
        return found
