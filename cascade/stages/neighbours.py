"""The neighbours' vote: what the nearest examples of the pool say of a ticket.

It costs a millisecond, needs no training but a choice of numbers (`train.examples`), and is a
witness of another kind than the linear stage: it knows single tickets, not words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from cascade.errors import BundleError
from cascade.examples import Pool
from cascade.stages.base import Probabilities

FILE = "vote.json"


@dataclass(frozen=True, slots=True)
class Vote:
    """How neighbours vote: each with its score, as a share of the best one's, to a power.

    Attributes:
        k: how many vote, >= 1.
        power: >= 0; 0 gives each the same weight, a high one nearly all of it to the nearest.
        smoothing: weight of an even vote for every class, > 0, in units of the nearest one's.
        sharpness: power that the shares of the votes are raised to, an inverse temperature: what
            ranks the classes best (a low ``power``) is not as sure of itself as it may be.
    """

    k: int
    power: float
    smoothing: float
    sharpness: float

    def check(self) -> None:
        """Raise `ValueError` unless these are numbers that a vote can be taken with."""
        if not (
            1 <= self.k <= 1000
            and 0 <= self.power <= 20
            and 1e-3 <= self.smoothing <= 1000
            and 0 <= self.sharpness <= 20
        ):
            raise ValueError("numbers out of range")

    def count(
        self, labels: NDArray[np.int64], scores: NDArray[np.float32], classes: int
    ) -> NDArray[np.float32]:
        """Probabilities of ``(n, classes)``.

        Args:
            labels: ``(n, m)`` class numbers of the neighbours, best first; -1 does not vote.
            scores: ``(n, m)``, >= 0, falling along each row.
        """
        labels, scores = labels[:, : self.k], scores[:, : self.k].astype(np.float64)
        scores = np.where(labels >= 0, scores, 0)
        best = scores.max(axis=1, initial=0, keepdims=True)
        shares = np.divide(scores, best, out=np.zeros_like(scores), where=best > 0)
        weights = np.where(scores > 0, shares**self.power, 0)
        votes = np.full((len(labels), classes), self.smoothing / classes)
        np.add.at(votes, (np.arange(len(labels))[:, None], labels), weights)
        votes /= votes.max(axis=1, keepdims=True)
        votes **= self.sharpness
        return np.asarray(votes / votes.sum(axis=1, keepdims=True), dtype=np.float32)


class NeighboursStage:
    """The vote of the ``k`` nearest examples by BM25; even for heads that the pool has not."""

    name = "neighbours"

    def __init__(self, pool: Pool, vote: Vote) -> None:
        self.pool = pool
        self.vote = vote

    def predict(self, texts: Sequence[str]) -> Probabilities:
        """See `Stage.predict`. Texts are masked first, as the examples are."""
        out: Probabilities = {
            name: np.full((len(texts), len(classes)), 1 / len(classes), dtype=np.float32)
            for name, classes in self.pool.heads.items()
        }
        for row, text in enumerate(texts):
            nearest, scores = self.pool.nearest(self.pool.masked(text), self.vote.k)
            for name, labels in self.pool.labels.items():
                classes = len(self.pool.heads[name])
                # One by one, as vectorised powers may round otherwise in another batch.
                out[name][row] = self.vote.count(labels[nearest][None], scores[None], classes)[0]
        return out

    def to_files(self) -> dict[str, bytes]:
        """The files of the bundle's folder ``neighbours/``; the pool has its own."""
        return {FILE: json.dumps(asdict(self.vote), indent=2).encode()}

    @classmethod
    def from_files(cls, read: Callable[[str], bytes], pool: Pool) -> NeighboursStage:
        """Load from a bundle; ``read`` gives a file's checked bytes.

        Raises:
            BundleError: the file does not hold what it should.
        """
        try:
            plain = json.loads(read(FILE))
            others = (float(plain[name]) for name in ("power", "smoothing", "sharpness"))
            vote = Vote(int(plain["k"]), *others)
            vote.check()
        except (LookupError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise BundleError(f"neighbours: damaged ({type(error).__name__})") from None
        return cls(pool, vote)
