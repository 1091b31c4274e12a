"""What is measured of answers: macro-F1 with its interval, accuracy, and times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cascade.decision import Decision
from cascade.stages.base import Probabilities, Stage

RESAMPLES = 1000

T = TypeVar("T")


def queue_numbers(decisions: Sequence[Decision], queues: Sequence[str]) -> NDArray[np.int64]:
    """``(n,)`` numbers of the decisions' queues."""
    number = {queue: at for at, queue in enumerate(queues)}
    return np.asarray([number[decision.queue] for decision in decisions], dtype=np.int64)


def macro_f1(y: NDArray[np.int64], guess: NDArray[np.int64], classes: int) -> float:
    """Mean F1 over the classes that occur in ``y`` or ``guess``; a guess of -1 is no answer."""
    table = np.bincount(_cells(y, guess, classes), minlength=classes * (classes + 1))
    return float(_macro_f1(table.reshape(1, classes, classes + 1))[0])


def interval(
    y: NDArray[np.int64], guess: NDArray[np.int64], classes: int, seed: int = 0
) -> tuple[float, float]:
    """95 % bootstrap interval of macro-F1 (percentile method, 1,000 resamples of the tickets)."""
    random = np.random.default_rng(seed)
    cells, counts = np.unique(_cells(y, guess, classes), return_counts=True)
    drawn = random.multinomial(len(y), counts / len(y), size=RESAMPLES)
    tables = np.zeros((RESAMPLES, classes * (classes + 1)))
    tables[:, cells] = drawn
    low, high = np.percentile(_macro_f1(tables.reshape(-1, classes, classes + 1)), [2.5, 97.5])
    return float(low), float(high)


def _cells(y: NDArray[np.int64], guess: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """``(n,)`` cells of a table of true by guessed class, whose last column is no answer."""
    return np.asarray(y * (classes + 1) + np.where(guess < 0, classes, guess))


def _macro_f1(tables: NDArray[Any]) -> NDArray[np.float64]:
    """Macro-F1 of ``(m, k, k + 1)`` tables of true by guessed class, or none."""
    hits = np.diagonal(tables, axis1=1, axis2=2)
    total = tables.sum(axis=1)[:, :-1] + tables.sum(axis=2)
    f1 = 2 * hits / np.maximum(total, 1)
    present = total > 0
    return np.asarray((f1 * present).sum(axis=1) / np.maximum(present.sum(axis=1), 1))


def quality(y: NDArray[np.int64], guess: NDArray[np.int64], classes: int) -> dict[str, Any]:
    """Macro-F1 with its interval, and accuracy, of ``(n,)`` guesses."""
    low, high = interval(y, guess, classes)
    return {
        "macro_f1": round(macro_f1(y, guess, classes), 4),
        "macro_f1_95": [round(low, 4), round(high, 4)],
        "accuracy": round(float((y == guess).mean()), 4),
    }


def times(ms: NDArray[np.float64]) -> dict[str, float]:
    """Median and 95th percentile of ``(n,)`` milliseconds."""
    p50, p95 = np.percentile(ms, [50, 95])
    return {"ms_p50": round(float(p50), 2), "ms_p95": round(float(p95), 2)}


def one_by_one(
    stage: Stage, texts: Sequence[str], *, quiet: bool = True
) -> tuple[Probabilities, NDArray[np.float64]]:
    """A stage's probabilities, and ``(n,)`` milliseconds: tickets are asked one after the other."""
    bar = tqdm(texts, desc=f"asking {stage.name}", disable=quiet)
    answers, ms = timed(lambda text: stage.predict([text]), bar)
    return {name: np.concatenate([a[name] for a in answers]) for name in answers[0]}, ms


def timed(ask: Callable[[str], T], texts: Iterable[str]) -> tuple[list[T], NDArray[np.float64]]:
    """The answers, and the wall time of each in milliseconds."""
    answers, ms = [], []
    for text in texts:
        start = time.perf_counter()
        answers.append(ask(text))
        ms.append((time.perf_counter() - start) * 1000)
    return answers, np.asarray(ms)
