"""Fitting how stages are joined and where they stop, on the gate split alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.metrics import f1_score

from cascade.gate import FLOOR, Gate, Gates, join
from cascade.stages.base import QUEUE, Probabilities

FEW = 200
"""Fewer tickets than this left over are too few to fit weights on: all are taken then."""
NEVER = 1.01
"""A threshold that no confidence reaches."""
REGRET = 0.001
"""Macro-F1 on the gate split that settling early may cost against asking every stage."""
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


def fit_gates(
    names: Sequence[str],
    seen: Sequence[Probabilities],
    targets: dict[str, NDArray[np.int64]],
    *,
    target: float = 0.95,
) -> Gates:
    """Fit all gates, each on the tickets that the gates before it leave open.

    Args:
        names: of the stages, in order.
        seen: each stage's probabilities for all ``n`` tickets of the gate split.
        targets: for each head an ``(n,)`` array of class numbers, -1 where the label is missing.
        target: precision that the tickets settled at each stage should have.
    """
    y = targets[QUEUE]
    all_weights = fit_weights([s[QUEUE] for s in seen], y)
    later = join([s[QUEUE] for s in seen], all_weights).argmax(axis=1)
    left = np.arange(len(y))
    gates = []
    for number, stage in enumerate(names, start=1):
        rows = left if len(left) >= FEW else np.arange(len(y))
        weights = {}
        for head, truth in targets.items():
            known = rows[truth[rows] >= 0]
            if not len(known):
                known = np.flatnonzero(truth >= 0)
            weights[head] = fit_weights([s[head][known] for s in seen[:number]], truth[known])
        joined = join([s[QUEUE][left] for s in seen[:number]], weights[QUEUE])
        confidence = joined.max(axis=1)
        right = joined.argmax(axis=1) == y[left]
        threshold = choose_threshold(confidence, right, target)
        if number < len(names) and len(left):
            here = joined.argmax(axis=1)
            limit = least_regret_threshold(confidence, here, later[left], y[left])
            threshold = max(threshold, limit)
        gate = Gate(stage, weights, threshold)
        settled = gate.settles(confidence)
        coverage = float(settled.mean()) if len(left) else 0.0
        precision = float(right[settled].mean()) if settled.any() else 0.0
        gates.append(Gate(stage, weights, threshold, round(coverage, 4), round(precision, 4)))
        left = left[~settled]
    return Gates(target, tuple(gates))
