"""The linear stage: TF-IDF and logistic regression, one ticket at a time.

scikit-learn trains it (`train.linear`); this is the serving path. Vectorising with scikit-learn
and multiplying sparse matrices costs milliseconds a ticket, nearly all of it overhead. Here the
ticket's n-grams are looked up in a dict, and only the rows of the coefficient matrix that it has
are summed: the same probabilities in a fraction of the time.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from cascade.errors import BundleError
from cascade.stages.base import MALFORMED, QUEUE, SIGNALS, Heads, Probabilities, energy, softmax

WORD = re.compile(r"(?u)\b\w\w+\b")
SPACES = re.compile(r"\s\s+")
LONGEST_NGRAM = 10
LARGEST = 1e6
"""Bound of a loaded model's numbers, far above any that training finds: none can overflow."""


@dataclass(frozen=True, slots=True)
class NGrams:
    """One vectoriser: scikit-learn's ``TfidfVectorizer(sublinear_tf=True)`` of that analyser."""

    analyzer: Literal["word", "char_wb"]
    shortest: int
    longest: int

    def check(self) -> None:
        """Raise `ValueError` unless these are n-grams that training makes."""
        if self.analyzer not in ("word", "char_wb") or not (
            1 <= self.shortest <= self.longest <= LONGEST_NGRAM
        ):
            raise ValueError("n-grams of an unknown kind")

    def split(self, text: str) -> Iterator[str]:
        """The n-grams of a lower-case text, repeated as often as they occur."""
        return _words(text, self) if self.analyzer == "word" else _characters(text, self)


def _words(text: str, ngrams: NGrams) -> Iterator[str]:
    words = WORD.findall(text)
    for n in range(ngrams.shortest, ngrams.longest + 1):
        if n == 1:
            yield from words
        else:
            for at in range(len(words) - n + 1):
                yield " ".join(words[at : at + n])


def _characters(text: str, ngrams: NGrams) -> Iterator[str]:
    for word in SPACES.sub(" ", text).split():
        padded = f" {word} "
        for n in range(ngrams.shortest, ngrams.longest + 1):
            last = len(padded) - n
            if last <= 0:
                # A word that is no longer than n counts once, as scikit-learn has it.
                yield padded
                break
            for at in range(last + 1):
                yield padded[at : at + n]


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
        self._places: list[dict[str, int]] = []
        rows = 0
        for vectorizer in self._vectorizers:
            self._places.append({term: rows + at for at, term in enumerate(vectorizer.terms)})
            rows += len(vectorizer.terms)
        self._words = {
            term
            for vectorizer in self._vectorizers
            if vectorizer.ngrams.analyzer == "word"
            for term in vectorizer.terms
        }
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
        """See `Stage.predict`. Texts are computed one by one, so batches change nothing.

        The signals are two: the energy of the queues' logits, and the share of the text's words
        that it knows.
        """
        scores = np.empty((len(texts), sum(self._widths)), dtype=np.float32)
        for row, text in enumerate(texts):
            scores[row] = self._scores(text)
        out: Probabilities = {}
        start = 0
        for name, width in zip(self._heads, self._widths, strict=True):
            logits = scores[:, start : start + width] + self._intercepts[name]
            out[name] = softmax(logits)
            start += width
        out[SIGNALS] = np.empty((len(texts), 2), dtype=np.float32)
        out[SIGNALS][:, 0] = energy(scores[:, : self._widths[0]] + self._intercepts[QUEUE])
        out[SIGNALS][:, 1] = [self._known(text) for text in texts]
        return out

    def _known(self, text: str) -> float:
        """Share of a text's words that were in past tickets; 0 where it has none."""
        words = WORD.findall(text.lower())
        return sum(word in self._words for word in words) / max(len(words), 1)

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
        rows, weights = self._vector(text)
        added = weights * (self._matrix[rows, queue] - self._matrix[rows, other])
        found = []
        start = 0
        for vectorizer in self._vectorizers:
            end = start + len(vectorizer.terms)
            own = (rows >= start) & (rows < end)
            terms = [vectorizer.terms[row - start] for row in rows[own]]
            found.append((vectorizer.ngrams, dict(zip(terms, added[own].tolist(), strict=True))))
            start = end
        return found

    def _scores(self, text: str) -> NDArray[np.float32]:
        """``(sum of widths,)``: the ticket's TF-IDF vector times the coefficients."""
        rows, weights = self._vector(text)
        # Not BLAS: its sums depend on the number of threads, and an answer must not.
        picked = self._matrix[rows] * weights[:, None]
        return np.asarray(np.add.reduce(picked, axis=0), dtype=np.float32)

    def _vector(self, text: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The ticket's TF-IDF vector: the rows of its n-grams, and their values."""
        text = text.lower()
        rows, weights = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.float32)]
        for vectorizer, places in zip(self._vectorizers, self._places, strict=True):
            found = _count(vectorizer.ngrams.split(text), places.get)
            if not found:
                continue
            at = np.fromiter(found.keys(), dtype=np.int64, count=len(found))
            counts = np.fromiter(found.values(), dtype=np.float32, count=len(found))
            values = (1 + np.log(counts)) * self._idf[at]
            rows.append(at)
            weights.append(values / np.sqrt(np.add.reduce(values * values)))
        return np.concatenate(rows), np.concatenate(weights)

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


def _count(terms: Iterator[str], place: Callable[[str], int | None]) -> dict[int, int]:
    """How often each known term occurs, by its row."""
    counts = Counter(map(place, terms))
    counts.pop(None, None)
    return counts  # type: ignore[return-value]
