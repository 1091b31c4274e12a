"""Two ways to answer the same tickets: what one loses on the other, with its interval."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.measures import RESAMPLES


def drop(
    y: NDArray[np.int64],
    before: NDArray[np.int64],
    after: NDArray[np.int64],
    classes: int,
    seed: int = 0,
) -> dict[str, Any]:
    """Macro-F1 before less that after, and its 95 % interval; above 0 is a loss.

    The interval is that of a paired bootstrap: each of the resamples draws tickets, and takes both
    answers to each (percentile method; Efron and Tibshirani 1993, chapters 13 and 16).

    Args:
        y: ``(n,)`` queues where the tickets belong.
        before, after: ``(n,)`` queues given, -1 for no answer.
        classes: how many queues there are.
    """
    n = len(y)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    weights = np.concatenate([np.ones((1, n)), drawn]).astype(np.float32)
    lost = macro_f1s(y, before, classes, weights) - macro_f1s(y, after, classes, weights)
    low, high = np.percentile(lost[1:], [2.5, 97.5])
    return {
        "drop": round(float(lost[0]), 4),
        "drop_95": [round(float(low), 4), round(float(high), 4)],
    }


def macro_f1s(
    y: NDArray[np.int64],
    guess: NDArray[np.int64],
    classes: int,
    weights: NDArray[np.float32],
) -> NDArray[np.float64]:
    """``(m,)`` macro-F1 of the same ``n`` answers, counted with each row of ``(m, n)`` weights.

    As `train.measures.macro_f1` has it: the mean over the queues that occur in either.
    """
    true, given = _one_hot(y, classes), _one_hot(guess, classes)
    hits = (weights @ (true * given)).astype(np.float64)
    total = (weights @ (true + given)).astype(np.float64)
    occurs = total > 0
    f1 = 2 * hits / np.maximum(total, 1)
    return np.asarray(f1.sum(axis=1) / np.maximum(occurs.sum(axis=1), 1))


def _one_hot(numbers: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """``(n, classes)``; a row of zeros for -1."""
    return np.asarray(numbers[:, None] == np.arange(classes), dtype=np.float32)
