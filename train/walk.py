"""The way of tickets through the gates: where each stops, and what is believed of it there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cascade.gate import Gate, Gates


@dataclass(slots=True)
class Walk:
    """Where ``n`` tickets stop, and what is believed of them there.

    Attributes:
        gates: that they went through.
        stage: ``(n,)`` number of the last stage that they reached.
        joined: ``(n, k)`` queue probabilities there.
        right: ``(n,)`` whether the best queue is the right one.
        open: ``(n,)`` whether the last gate would let them go on.
        fit: ``(n,)`` whether they can be settled: not out of scope, and the stage had an answer.
        known: ``(n,)`` false for tickets that an adviser was not asked about.
        held: whether what the gates do not settle counts as not fit.
    """

    gates: list[Gate]
    stage: NDArray[np.int64]
    joined: NDArray[np.float32]
    y: NDArray[np.int64]
    open: NDArray[np.bool_]
    fit: NDArray[np.bool_]
    known: NDArray[np.bool_]
    held: bool = False

    @classmethod
    def along(
        cls,
        gates: Sequence[Gate],
        arrays: Sequence[NDArray[np.float32]],
        outside: Sequence[NDArray[np.bool_] | None],
        y: NDArray[np.int64],
    ) -> Walk:
        """Lead tickets through the gates as `cascade.Cascade.route` does.

        Args:
            arrays: for each gate the ``(n, k)`` joined probabilities.
            outside: for each gate the ``(n,)`` tickets that seem to belong to no queue, or None.
            y: ``(n,)`` true queues, -1 for none of them.
        """
        n = len(y)
        every = np.ones(n, dtype=np.bool_)
        walk = cls(
            list(gates),
            np.zeros(n, dtype=np.int64),
            arrays[0].copy(),
            y,
            every.copy(),
            every.copy(),
            every.copy(),
        )
        asked = [at for at, heard in enumerate(Gates(tuple(gates)).asked) if heard]
        judges = [at for at in asked if outside[at] is not None]
        for at in asked:
            walk.stage[walk.open] = at
            walk.joined[walk.open] = arrays[at][walk.open]
            stops = gates[at].stops(walk.confidence, walk.best)
            verdict = outside[at]
            if verdict is not None:
                walk.fit[walk.open] = ~verdict[walk.open]
            # Who seems to belong nowhere is asked about as long as somebody may judge better.
            stops = np.where(walk.fit, stops, at >= judges[-1] if judges else False)
            walk.open &= ~stops
        return walk

    @property
    def confidence(self) -> NDArray[np.float32]:
        """``(n,)`` in the best queue."""
        return np.asarray(self.joined.max(axis=1))

    @property
    def best(self) -> NDArray[np.int64]:
        """``(n,)`` the best queue."""
        return np.asarray(self.joined.argmax(axis=1))

    @property
    def right(self) -> NDArray[np.bool_]:
        """``(n,)`` whether it is the right one."""
        return np.asarray(self.best == self.y)

    def settled(self, settles: NDArray[np.float64]) -> NDArray[np.bool_]:
        """``(n,)`` which tickets are settled by ``(stages, k)`` least confidences."""
        least = settles.astype(np.float32)[self.stage, self.best]
        return np.asarray((self.confidence >= least) & self.fit)

    def within(self) -> Walk:
        """The walk of tickets that are fit only where the gates as they are settle them."""
        settles = np.asarray([gate.settle for gate in self.gates])
        return replace(self, fit=self.settled(settles), held=True)

    def left(self) -> NDArray[np.int64]:
        """Rows that the next stage would be asked about."""
        return np.flatnonzero(self.open)

    def then(
        self,
        gate: Gate,
        asked: NDArray[np.int64] | None = None,
        answered: NDArray[np.bool_] | None = None,
        joined: NDArray[np.float32] | None = None,
    ) -> Walk:
        """The walk through one more gate, that of an adviser who is heard, or else of none.

        Args:
            asked: rows that it was asked about, of those left.
            answered: ``(m,)`` which of them it answered.
            joined: ``(m, k)`` what is believed of them then.
        """
        if asked is None or answered is None or joined is None:
            return replace(self, gates=[*self.gates, gate])
        stage, believed = self.stage.copy(), self.joined.copy()
        fit, known = self.fit.copy(), self.known.copy()
        stage[self.open] = len(self.gates)
        known[self.open] = False
        known[asked] = True
        fit[asked] &= answered
        believed[asked[answered]] = joined[answered]
        return Walk([*self.gates, gate], stage, believed, self.y, self.open, fit, known)
