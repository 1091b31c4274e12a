"""Fitting how stages are joined and where they stop, on the gate split alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from scipy.stats import chi2
from sklearn.metrics import f1_score

from cascade.gate import FLOOR, NEVER, Gate, Gates, join
from cascade.stages.base import QUEUE, Probabilities

FEW = 200
"""Fewer tickets than this left over are too few to fit weights on: all are taken then."""
REGRET = 0.0005
"""Macro-F1 on the gate split that settling early may cost against asking every stage."""
ADVISED = 400
"""Most tickets that an adviser is asked about."""
SURE = 0.95
"""How sure it must be that an adviser helps at all, before it is listened to."""
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
    return _least_loss(probabilities, y, start)[0]


def _least_loss(
    probabilities: Sequence[NDArray[np.float32]],
    y: NDArray[np.int64],
    start: NDArray[np.float64],
) -> tuple[tuple[float, ...], float]:
    """The weights of least log-loss, and that loss, a mean over the rows."""
    logs = np.stack([np.log(np.maximum(array, FLOOR)) for array in probabilities])
    rows = np.arange(len(y))

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        total = np.tensordot(weights, logs, axes=1)
        log_joined = log_softmax(total, axis=1)
        expected = (logs * np.exp(log_joined)).sum(axis=2)
        gradient = (expected - logs[:, rows, y]).mean(axis=1)
        return float(-log_joined[rows, y].mean()), gradient

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, 20)] * len(logs))
    return tuple(round(float(weight), 6) for weight in found.x), float(found.fun)


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


Ask = Callable[[NDArray[np.int64], NDArray[np.float32]], tuple[NDArray[np.float32], list[bool]]]
"""Asks an adviser about ``m`` rows of the gate split, given their joined queue probabilities: its
own, ``(m, k)``, and which of the rows it answered."""


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
            gates.append(_advised(stage, answer, so_far, gates[-1].weights, left, y, target))
            continue
        so_far.append(answer)
        rows = left if len(left) >= FEW else np.arange(len(y))
        weights = _weights(so_far, rows, targets)
        joined = join([s[QUEUE][left] for s in so_far], weights[QUEUE])
        confidence = joined.max(axis=1)
        right = joined.argmax(axis=1) == y[left]
        threshold = choose_threshold(confidence, right, target)
        if number < len(known) and len(left):
            here = joined.argmax(axis=1)
            limit = least_regret_threshold(confidence, here, later[left], y[left])
            threshold = max(threshold, limit)
        gates.append(_gate(stage, weights, threshold, confidence, right, len(left)))
        left = left[~gates[-1].settles(confidence)]
    return Gates(target, tuple(gates))


def _advised(
    stage: str,
    ask: Ask,
    so_far: Sequence[Probabilities],
    before: Mapping[str, tuple[float, ...]],
    left: NDArray[np.int64],
    y: NDArray[np.int64],
    target: float,
) -> Gate:
    """The gate of an adviser, fitted on what it answers of a sample of ``left``.

    Its answer is weighed against all earlier stages joined, so two numbers are fitted, not one a
    stage: answers may be few. They are listened to where they lower the log-loss by more than
    chance would (likelihood ratio test, Wilks 1938). Else the stage says and settles nothing.

    Args:
        so_far: probabilities of the earlier stages, for all rows.
        before: the weights with which they were joined last.
    """
    mute = Gate(stage, {head: (*its, 0.0) for head, its in before.items()}, NEVER)
    asked = _sample(left, ADVISED)
    joined = join([s[QUEUE][asked] for s in so_far], before[QUEUE])
    said, answered = ask(asked, joined)
    mine, others, truth = said[answered], joined[answered], y[asked][answered]
    if len(truth) < LEAST_SETTLED:
        return mute
    start = np.ones(2)
    _, without = _least_loss([others], truth, start[:1])
    (sharpness, weight), together = _least_loss([others, mine], truth, start)
    if not weight or 2 * len(truth) * (without - together) < chi2.ppf(SURE, df=1):
        return mute
    # Of the other heads an adviser says nothing.
    weights = dict(mute.weights)
    weights[QUEUE] = (*(round(sharpness * its, 6) for its in before[QUEUE]), weight)
    witnesses = [s[QUEUE][asked][answered] for s in so_far]
    both = join([*witnesses, mine], weights[QUEUE])
    right = both.argmax(axis=1) == truth
    threshold = choose_threshold(both.max(axis=1), right, target)
    return _gate(stage, weights, threshold, both.max(axis=1), right, len(asked))


def _gate(
    stage: str,
    weights: Mapping[str, tuple[float, ...]],
    threshold: float,
    confidence: NDArray[np.float32],
    right: NDArray[np.bool_],
    reached: int,
) -> Gate:
    """A gate with its coverage of all that reached it, and its precision."""
    settled = Gate(stage, weights, threshold).settles(confidence)
    coverage = float(settled.sum()) / max(reached, 1)
    precision = float(right[settled].mean()) if settled.any() else 0.0
    return Gate(stage, weights, threshold, round(coverage, 4), round(precision, 4))


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
