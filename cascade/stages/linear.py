"""The linear stage: TF-IDF and logistic regression, at about the speed of splitting into words.

scikit-learn trains it (`train.linear`); this is the serving path. Vectorising with scikit-learn
and multiplying sparse matrices costs milliseconds a ticket, nearly all of it overhead. Here the
n-grams of a batch are found by number (`cascade.stages.ngrams`), and only the rows of the
coefficient matrix that a ticket has are gathered and summed: the same probabilities.

What else was tried, and what each way costs: ``python -m eval.linear_speed``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from cascade.errors import BundleError
from cascade.stages.base import MALFORMED, QUEUE, SIGNALS, Heads, Probabilities, energy, softmax
from cascade.stages.ngrams import CharacterIndex, Counted, NGrams, WordIndex, count

__all__ = ["LinearStage", "NGrams", "Vectorizer"]

CHUNK = 2**16
"""Characters of the texts that are read together, to keep memory flat."""
CELLS = 2**15
"""Numbers that are gathered together, at least one text's: they fit into a core's own cache."""
LARGEST = 1e6
"""Bound of a loaded model's numbers, far above any that training finds: none can overflow."""


@dataclass(frozen=True, slots=True)
class Vectorizer:
    """A fitted vectoriser: its n-grams, in the order of its rows in the coefficient matrix."""

    ngrams: NGrams
    terms: tuple[str, ...]
    idf: NDArray[np.float32]
    """``(len(terms),)``"""


class LinearStage:
    """TF-IDF n-grams and one logistic regression a head.

    Args:
        heads: the classes of each head.
        vectorizers: their terms fill the rows of ``coefficients`` in order.
        coefficients: for each head an ``(all terms, k)`` array.
        intercepts: for each head a ``(k,)`` array.
    """

    name = "linear"

    def __init__(
        self,
        heads: Heads,
        vectorizers: Sequence[Vectorizer],
        coefficients: dict[str, NDArray[np.float32]],
        intercepts: dict[str, NDArray[np.float32]],
    ) -> None:
        self._heads = heads
        self._vectorizers = tuple(vectorizers)
        self._intercepts = intercepts
        self._indexes: list[WordIndex | CharacterIndex] = []
        rows = 0
        for vectorizer in self._vectorizers:
            kind = WordIndex if vectorizer.ngrams.analyzer == "word" else CharacterIndex
            self._indexes.append(kind(vectorizer.ngrams, vectorizer.terms, rows))
            rows += len(vectorizer.terms)
        self._idf = np.concatenate([vectorizer.idf for vectorizer in self._vectorizers])
        # One wide matrix, so that the ticket's rows are gathered once for all heads.
        self._widths = [len(classes) for classes in heads.values()]
        self._matrix = np.ascontiguousarray(
            np.concatenate([coefficients[name] for name in heads], axis=1), dtype=np.float32
        )
        shapes = [self._idf.shape, self._matrix.shape, *(intercepts[n].shape for n in heads)]
        if shapes != [(rows,), (rows, sum(self._widths)), *((width,) for width in self._widths)]:
            raise BundleError("linear: the arrays do not fit the vocabulary and the queues")
        numbers = (self._matrix, *(intercepts[name] for name in heads))
        if not all(np.all(np.abs(array) < LARGEST) for array in numbers) or not np.all(
            (self._idf > 0) & (self._idf < LARGEST)
        ):
            raise BundleError("linear: the arrays hold something else than numbers")

    def predict(self, texts: Sequence[str]) -> Probabilities:
        """See `Stage.predict`. No sum spans two texts, so batches change nothing.

        The signals are two: the energy of the queues' logits, and the share of the text's words
        that it knows.
        """
        scores = np.empty((len(texts), sum(self._widths)))
        signals = np.empty((len(texts), 2), dtype=np.float32)
        for part in _parts(texts):
            scores[part], signals[part, 1] = self._read(texts[part])
        out: Probabilities = {}
        start = 0
        for name, width in zip(self._heads, self._widths, strict=True):
            logits = scores[:, start : start + width] + self._intercepts[name]
            out[name] = softmax(logits)
            if name == QUEUE:
                signals[:, 0] = energy(logits)
            start += width
        out[SIGNALS] = signals
        return out

    def contributions(
        self, text: str, queue: int, other: int
    ) -> list[tuple[NGrams, dict[str, float]]]:
        """What each known n-gram of a cleaned text adds to the logit of one queue over another's.

        Their sum, with the difference of the two intercepts, is the difference of the logits. Each
        counts with its TF-IDF value times the difference of its two coefficients.

        Args:
            queue: number of a queue.
            other: number of the queue that it is weighed against.

        Returns:
            One entry a vectoriser: its kind of n-grams, and by n-gram what it adds, in nats.
        """
        found = []
        start = 0
        for vectorizer, index in zip(self._vectorizers, self._indexes, strict=True):
            counted = count(index.find([text.lower()]), len(self._matrix))
            picked = self._matrix[counted.rows]
            added = self._weigh(counted) * (picked[:, queue] - picked[:, other])
            terms = [vectorizer.terms[row - start] for row in counted.rows]
            found.append((vectorizer.ngrams, dict(zip(terms, added.tolist(), strict=True))))
            start += len(vectorizer.terms)
        return found

    def _read(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """``(n, sum of widths)``, TF-IDF vectors times coefficients; ``(n,)``, how known the words.

        A matrix product would go through BLAS, whose sums depend on the number of threads; a sum
        of `reduceat` depends on the numbers that are summed alone.
        """
        lower = [text.lower() for text in texts]
        scores = np.zeros((len(texts), sum(self._widths)))
        known = np.zeros(len(texts))
        for index in self._indexes:
            found = index.find(lower)
            known = np.maximum(known, found.known)
            counted = count(found, len(self._matrix))
            scores[counted.texts] += self._sum(counted)
        return scores, known

    def _sum(self, counted: Counted) -> NDArray[np.float64]:
        """``(p, sum of widths)``, each text's TF-IDF values times the rows that it has."""
        texts, terms, width = len(counted.starts), len(counted.rows), sum(self._widths)
        sums = np.empty((texts, width))
        weights = self._weigh(counted)[:, None]
        step = max(1, CELLS * texts // max(1, terms * width))
        for at, (start, end) in enumerate(pairwise([*counted.starts[::step].tolist(), terms])):
            part = slice(at * step, (at + 1) * step)
            weighed = self._matrix.take(counted.rows[start:end], axis=0) * weights[start:end]
            np.add.reduceat(weighed, counted.starts[part] - start, axis=0, out=sums[part])
        return sums

    def _weigh(self, counted: Counted) -> NDArray[np.float64]:
        """``(m,)``, the TF-IDF values of n-grams, each text's a vector of length 1."""
        values = (1 + np.log(counted.counts)) * self._idf.take(counted.rows)
        squares = np.add.reduceat(values * values, counted.starts)
        norms = np.sqrt(squares).repeat(counted.lengths)
        return np.asarray(values / norms, dtype=np.float64)

    def to_files(self) -> dict[str, bytes]:
        """The files of the bundle's folder ``linear/``."""
        arrays = {"idf": self._idf}
        start = 0
        for name, width in zip(self._heads, self._widths, strict=True):
            arrays[f"coefficients.{name}"] = np.ascontiguousarray(
                self._matrix[:, start : start + width]
            )
            arrays[f"intercept.{name}"] = self._intercepts[name]
            start += width
        terms = [term for vectorizer in self._vectorizers for term in vectorizer.terms]
        config = [
            {**asdict(vectorizer.ngrams), "terms": len(vectorizer.terms)}
            for vectorizer in self._vectorizers
        ]
        return {
            "config.json": json.dumps({"vectorizers": config}, indent=2).encode(),
            "vocabulary.json": json.dumps(terms, ensure_ascii=False, indent=0).encode(),
            "model.safetensors": save(arrays),
        }

    @classmethod
    def from_files(cls, read: Callable[[str], bytes], heads: Heads) -> LinearStage:
        """Load from a bundle; ``read`` gives a file's checked bytes.

        Raises:
            BundleError: a file does not hold what it should.
        """
        try:
            config = json.loads(read("config.json"))["vectorizers"]
            terms = json.loads(read("vocabulary.json"))
            arrays = load(read("model.safetensors"))
            idf = arrays["idf"]
            vectorizers = []
            start = 0
            for entry in config:
                ngrams = NGrams(entry["analyzer"], int(entry["shortest"]), int(entry["longest"]))
                ngrams.check()
                end = start + int(entry["terms"])
                vectorizers.append(Vectorizer(ngrams, tuple(terms[start:end]), idf[start:end]))
                start = end
            coefficients = {name: arrays[f"coefficients.{name}"] for name in heads}
            intercepts = {name: arrays[f"intercept.{name}"] for name in heads}
            return cls(heads, vectorizers, coefficients, intercepts)
        except MALFORMED as error:
            raise BundleError(f"linear: damaged ({type(error).__name__}: {error})") from None


def _parts(texts: Sequence[str]) -> Iterator[slice]:
    """Texts in order, cut where `CHUNK` is reached."""
    start = characters = 0
    for at, text in enumerate(texts, start=1):
        characters += len(text)
        if characters >= CHUNK or at == len(texts):
            yield slice(start, at)
            start, characters = at, 0
