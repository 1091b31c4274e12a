"""Fitting the gates: how stages are joined, where a ticket stops, and what is settled.

The gate split, which trained no stage, is cut in two. The first half fixes how the stages are
joined and from which confidence on a ticket stops (`Gate.stop`): where a further stage would not
pay. The cascade is then one classifier that names a queue and how sure it is, and the other half,
on which nothing was chosen, tells from which confidence on its answers are acted on
(`Gate.settle`), so that the promise holds: see `train.settle` and `train.promise`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cascade.gate import Gate, Gates
from cascade.stages.base import QUEUE
from train.advice import Advice, advise, consult
from train.promise import Promise
from train.settle import settle
from train.walk import Walk
from train.witnesses import Joined, Witnesses, join_stages

Arrange = Callable[[Joined, Walk, Advice | None], list[Gate]]
"""Gives all gates other thresholds, by looking at the fitting half alone; `Walk` is where tickets
go with the thresholds they have."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Fitted gates, and where the tickets went that they were tested on.

    Attributes:
        walk: of all tickets of the gate split.
        testing: rows of the half on which promises were tested.
    """

    gates: Gates
    walk: Walk
    testing: NDArray[np.int64]


def fit_gates(witnesses: Witnesses, promise: Promise, *, seed: int = 0) -> Gates:
    """Fit all gates; see `lead_through`."""
    return lead_through(witnesses, promise, seed=seed).gates


def lead_through(
    witnesses: Witnesses,
    promise: Promise | None,
    *,
    outside: Callable[[Joined], list[NDArray[np.bool_] | None]] | None = None,
    arrange: Arrange | None = None,
    seed: int = 0,
) -> Outcome:
    """Fit all gates.

    Args:
        promise: what is asked of the settled tickets; None to settle what `arrange` settles.
        outside: tells which tickets seem to belong to no queue, by looking at the fitting half
            alone.
        arrange: chooses the thresholds anew, by cost or within budgets.
        seed: of the cut into two halves.
    """
    asked = promise or Promise()
    asked.check(witnesses.queues)
    joined = join_stages(witnesses, asked, seed)
    if outside:
        joined.outside = outside(joined)
    y = witnesses.targets[QUEUE]
    walk = Walk.along(joined.gates, joined.arrays, joined.outside, y)
    ask = witnesses.seen[-1] if callable(witnesses.seen[-1]) else None
    advice = consult(walk, ask, joined, witnesses, seed) if ask else None
    if arrange:
        gates = arrange(joined, walk, advice)
        joined.gates = gates[: len(joined.gates)]
        advice = replace(advice, gate=gates[-1]) if advice else None
        walk = Walk.along(joined.gates, joined.arrays, joined.outside, y)
    if ask and advice:
        walk = advise(walk, ask, advice, joined, witnesses, seed)
    walk = walk.within() if arrange else walk
    settled = settle(walk, joined.fitting, joined.testing, promise, witnesses.queues)
    return Outcome(settled, walk, joined.testing)
