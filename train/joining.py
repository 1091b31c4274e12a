"""Fitting how the stages' probabilities are joined, on tickets that no stage was trained on.

Each choice that makes the pool richer, a witness more or a bias a class, has to earn its place:
it is taken where it lowers the log-loss on tickets left out (cross-validation) by more than one
standard error. Else the witness gets weight 0 and is not listened to.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from cascade.gate import FLOOR, Join

FOLDS = 5
WIDEST = 20.0
"""Largest weight that is tried."""
Witnesses = Sequence[NDArray[np.float32]]


def fit_join(witnesses: Witnesses, y: NDArray[np.int64], seed: int = 0) -> Join:
    """How to join the witnesses, the last of them the newcomer.

    Args:
        witnesses: one ``(n, k)`` array a stage, in order.
        y: ``(n,)`` true classes; with fewer than `FOLDS` all stages weigh the same.

    Returns:
        Weights that minimise log-loss, each >= 0; 0 for a newcomer who does not help. A bias a
        class (bias-corrected temperature scaling, Alexandari et al. 2020) where that helps.
    """
    count = len(witnesses)
    if len(y) < FOLDS:
        return Join((1 / count,) * count)
    logs = _logs(witnesses)
    heard = np.ones(count, dtype=np.bool_)
    if count > 1:
        heard[-1] = False
        gain = _losses(logs[:-1], y, False, seed) - _losses(logs, y, False, seed)
        heard[-1] = _sure(gain)
    plain = _losses(logs[heard], y, False, seed)
    with_bias = _sure(plain - _losses(logs[heard], y, True, seed))
    some, bias, _ = least_loss(logs[heard], y, with_bias)
    weights = np.zeros(count)
    weights[heard] = some
    return Join(_rounded(weights), _rounded(bias) if with_bias else ())


def fit_weights(witnesses: Witnesses, y: NDArray[np.int64]) -> tuple[float, ...]:
    """Weights of all witnesses, whether they help or not, that minimise log-loss; each >= 0."""
    if not len(y):
        return (1 / len(witnesses),) * len(witnesses)
    return _rounded(least_loss(_logs(witnesses), y, False)[0])


def mean_loss(witnesses: Witnesses, y: NDArray[np.int64]) -> tuple[tuple[float, ...], float]:
    """The weights of least log-loss, and that loss, a mean over the ``(n,)`` rows."""
    weights, _, loss = least_loss(_logs(witnesses), y, False)
    return _rounded(weights), loss


def least_loss(
    logs: NDArray[np.float64], y: NDArray[np.int64], with_bias: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Weights ``(stages,)``, bias ``(k,)`` and the least mean log-loss of the pool.

    Args:
        logs: ``(stages, n, k)`` log-probabilities.
        with_bias: else it is zero.

    A normal prior of unit width, about equal weights and no bias, holds both back where rows are
    few; of a thousand rows it is not felt.
    """
    stages, n, k = logs.shape
    rows = np.arange(n)
    shares = np.bincount(y, minlength=k) / n

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights, bias = point[:stages], point[stages:]
        total = np.tensordot(weights, logs, axes=1) + (bias if with_bias else 0)
        log_joined = log_softmax(total, axis=1)
        joined = np.exp(log_joined)
        gradient = ((logs * joined).sum(axis=2) - logs[:, rows, y]).mean(axis=1)
        off = weights - 1 / stages
        value = -log_joined[rows, y].mean() + (off @ off) / (2 * n)
        gradient += off / n
        if with_bias:
            value += (bias @ bias) / (2 * n)
            gradient = np.concatenate([gradient, joined.mean(axis=0) - shares + bias / n])
        return float(value), gradient

    start = np.concatenate([np.full(stages, 1 / stages), np.zeros(k if with_bias else 0)])
    bounds = [(0.0, WIDEST)] * stages + [(-WIDEST, WIDEST)] * (len(start) - stages)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    bias = found.x[stages:] if with_bias else np.zeros(k)
    off = found.x[:stages] - 1 / stages
    loss_alone = float(found.fun) - float(off @ off + bias @ bias) / (2 * n)
    return found.x[:stages], bias, loss_alone


def _losses(
    logs: NDArray[np.float64], y: NDArray[np.int64], with_bias: bool, seed: int
) -> NDArray[np.float64]:
    """``(n,)`` log-loss of each row in the pool that was fitted without its fold."""
    out = np.empty(len(y))
    fold = np.random.default_rng(seed).permutation(len(y)) % FOLDS
    for number in range(FOLDS):
        held = np.flatnonzero(fold == number)
        weights, bias, _ = least_loss(logs[:, fold != number], y[fold != number], with_bias)
        joined = log_softmax(np.tensordot(weights, logs[:, held], axes=1) + bias, axis=1)
        out[held] = -joined[np.arange(len(held)), y[held]]
    return out


def _sure(gain: NDArray[np.float64]) -> bool:
    """Whether the mean of paired gains is above zero by more than its standard error."""
    return bool(gain.mean() > max(gain.std() / np.sqrt(len(gain)), 1e-4))


def _logs(witnesses: Witnesses) -> NDArray[np.float64]:
    return np.stack([np.log(np.maximum(array.astype(np.float64), FLOOR)) for array in witnesses])


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)
