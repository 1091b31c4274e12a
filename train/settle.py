"""What is settled: the promise, kept on the half of the gate split that fitted nothing.

Where a ticket stops is fixed by then. So each ticket has one stage, one queue and one confidence,
and a promise is about a group of tickets that is known beforehand: all of them, those of a stage,
or those of a queue. Each group has a threshold of its own, and shares the doubt that is allowed
with the others (Bonferroni), so that all promises hold together.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.gate import NEVER, Gates
from train.promise import Kept, Promise, Stopped, keep, likely
from train.walk import Walk

STEPS = (-0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03)
"""What more and less than the target would cost is shown for these."""

Group = tuple[str, str]
"""The stage and the queue that the tickets of a group have in common, empty for any."""


def settle(
    walk: Walk,
    fitting: NDArray[np.int64],
    testing: NDArray[np.int64],
    promise: Promise | None,
    queues: tuple[str, ...],
    *,
    curve: bool = True,
) -> Gates:
    """The gates with thresholds that keep the promise, and the plan for people.

    Args:
        fitting, testing: rows of the two halves.
        promise: None to settle all that is fit to be settled.
        queues: their names.
        curve: also tell what other targets would settle.
    """
    floors = np.asarray([gate.settle for gate in walk.gates]) if walk.held else None
    groups = _Groups(walk, fitting, testing, promise or Promise(), queues)
    kept = groups.keep(promise) if promise else {}

    def at_least(outcome: dict[Group, Kept]) -> NDArray[np.float64]:
        """``(stages, k)`` thresholds."""
        settles = groups.thresholds(outcome)
        return settles if floors is None else np.maximum(floors, settles)

    settles = at_least(kept) if promise or floors is None else floors
    gates = tuple(
        replace(gate, settle=tuple(map(float, its)))
        for gate, its in zip(walk.gates, settles, strict=True)
    )
    totals = _totals(walk, testing, settles)
    plan: dict[str, Any] = {
        "tickets": {"fitting": len(fitting), "testing": len(testing)},
        **totals,
        "stages": _stages(walk, testing, settles),
    }
    if promise:
        plan["promise"] = {**asdict(promise), "queues": dict(promise.queues)}
        plan["groups"] = [
            {"of": groups.name(group), "target": promise.of(group[1]), **asdict(its)}
            for group, its in kept.items()
        ]
    if promise and curve:
        plan["curve"] = [
            {"target": target, **_totals(walk, testing, at_least(groups.keep(other)))}
            for target, other in _around(promise)
        ]
    return Gates(gates, plan)


class _Groups:
    """The groups of tickets that a promise speaks of, and their tickets in both halves."""

    def __init__(
        self,
        walk: Walk,
        fitting: NDArray[np.int64],
        testing: NDArray[np.int64],
        promise: Promise,
        queues: tuple[str, ...],
    ) -> None:
        self._names, self._queues = [gate.stage for gate in walk.gates], queues
        last = len(self._names) - 1
        # Where an adviser was asked about some tickets only, they stand for those of its own.
        apart = {last} if not walk.known[testing].all() else set()
        self._group = [
            [
                (
                    self._names[at] if promise.per == "stage" or at in apart else "",
                    queue if promise.per == "queue" or queue in promise.queues else "",
                )
                for queue in queues
            ]
            for at in range(len(self._names))
        ]
        self.parts: dict[Group, tuple[Stopped, Stopped]] = {}
        best, confidence, right = walk.best, walk.confidence, walk.right
        every = dict.fromkeys(group for row in self._group for group in row)
        for group in every:
            its = np.asarray([[g == group for g in row] for row in self._group])
            member = its[walk.stage, best] & walk.fit & walk.known
            parts = [
                Stopped(confidence[rows], right[rows], len(half))
                for half in (fitting, testing)
                for rows in [half[member[half]]]
            ]
            self.parts[group] = (parts[0], parts[1])

    def keep(self, promise: Promise) -> dict[Group, Kept]:
        """The outcome for each group that has tickets.

        Groups without a chance are told from the fitting half, and leave all of the doubt to the
        others.
        """
        some = {group: its for group, its in self.parts.items() if len(its[0].right)}
        hopeful = [
            group
            for group, (before, tested) in some.items()
            if likely(before, tested.tickets, promise.of(group[1]), promise.confidence)
        ]
        confidence = 1 - (1 - promise.confidence) / max(len(hopeful), 1)
        out = {}
        for group, (before, tested) in some.items():
            kept = keep(before, tested, promise.of(group[1]), confidence)
            if group not in hopeful:
                kept = Kept(NEVER, needs=kept.needs)
            out[group] = kept
        return out

    def thresholds(self, kept: dict[Group, Kept]) -> NDArray[np.float64]:
        """``(stages, k)`` least confidence that is settled."""
        return np.asarray(
            [[kept[g].threshold if g in kept else NEVER for g in row] for row in self._group]
        )

    def name(self, group: Group) -> str:
        """A group in words."""
        return " ".join(part for part in group if part) or "all"


def _around(promise: Promise) -> list[tuple[float, Promise]]:
    """The promise with a few points more and less."""
    steps = [round(promise.target + step, 4) for step in STEPS]
    return [(t, replace(promise, target=t, queues={})) for t in steps if 0.5 <= t < 1]


def _weights(walk: Walk, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """``(m,)``: tickets that an adviser was asked about stand for those that it was not."""
    weights = walk.known[rows].astype(np.float64)
    last = walk.stage[rows] == len(walk.gates) - 1
    if (weights[last] == 0).any() and (weights[last] == 1).any():
        weights[last] *= last.sum() / weights[last].sum()
    return weights


def _totals(walk: Walk, rows: NDArray[np.int64], settles: NDArray[np.float64]) -> dict[str, float]:
    """Share of the tickets that is settled, and share of these that is right."""
    settled, weights = walk.settled(settles)[rows], _weights(walk, rows)
    right = float((weights * walk.right[rows])[settled].sum())
    return {
        "coverage": _share(weights[settled].sum(), weights.sum()),
        "precision": _share(right, weights[settled].sum()),
    }


def _stages(
    walk: Walk, rows: NDArray[np.int64], settles: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """What reaches each stage that is asked, what it settles of all, and how much is right."""
    settled, weights = walk.settled(settles)[rows], _weights(walk, rows)
    stage, right = walk.stage[rows], walk.right[rows]
    out = []
    for at, (gate, asked) in enumerate(
        zip(walk.gates, Gates(tuple(walk.gates)).asked, strict=True)
    ):
        here = settled & (stage == at)
        out.append(
            {
                "stage": gate.stage,
                "reached": _share(weights[stage >= at].sum(), weights.sum()) if asked else 0.0,
                "settled": _share(weights[here].sum(), weights.sum()),
                "right": _share((weights * right)[here].sum(), weights[here].sum()),
            }
        )
    return out


def _share(part: float, whole: float) -> float:
    return round(float(part) / float(whole), 4) if whole else 0.0
