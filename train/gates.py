"""Fitting the gates: how stages are joined, where a ticket stops, and what is settled.

The gate split, which trained no stage, is cut in two. The first half fixes how the stages are
joined and from which confidence on a ticket stops (`Gate.stop`): where a further stage would not
pay. The cascade is then one classifier that names a queue and how sure it is, and the other half,
on which nothing was chosen, tells from which confidence on its answers are acted on
(`Gate.settle`), so that the promise holds: see `train.settle` and `train.promise`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2
from sklearn.metrics import f1_score

from cascade.gate import NEVER, Gate, Gates, Join
from cascade.stages.base import QUEUE, Probabilities
from train.joining import fit_join, mean_loss
from train.promise import Promise, Stopped, keep
from train.settle import Walk, settle

FEW = 200
"""Fewer tickets than this left over are too few to fit weights on: all are taken then."""
REGRET = 0.0005
"""Macro-F1 on the fitting half that settling early may cost against asking every stage."""
ADVISED = 200
"""Most tickets of either half that an adviser is asked about."""
SURE = 0.95
"""How sure it must be that an adviser helps at all, before it is listened to."""
LEAST_ANSWERS = 20
"""Fewest answers of an adviser that its weight may rest on."""

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


Arrange = Callable[[Joined], list[Gate]]
"""Gives the gates other thresholds, by looking at the fitting half alone."""


def fit_gates(
    witnesses: Witnesses,
    promise: Promise,
    *,
    outside: Callable[[Joined], list[NDArray[np.bool_] | None]] | None = None,
    arrange: Arrange | None = None,
    seed: int = 0,
) -> Gates:
    """Fit all gates.

    Args:
        promise: what is asked of the settled tickets.
        outside: tells which tickets seem to belong to no queue, by looking at the fitting half
            alone.
        arrange: chooses the thresholds for stopping anew, say by cost.
        seed: of the cut into two halves.
    """
    promise.check(witnesses.queues)
    joined = join_stages(witnesses, promise, seed)
    if outside:
        joined.outside = outside(joined)
    if arrange:
        joined.gates = arrange(joined)
    y = witnesses.targets[QUEUE]
    walk = Walk.along(joined.gates, joined.arrays, joined.outside, y)
    if callable(ask := witnesses.seen[-1]):
        walk = _advise(walk, witnesses.names[-1], ask, joined, witnesses, seed)
    return settle(walk, joined.fitting, joined.testing, promise, witnesses.queues)


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
    least = f1_score(y, later, average="macro") - regret
    lowest = NEVER
    for threshold in np.unique(np.quantile(confidence, np.linspace(0, 1, 201)))[::-1]:
        mixed = np.where(confidence >= threshold, here, later)
        if f1_score(y, mixed, average="macro") < least:
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


def _advise(
    walk: Walk, name: str, ask: Ask, joined: Joined, witnesses: Witnesses, seed: int
) -> Walk:
    """The walk with an adviser at its end, who is asked about some of the tickets left over."""
    y, before = witnesses.targets[QUEUE], walk.gates[-1]
    fitting, testing = (
        _sample(np.intersect1d(walk.left(), half), witnesses.most, seed)
        for half in (joined.fitting, joined.testing)
    )
    said, answered = _answers(ask, fitting, walk)
    weights = _listen(said[answered], walk.joined[fitting[answered]], y[fitting[answered]])
    gate = _advised(name, before, weights, len(witnesses.queues))
    if not weights[1]:
        return walk.then(gate)
    more, also = _answers(ask, testing, walk)
    asked, said = np.concatenate([fitting, testing]), np.concatenate([said, more])
    known = [seen[QUEUE][asked] for seen in witnesses.seen if not callable(seen)]
    both = gate.joins[QUEUE]([*known, said])
    return walk.then(gate, asked, np.concatenate([answered, also]), both)


def _answers(
    ask: Ask, rows: NDArray[np.int64], walk: Walk
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    said, answered = ask(rows, walk.joined[rows])
    return said, np.asarray(answered, dtype=np.bool_)


def _listen(
    mine: NDArray[np.float32], others: NDArray[np.float32], truth: NDArray[np.int64]
) -> tuple[float, float]:
    """Weights of all earlier stages joined, and of an adviser; 1 and 0 where it is not heard.

    Its answer is weighed against all earlier stages joined, so two numbers are fitted, not one a
    stage: answers may be few. They are listened to where they lower the log-loss by more than
    chance would (likelihood ratio test, Wilks 1938).

    Args:
        mine, others: ``(m, k)`` queue probabilities of the tickets that it answered.
        truth: ``(m,)`` true queues.
    """
    if len(truth) < LEAST_ANSWERS:
        return 1.0, 0.0
    _, without = mean_loss([others], truth)
    (sharpness, weight), together = mean_loss([others, mine], truth)
    if 2 * len(truth) * (without - together) < chi2.ppf(SURE, df=1):
        return 1.0, 0.0
    return sharpness, weight


def _advised(name: str, before: Gate, weights: tuple[float, float], queues: int) -> Gate:
    """The gate of an adviser behind the gate before it. Of other heads it says nothing."""
    sharpness, weight = weights
    joins = {head: replace(its, weights=(*its.weights, 0.0)) for head, its in before.joins.items()}
    pool = before.joins[QUEUE]
    joins[QUEUE] = Join(
        (*(round(sharpness * its, 6) for its in pool.weights), weight),
        tuple(round(sharpness * its, 6) for its in pool.bias),
    )
    return Gate.even(name, joins, NEVER, queues)


def _sample(rows: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    drawn = np.random.default_rng(seed).permutation(len(rows))[:most]
    return np.asarray(rows[np.sort(drawn)])
