"""Fitting how stages are joined and where they stop, on the gate split alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.metrics import f1_score

from cascade.gate import FLOOR, NEVER, Gate, Gates, join
from cascade.stages.base import QUEUE, Probabilities

FEW = 200
"""Fewer tickets than this left over are too few to fit weights on: all are taken then."""
REGRET = 0.001
"""Macro-F1 on the gate split that settling early may cost against asking every stage."""
ADVISED = 400
"""Most tickets that an adviser is asked about."""
LEAST_SETTLED = 20
"""Fewest tickets of the gate split that a threshold may rest on."""


def fit_weights(
    probabilities: Sequence[NDArray[np.float32]], y: NDArray[np.int64]
) -> tuple[float, ...]:
    """Weights of the log-linear pool that minimise log-loss, each >= 0.

    Args:
        probabilities: one ``(n, k)`` array a stage.
        y: ``(n,)`` true classes; where there are none, all stages weigh the same.
    """
    start = np.full(len(probabilities), 1 / len(probabilities))
    if not len(y):
        return tuple(start.tolist())
    logs = np.stack([np.log(np.maximum(array, FLOOR)) for array in probabilities])
    rows = np.arange(len(y))

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        total = np.tensordot(weights, logs, axes=1)
        log_joined = log_softmax(total, axis=1)
        expected = (logs * np.exp(log_joined)).sum(axis=2)
        gradient = (expected - logs[:, rows, y]).mean(axis=1)
        return float(-log_joined[rows, y].mean()), gradient

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, 20)] * len(logs))
    return tuple(round(float(weight), 6) for weight in found.x)


def choose_threshold(
    confidence: NDArray[np.float32], right: NDArray[np.bool_], target: float
) -> float:
    """The lowest threshold from which on the settled tickets are right often enough.

    Args:
        confidence: ``(n,)`` joined confidence in the best queue.
        right: ``(n,)`` whether it is the right one.
        target: least share of right ones among those at or above the threshold, in (0, 1].

    Returns:
        A confidence; above 1 where none does.
    """
    if not len(confidence):
        return NEVER
    order = np.argsort(-confidence, kind="stable")
    sorted_confidence = confidence[order]
    precision = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    # A threshold takes all tickets of the same confidence or none of them.
    last = np.append(sorted_confidence[1:] != sorted_confidence[:-1], True)
    enough = last & (precision >= target) & (np.arange(1, len(order) + 1) >= LEAST_SETTLED)
    if not enough.any():
        return NEVER
    return float(sorted_confidence[np.flatnonzero(enough)[-1]])


def least_regret_threshold(
    confidence: NDArray[np.float32],
    here: NDArray[np.int64],
    later: NDArray[np.int64],
    y: NDArray[np.int64],
    regret: float = REGRET,
) -> float:
    """The threshold down to which stopping early costs next to no macro-F1.

    Precision alone lets a stage settle rare queues worse than the next stage would. So a gate
    may settle only so much that macro-F1 stays within ``regret`` of asking all later stages.
    Thresholds are tried from the highest down to the first that costs more: on other tickets
    that keeps its word better than the lowest one that happens to fit (0.0007 against 0.0020 of
    macro-F1 at about two thirds settled, in halves of it_service_topics' gate split).

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


Ask = Callable[[NDArray[np.int64], NDArray[np.float32]], tuple[Probabilities, NDArray[np.bool_]]]
"""Asks an adviser about some rows of the gate split, given the joined queue probabilities of all:
its probabilities for all rows, and which rows it answered."""


def fit_gates(
    names: Sequence[str],
    seen: Sequence[Probabilities | Ask],
    targets: dict[str, NDArray[np.int64]],
    *,
    target: float = 0.95,
) -> Gates:
    """Fit all gates, each on the tickets that the gates before it leave open.

    Args:
        names: of the stages, in order.
        seen: each stage's probabilities for all ``n`` tickets of the gate split. Advisers, which
            may cost seconds a ticket, are asked about a sample of what reaches them; they come
            last.
        targets: for each head an ``(n,)`` array of class numbers, -1 where the label is missing.
        target: precision that the tickets settled at each stage should have.
    """
    y = targets[QUEUE]
    known = [s for s in seen if not callable(s)]
    all_weights = fit_weights([s[QUEUE] for s in known], y)
    later = join([s[QUEUE] for s in known], all_weights).argmax(axis=1)
    left = np.arange(len(y))
    so_far: list[Probabilities] = []
    gates: list[Gate] = []
    for number, (stage, answer) in enumerate(zip(names, seen, strict=True), start=1):
        if callable(answer):
            before = join([s[QUEUE] for s in so_far], gates[-1].weights[QUEUE])
            asked = _sample(left, ADVISED)
            said, answered = answer(asked, before)
            so_far.append(said)
            at_hand = asked[answered[asked]]
            rows = at_hand
        else:
            so_far.append(answer)
            at_hand = left
            rows = left if len(left) >= FEW else np.arange(len(y))
        if callable(answer) and len(at_hand) < LEAST_SETTLED:
            # Too few answers to weigh: it says nothing, and settles nothing.
            mute = {head: (*ws, 0.0) for head, ws in gates[-1].weights.items()}
            gates.append(Gate(stage, mute, NEVER))
            continue
        weights = _weights(so_far, rows, targets)
        joined = join([s[QUEUE][at_hand] for s in so_far], weights[QUEUE])
        confidence = joined.max(axis=1)
        right = joined.argmax(axis=1) == y[at_hand]
        threshold = choose_threshold(confidence, right, target)
        if number < len(known) and len(at_hand):
            here = joined.argmax(axis=1)
            limit = least_regret_threshold(confidence, here, later[at_hand], y[at_hand])
            threshold = max(threshold, limit)
        settled = Gate(stage, weights, threshold).settles(confidence)
        coverage = float(settled.mean()) if len(at_hand) else 0.0
        precision = float(right[settled].mean()) if settled.any() else 0.0
        gates.append(Gate(stage, weights, threshold, round(coverage, 4), round(precision, 4)))
        left = np.setdiff1d(left, at_hand[settled])
    return Gates(target, tuple(gates))


def _weights(
    seen: Sequence[Probabilities], rows: NDArray[np.int64], targets: dict[str, NDArray[np.int64]]
) -> dict[str, tuple[float, ...]]:
    weights = {}
    for head, truth in targets.items():
        known = rows[truth[rows] >= 0]
        if not len(known):
            known = np.flatnonzero(truth >= 0)
        weights[head] = fit_weights([s[head][known] for s in seen], truth[known])
    return weights


def _sample(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    drawn = np.random.default_rng(0).permutation(len(rows))[:most]
    return np.asarray(rows[np.sort(drawn)])
