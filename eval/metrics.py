"""How good confidences are: calibration, selective prediction, and telling outsiders apart.

A confidence is what a classifier gives its best class. All figures are independent of the order
of the tickets; where tickets share a confidence, they count as a group, as a threshold takes all
of them or none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Bins:
    """Tickets in bins of (nearly) the same number, by confidence; empty bins are left out.

    Attributes:
        confidence: ``(b,)`` its mean in each bin.
        accuracy: ``(b,)`` share of right ones.
        counts: ``(b,)`` tickets.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """``(b,)`` share of all tickets."""
        return np.asarray(self.counts / self.counts.sum())


def reliability(confidence: Floats, right: Bools, bins: int = BINS) -> Bins:
    """Confidence against accuracy in bins of equal mass (Nguyen and O'Connor 2015, section 3).

    Bins of equal width would leave most tickets in the last one and single ones in others.

    Args:
        confidence: ``(n,)``, n >= 1.
        right: ``(n,)`` whether the best class is the true one.
    """
    confidence = np.asarray(confidence, dtype=np.float64)
    edges = np.quantile(confidence, np.linspace(0, 1, bins + 1)[1:-1])
    number = np.searchsorted(edges, confidence)
    counts = np.bincount(number, minlength=bins)
    filled = counts > 0
    means = [
        np.bincount(number, weights=values, minlength=bins)[filled] / counts[filled]
        for values in (confidence, right.astype(np.float64))
    ]
    return Bins(means[0], means[1], counts[filled])


def expected_calibration_error(confidence: Floats, right: Bools, bins: int = BINS) -> float:
    """ECE: mean distance of accuracy from confidence (Guo et al. 2017, equation 3), in [0, 1].

    In bins of equal mass. Noise alone makes it positive, the more so the fewer tickets a bin has:
    see `debiased_calibration_error`.
    """
    its = reliability(confidence, right, bins)
    return float(its.shares @ np.abs(its.confidence - its.accuracy))


def debiased_calibration_error(confidence: Floats, right: Bools, bins: int = BINS) -> float:
    """Root mean squared calibration error without what noise adds to it, in [0, 1].

    From the squared distance of each bin its accuracy's variance is taken (Bröcker 2012; Ferro
    and Fricker 2012; for classifiers Kumar, Liang and Ma 2019), so that it is about 0 for a
    calibrated classifier however few tickets there are. A bin of one ticket, whose variance is
    unknown, is left out.
    """
    its = reliability(confidence, right, bins)
    several = its.counts > 1
    distance, accuracy = (its.confidence - its.accuracy)[several], its.accuracy[several]
    noise = accuracy * (1 - accuracy) / (its.counts[several] - 1)
    squared = float(its.shares[several] @ (distance**2 - noise))
    return math.sqrt(max(squared, 0.0))


def brier(probabilities: NDArray[np.float32], y: NDArray[np.int64]) -> float:
    """Brier score: squared distance from certainty in the true class, in [0, 2] (Brier 1950).

    Args:
        probabilities: ``(n, k)``, rows summing to 1.
        y: ``(n,)`` true classes.
    """
    distance = np.asarray(probabilities, dtype=np.float64).copy()
    distance[np.arange(len(y)), y] -= 1
    return float((distance**2).sum(axis=1).mean())


@dataclass(frozen=True, slots=True)
class Curve:
    """What a threshold on confidence buys, from the highest threshold to the lowest.

    Attributes:
        threshold: ``(m,)`` each confidence that occurs, falling.
        coverage: ``(m,)`` share of tickets at or above it.
        risk: ``(m,)`` share of wrong ones among those.
    """

    threshold: NDArray[np.float64]
    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]


def risk_coverage(confidence: Floats, right: Bools) -> Curve:
    """The risk-coverage curve (El-Yaniv and Wiener 2010) of ``(n,)`` tickets, n >= 1."""
    values, wrong, counts = _by_confidence(confidence, right)
    covered = np.cumsum(counts)
    return Curve(values, covered / covered[-1], np.cumsum(wrong) / covered)


def aurc(confidence: Floats, right: Bools) -> float:
    """Area under the risk-coverage curve: its mean risk over all coverages, in [0, 1].

    As Geifman, Uziel and El-Yaniv (2019) sum it, ticket by ticket; within tickets of the same
    confidence, the mean over their orders.
    """
    _, wrong, counts = _by_confidence(confidence, right)
    return _mean_risk(np.repeat(wrong / counts, counts))


def excess_aurc(confidence: Floats, right: Bools) -> float:
    """AURC over that of an ideal order, all right ones first: how badly confidence sorts.

    E-AURC of Geifman, Uziel and El-Yaniv (2019), with the ideal's exact area, not their
    approximation of it. In [0, 1], 0 where each right ticket is surer than each wrong one.
    """
    ideal = _mean_risk(np.sort(~right).astype(np.float64))
    return aurc(confidence, right) - ideal


def coverage_at(precision: float, confidence: Floats, right: Bools) -> float:
    """Greatest share of tickets that a threshold settles with at least that precision.

    Read off the curve, so it is what hindsight could have had, and no promise.
    """
    curve = risk_coverage(confidence, right)
    enough = 1 - curve.risk >= precision
    return float(curve.coverage[enough].max(initial=0.0))


def auroc(inside: Floats, outside: Floats) -> float:
    """How often an insider scores higher than an outsider; a tie counts half.

    The area under the ROC curve as Mann and Whitney's U (Fawcett 2006, section 7), in [0, 1]; 0.5
    for scores that tell nothing.

    Args:
        inside: ``(n,)`` scores of what belongs, higher meaning more so, n >= 1.
        outside: ``(m,)`` scores of what does not, m >= 1.
    """
    ordered = np.sort(outside)
    below = np.searchsorted(ordered, inside, side="left")
    tied = np.searchsorted(ordered, inside, side="right") - below
    return float((below + tied / 2).mean() / len(ordered))


def recall_at_retention(inside: Floats, outside: Floats, retention: float = 0.95) -> float:
    """Share of outsiders found by the highest threshold that keeps so many insiders, in [0, 1].

    1 less the false positive rate at 95 % true positive rate (Liang, Li and Srikant 2018).

    Args:
        inside, outside: as of `auroc`; a score at the threshold is kept.
        retention: least share of insiders kept, in (0, 1].
    """
    falling = np.sort(inside)[::-1]
    # The share is compared as a number of tickets; 0.95 x 20 is 19, not a little more.
    kept = max(math.ceil(round(retention * len(falling), 9)), 1)
    return float((np.asarray(outside) < falling[kept - 1]).mean())


def _by_confidence(
    confidence: Floats, right: Bools
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Each confidence that occurs, falling, with its number of wrong tickets and of all."""
    values, group, counts = np.unique(
        np.asarray(confidence, dtype=np.float64), return_inverse=True, return_counts=True
    )
    wrong = np.bincount(group, weights=(~right).astype(np.float64)).astype(np.float64)
    return values[::-1], wrong[::-1], counts[::-1]


def _mean_risk(wrong: NDArray[np.float64]) -> float:
    """Mean over all coverages of the risk, given how wrong each ticket is, the surest first."""
    return float((np.cumsum(wrong) / np.arange(1, len(wrong) + 1)).mean())
