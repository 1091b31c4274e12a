"""Train, gate and test: three splits of the tickets, made once and never mixed.

*train* fits the stages, *gate* fits how they are joined and where they stop, *test* is touched
once, by the report. Near-duplicates (the same mail sent twice, a form letter) stay on one side,
else the test split would measure memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.model_selection import train_test_split

from cascade.errors import TrainingError

PERMUTATIONS = 32
ROWS_PER_BAND = 4
SIMILAR = 0.7
LEAST = 10
"""Fewest different tickets that can be split in three."""
PRIME = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Split:
    """Row numbers of the three splits, each sorted, disjoint, together all rows."""

    train: NDArray[np.int64]
    gate: NDArray[np.int64]
    test: NDArray[np.int64]
    how: str
    """In words, for the model card."""


def near_duplicates(texts: Sequence[str], *, seed: int = 0) -> NDArray[np.int64]:
    """Group near-duplicates: an ``(n,)`` array of group numbers, equal for near-duplicates.

    MinHash over word 3-grams with banding (Broder 1997; Leskovec et al., Mining of Massive
    Datasets, 3.3-3.4): two texts meet in a bucket when one of 8 bands of 4 hashes agrees, and are
    one group when at least 0.7 of all 32 hashes agree, an estimate of their Jaccard similarity.
    Linear in the total length, so that 420,000 tickets take minutes.
    """
    signatures = _minhash(texts, seed)
    rows: list[NDArray[np.int64]] = []
    firsts: list[NDArray[np.int64]] = []
    for start in range(0, PERMUTATIONS, ROWS_PER_BAND):
        band = np.ascontiguousarray(signatures[:, start : start + ROWS_PER_BAND])
        keys = band.view([("", band.dtype)] * ROWS_PER_BAND).ravel()
        _, first, bucket = np.unique(keys, return_index=True, return_inverse=True)
        head = first[bucket]
        same = (signatures == signatures[head]).mean(axis=1) >= SIMILAR
        met = np.flatnonzero(same & (head != np.arange(len(head))))
        rows.append(met)
        firsts.append(head[met])
    i, j = np.concatenate(rows), np.concatenate(firsts)
    graph = coo_array((np.ones(len(i), dtype=bool), (i, j)), shape=(len(texts), len(texts)))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _minhash(texts: Sequence[str], seed: int) -> NDArray[np.int64]:
    """An ``(n, 32)`` array of MinHash values of each text's set of word 3-grams."""
    shingles = HashingVectorizer(
        ngram_range=(3, 3), n_features=2**24, norm=None, alternate_sign=False, binary=True
    )
    random = np.random.default_rng(seed)
    a = random.integers(1, PRIME, PERMUTATIONS)
    b = random.integers(0, PRIME, PERMUTATIONS)
    signatures = np.empty((len(texts), PERMUTATIONS), dtype=np.int64)
    for start in range(0, len(texts), 20_000):
        chunk = list(texts[start : start + 20_000])
        matrix = shingles.transform(chunk)
        lengths = np.diff(matrix.indptr)
        # A text of fewer than three words has no shingle: its own row number keeps it alone
        # (exact duplicates were dropped when the file was read).
        for k in range(PERMUTATIONS):
            values = (matrix.indices.astype(np.int64) * a[k] + b[k]) % PRIME
            column = -1 - np.arange(start, start + len(chunk), dtype=np.int64)
            filled = lengths > 0
            if filled.any():
                column[filled] = np.minimum.reduceat(values, matrix.indptr[:-1][filled])
            signatures[start : start + len(chunk), k] = column
    return signatures


def split_randomly(
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    gate: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
) -> Split:
    """Split at random, stratified by label, near-duplicates on one side.

    Args:
        gate, test: their shares of the rows; the rest is train. ``test`` may be 0.
    """
    groups = near_duplicates(texts, seed=seed)
    _, heads, group = np.unique(groups, return_index=True, return_inverse=True)
    head_labels = np.asarray(labels, dtype=object)[heads]
    numbers = np.arange(len(heads))
    if len(numbers) < LEAST:
        raise TrainingError(
            f"only {len(numbers)} of the {len(groups):,} tickets are more than near-duplicates of "
            f"each other; a split needs {LEAST}"
        )
    kept, held = _stratified(numbers, head_labels, gate + test, seed, least=2 if test else 1)
    gate_groups, test_groups = held, held[:0]
    if test:
        gate_groups, test_groups = _stratified(held, head_labels[held], test / (gate + test), seed)
    duplicates = len(groups) - len(heads)
    how = f"random, stratified by label, seed {seed}, {duplicates:,} near-duplicates kept together"

    def rows(part: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.flatnonzero(np.isin(group, part))

    return Split(rows(kept), rows(gate_groups), rows(test_groups), how)


def _stratified(
    numbers: NDArray[np.int64],
    labels: NDArray[np.object_],
    share: float,
    seed: int,
    least: int = 1,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split in two, the second part of the given share, with every label in both if it can be."""
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    held = max(round(len(numbers) * share), least)
    stratify = codes if counts.min() >= 2 and held >= len(counts) else None
    first, second = train_test_split(numbers, test_size=held, random_state=seed, stratify=stratify)
    return np.sort(first), np.sort(second)


def split_by_time(dates: Sequence[str], *, gate: float = 0.1, test: float = 0.1) -> Split:
    """Split by time: the newest tickets are test, those before them gate, the oldest train.

    Args:
        dates: any text whose alphabetical order is that of time (ISO 8601).
    """
    order = np.argsort(np.asarray(dates, dtype=str), kind="stable")
    n = len(order)
    first_test, first_gate = n - round(n * test), n - round(n * test) - round(n * gate)
    how = (
        f"by time: train until {dates[order[first_gate - 1]]}, gate until "
        f"{dates[order[first_test - 1]]}" + (", test after that" if first_test < n else "")
    )
    return Split(
        np.sort(order[:first_gate]),
        np.sort(order[first_gate:first_test]),
        np.sort(order[first_test:]),
        how=how,
    )
