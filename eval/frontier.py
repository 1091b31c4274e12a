"""The cascade's whole frontier: what each threshold on confidence leaves to people, and buys."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from eval.metrics import Floats
from train.measures import macro_f1

LEAST = 0.2
"""Share that is answered at least: of fewer, whole queues are missing, and macro-F1 jumps."""


class Frontier(TypedDict):
    """One number a threshold in each list, from none left to people to most of them.

    Attributes:
        threshold: on confidence; tickets below it go to people.
        review: share of tickets that do.
        macro_f1: of those answered.
        right: share right of those answered.
    """

    threshold: list[float]
    review: list[float]
    macro_f1: list[float]
    right: list[float]


def frontier(
    confidence: Floats,
    guess: NDArray[np.int64],
    y: NDArray[np.int64],
    classes: int,
    points: int = 50,
) -> Frontier:
    """Quality of what is answered, at thresholds that leave evenly spaced shares to people.

    Args:
        confidence: ``(n,)`` in the best queue, n >= 1.
        guess, y: ``(n,)`` best and true queues.
        classes: number of queues.
        points: most thresholds.
    """
    quantiles = np.quantile(confidence, np.linspace(0, 1 - LEAST, points), method="lower")
    out: Frontier = {"threshold": [], "review": [], "macro_f1": [], "right": []}
    for threshold in np.unique(quantiles):
        answered = confidence >= threshold
        out["threshold"].append(round(float(threshold), 4))
        out["review"].append(round(float(1 - answered.mean()), 4))
        out["macro_f1"].append(round(macro_f1(y[answered], guess[answered], classes), 4))
        out["right"].append(round(float((y == guess)[answered].mean()), 4))
    return out
