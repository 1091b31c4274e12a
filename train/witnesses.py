"""What the gates are fitted on: what the stages say of tickets that trained none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cascade.gate import NEVER, Gate, Join
from cascade.stages.base import QUEUE, Probabilities
from train.joining import fit_join
from train.measures import macro_f1
from train.promise import Promise, Stopped, keep

FEW = 200
"""Fewer tickets than this left over are too few to fit weights on: all are taken then."""
REGRET = 0.0005
"""Macro-F1 on the fitting half that settling early may cost against asking every stage."""
ADVISED = 400
"""Most tickets of either half that an adviser is asked about."""

Ask = Callable[[NDArray[np.int64], NDArray[np.float32]], tuple[NDArray[np.float32], list[bool]]]
"""Asks an adviser about ``m`` rows of the gate split, given their joined queue probabilities: its
own, ``(m, k)``, and which of the rows it answered."""


@dataclass(slots=True)
class Witnesses:
    """What the stages say of the ``n`` tickets of the gate split.

    Attributes:
        names: of the stages, in order.
        seen: each stage's probabilities for all tickets, or for an adviser, which may cost
            seconds a ticket, a way to ask it about some. There is one at most, the last stage.
        targets: for each head an ``(n,)`` array of class numbers, -1 where the label is missing
            or, for the queue, where the ticket belongs to none.
        queues: their names.
        most: tickets of either half that an adviser is asked about at most.
    """

    names: Sequence[str]
    seen: Sequence[Probabilities | Ask]
    targets: Mapping[str, NDArray[np.int64]]
    queues: tuple[str, ...]
    most: int = ADVISED


@dataclass(slots=True)
class Joined:
    """The stages joined, with gates that stop tickets and settle what they stop.

    Attributes:
        gates: one a stage that is no adviser.
        arrays: for each of them ``(n, k)``: the queue probabilities of the stages up to it.
        outside: for each of them ``(n,)``: tickets that seem to belong to no queue; None where a
            stage cannot tell.
        fitting, testing: rows of the two halves.
    """

    gates: list[Gate]
    arrays: list[NDArray[np.float32]]
    fitting: NDArray[np.int64]
    testing: NDArray[np.int64]
    outside: list[NDArray[np.bool_] | None] = field(default_factory=list)


def join_stages(witnesses: Witnesses, promise: Promise, seed: int = 0) -> Joined:
    """Join all stages but the advisers, each fitted on the tickets that reach it."""
    y = witnesses.targets[QUEUE]
    known = [seen for seen in witnesses.seen if not callable(seen)]
    fitting, testing = halves(len(y), seed)
    fitting = fitting[y[fitting] >= 0]
    out = Joined([], [], fitting, testing, [None] * len(known))
    every = fit_join([s[QUEUE][fitting] for s in known], y[fitting], seed)
    later = every([s[QUEUE] for s in known]).argmax(axis=1)
    left = fitting
    for number, stage in enumerate(witnesses.names[: len(known)], start=1):
        so_far = known[:number]
        rows = left if len(left) >= FEW else fitting
        joins = {
            head: _join([s[head] for s in so_far], truth, rows, seed)
            for head, truth in witnesses.targets.items()
        }
        array = joins[QUEUE]([s[QUEUE] for s in so_far])
        confidence, best = array.max(axis=1), array.argmax(axis=1)
        stop = _stops(
            Stopped(confidence[left], best[left] == y[left], len(fitting)),
            best[left],
            promise,
            witnesses.queues,
        )
        if number < len(known) and len(left):
            floor = least_regret_threshold(confidence[left], best[left], later[left], y[left])
            stop = np.maximum(stop, floor)
        thresholds = tuple(map(float, stop))
        out.gates.append(Gate(stage, joins, thresholds, thresholds))
        out.arrays.append(array)
        left = left[~out.gates[-1].stops(confidence[left], best[left])]
    return out


def halves(n: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two halves of ``n`` rows: the one to fit on, and the other to test promises on."""
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def least_regret_threshold(
    confidence: NDArray[np.float32],
    here: NDArray[np.int64],
    later: NDArray[np.int64],
    y: NDArray[np.int64],
    regret: float = REGRET,
) -> float:
    """The threshold down to which stopping early costs next to no macro-F1.

    Precision alone lets a stage settle rare queues worse than the next stage would. So a gate
    may stop only so much that macro-F1 stays within ``regret`` of asking all later stages.
    Thresholds are tried from the highest down to the first that costs more. On other tickets that
    keeps its word better than the lowest one that happens to fit: with 0.001 allowed it lost
    0.0007 of macro-F1 and settled 64 %, where the lowest lost 0.0020 and settled 67 % (fitted on
    two thirds of it_service_topics' gate split, tried on the rest, twelve times).

    Args:
        confidence: ``(n,)`` joined confidence at this stage.
        here, later: ``(n,)`` the best queue at this stage, and with all stages joined.
        y: ``(n,)`` true queues.
    """
    classes = int(max(y.max(), here.max(), later.max())) + 1
    least = macro_f1(y, later, classes) - regret
    lowest = NEVER
    for threshold in np.unique(np.quantile(confidence, np.linspace(0, 1, 201)))[::-1]:
        mixed = np.where(confidence >= threshold, here, later)
        if macro_f1(y, mixed, classes) < least:
            break
        lowest = float(threshold)
    return lowest


def _join(
    seen: Sequence[NDArray[np.float32]],
    truth: NDArray[np.int64],
    rows: NDArray[np.int64],
    seed: int,
) -> Join:
    known = rows[truth[rows] >= 0]
    return fit_join([array[known] for array in seen], truth[known], seed)


def _stops(
    tickets: Stopped, best: NDArray[np.int64], promise: Promise, queues: tuple[str, ...]
) -> NDArray[np.float64]:
    """``(k,)``: from where on the fitting half alone would keep each queue's target."""
    targets = promise.targets(queues)
    stop = np.full(len(queues), NEVER)
    for target in np.unique(targets):
        its = np.flatnonzero(targets == target)
        these = tickets.where(np.isin(best, its))
        stop[its] = keep(these, these, float(target), promise.confidence).threshold
    return stop
