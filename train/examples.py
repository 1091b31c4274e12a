"""Choosing the pool of examples from the train split, and how its neighbours vote."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from cascade.examples import Pool
from cascade.llm.mask import mask
from cascade.stages.base import QUEUE, Heads
from cascade.stages.neighbours import NeighboursStage, Vote
from train.split import near_duplicates

SIZE = 4_000
"""The vote's macro-F1 on 2,000 tickets of it_service_topics with 1,000 / 2,000 / 4,000 / 8,000
examples: 0.704 / 0.733 / 0.749 / 0.755; with the linear stage joined 0.856 / 0.857 / 0.860 / 0.857.
"""
MAX_CHARACTERS = 1_000
"""Longest text of an example: a prompt has room for a few hundred tokens of each."""
UNLIKELY, LIKELY = 0.1, 0.6
"""A label is probably wrong where it is given less than the one, and another more than the other.
"""
EVENNESS = 0.5
"""A queue's share of the pool grows with its tickets to this power: 0 would give all the same."""
KS = (8, 16, 32, 64)
POWERS = (1.0, 2.0, 3.0, 4.0, 6.0)
SMOOTHINGS = (0.3, 1.0, 3.0, 10.0)
SHARPNESSES = (1.0, 1.4, 2.0, 2.8, 4.0)
LEFT_OUT = 1_000
"""Most examples that are left out in turn to choose the vote: more would change nothing."""


def choose_pool(
    texts: Sequence[str],
    targets: dict[str, NDArray[np.int64]],
    heads: Heads,
    out_of_fold: NDArray[np.float32],
    *,
    size: int = SIZE,
    seed: int = 0,
) -> Pool:
    """Choose examples: every queue, no near-duplicates, no labels that are probably wrong.

    Args:
        texts: cleaned texts of the train split.
        targets: for each head an ``(n,)`` array of class numbers, -1 where the label is missing.
        out_of_fold: ``(n, k)`` probabilities of the queues by a model that has not seen the row.
        size: most examples; a queue may have one even where that is more.
    """
    y = targets[QUEUE]
    wrong = probably_wrong(out_of_fold, y)
    order = np.random.default_rng(seed).permutation(len(y))
    order = order[np.argsort(wrong[order], kind="stable")]
    groups = near_duplicates(texts, seed=seed)[order]
    # Of near-duplicates the first in that order, so one whose label is to be trusted if there is.
    order = order[np.sort(np.unique(groups, return_index=True)[1])]
    chosen = np.sort(_by_queue(order, y, wrong, size))
    return Pool(
        heads,
        [shorten(mask(texts[row])) for row in chosen],
        {name: numbers[chosen] for name, numbers in targets.items()},
    )


def probably_wrong(out_of_fold: NDArray[np.float32], y: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of ``n`` labels are probably wrong."""
    own = out_of_fold[np.arange(len(y)), y]
    return np.asarray((own < UNLIKELY) & (out_of_fold.max(axis=1) > LIKELY))


def shorten(text: str) -> str:
    """The start of a text, at most `MAX_CHARACTERS` long, cut between two words."""
    if len(text) <= MAX_CHARACTERS:
        return text
    return text[: MAX_CHARACTERS + 1].rsplit(maxsplit=1)[0][:MAX_CHARACTERS].rstrip()


def _by_queue(
    order: NDArray[np.int64], y: NDArray[np.int64], wrong: NDArray[np.bool_], size: int
) -> NDArray[np.int64]:
    """The first rows of each queue in ``order``, more of the queues that have more."""
    by_queue = order[np.argsort(y[order], kind="stable")]
    counts = np.bincount(y[by_queue], minlength=1)
    starts = np.cumsum(counts) - counts
    rank = np.arange(len(by_queue)) - starts[y[by_queue]]
    # A queue all of whose labels are doubted has one of them: better than none.
    kept = ~wrong[by_queue] | (rank == 0)
    by_queue, rank = by_queue[kept], rank[kept]
    due = rank / counts[y[by_queue]] ** EVENNESS
    first = np.argsort(due, kind="stable")
    return np.asarray(by_queue[first[: max(size, int((rank == 0).sum()))]])


def fit_neighbours(pool: Pool, *, seed: int = 0) -> NeighboursStage:
    """The neighbours' vote with the numbers of least log-loss on the pool, one left out at a time.

    Log-loss and not accuracy, as the gates join probabilities.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(pool))[:LEFT_OUT])
    most = max(KS)
    labels = np.full((len(rows), most), -1, dtype=np.int64)
    scores = np.zeros((len(rows), most), dtype=np.float32)
    for at, row in enumerate(rows):
        nearest, its_scores = pool.nearest(pool.texts[row], most + 1)
        others = np.flatnonzero(nearest != row)[:most]
        labels[at, : len(others)] = pool.labels[QUEUE][nearest[others]]
        scores[at, : len(others)] = its_scores[others]

    def loss(vote: Vote) -> float:
        given = vote.count(labels, scores, len(pool.heads[QUEUE]))
        return -float(np.log(given[np.arange(len(rows)), pool.labels[QUEUE][rows]]).mean())

    grid = (Vote(*numbers) for numbers in product(KS, POWERS, SMOOTHINGS, SHARPNESSES))
    return NeighboursStage(pool, min(grid, key=loss))
