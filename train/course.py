"""Where tickets stop and which of them are settled, by the thresholds of all gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What the stages said of ``n`` tickets when each of them was asked about all.

    Attributes:
        names: of the stages that are asked at all, in order; at least one.
        joined: for each stage the ``(n, k)`` float32 probabilities of the stages up to it, joined.
        y: ``(n,)`` true queues, -1 where there is none.
        ms: for each stage ``(n,)`` milliseconds that it took.
        forced: for each stage ``(n,)``, 1 for tickets that go on whatever its gate says, as they
            seem to belong to no queue and a later stage can tell better; -1 for those that stop
            there and go to review, as it is the last that can tell; 0 where the gate decides.
            Empty where it decides on all.
    """

    names: Sequence[str]
    joined: Sequence[NDArray[np.float32]]
    y: NDArray[np.int64]
    ms: Sequence[NDArray[np.float64]]
    forced: Sequence[NDArray[np.int8]] = ()

    @property
    def queues(self) -> int:
        """How many queues there are."""
        return int(self.joined[0].shape[1])

    def best(self, stage: int) -> NDArray[np.int64]:
        """``(n,)`` best queue after a stage."""
        return np.asarray(self.joined[stage].argmax(axis=1))

    def confidence(self, stage: int) -> NDArray[np.float32]:
        """``(n,)`` joined confidence in it."""
        return np.asarray(self.joined[stage].max(axis=1))

    def must(self, stage: int) -> NDArray[np.int8]:
        """``(n,)`` `forced` of a stage."""
        return self.forced[stage] if self.forced else np.zeros(len(self.y), dtype=np.int8)

    def earliest(self) -> NDArray[np.int64]:
        """``(n,)`` the first stage at which each ticket can stop."""
        goes = [self.must(stage) > 0 for stage in range(len(self.names) - 1)]
        if not goes:
            return np.zeros(len(self.y), dtype=np.int64)
        return np.asarray(np.cumprod(np.stack(goes), axis=0).sum(axis=0))

    def spent(self) -> NDArray[np.float64]:
        """``(stages, n)`` milliseconds of a stage and those before it."""
        return np.asarray(np.cumsum(np.stack(list(self.ms)), axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The thresholds of all gates; what they mean is said in `cascade.gate.Gate`.

    Attributes:
        stop: ``(stages, k)`` float32; all 0 for the last stage, which stops every ticket.
        settle: ``(stages, k)`` float32.
        give_up: ``(stages,)`` float32.
    """

    stop: NDArray[np.float32]
    settle: NDArray[np.float32]
    give_up: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Where each of ``n`` tickets stopped.

    Attributes:
        stage: ``(n,)`` number of the last stage that was asked.
        queue: ``(n,)`` the best queue there.
        settled: ``(n,)`` whether it is acted on, rather than sent to review.
        ms: ``(n,)`` milliseconds of all stages that were asked.
    """

    stage: NDArray[np.int64]
    queue: NDArray[np.int64]
    settled: NDArray[np.bool_]
    ms: NDArray[np.float64]

    def reached(self, stage: int) -> float:
        """Share of the tickets that a stage was asked about."""
        return float((self.stage >= stage).mean())

    def ms_within(self, share: float) -> float:
        """The least time within which at least this share of the tickets is answered."""
        return float(np.quantile(self.ms, share, method="inverted_cdf"))


def follow(run: Run, plan: Plan) -> Course:
    """Send the tickets of a run through the gates of a plan."""
    n = len(run.y)
    stage = np.zeros(n, dtype=np.int64)
    queue = np.zeros(n, dtype=np.int64)
    settled = np.zeros(n, dtype=np.bool_)
    going = np.ones(n, dtype=np.bool_)
    for at in range(len(run.names)):
        best, confidence = run.best(at), run.confidence(at)
        stage[going], queue[going] = at, best[going]
        must = run.must(at)
        settled[going] = ((confidence >= plan.settle[at][best]) & (must == 0))[going]
        wanted = (confidence < plan.stop[at][best]) & (confidence >= plan.give_up[at])
        going &= (wanted | (must > 0)) & (must >= 0)
    return Course(stage, queue, settled, run.spent()[stage, np.arange(n)])
