"""Ways to compute the linear stage's answers: scikit-learn's, the served one, and others tried.

All of them answer with one and the same model, so that their times can be compared; a way that
changes the model (`pruned`, `rounded`, and what `fit` is given) has a macro-F1 of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline
from threadpoolctl import threadpool_limits
from tokenizers import Tokenizer

from cascade.stages import ngrams
from cascade.stages.base import QUEUE, softmax
from cascade.stages.linear import LinearStage, NGrams, Vectorizer
from cascade.stages.table import Table
from train.linear import MAX_TERMS, as_columns

C = 10.0
Way = Callable[[Sequence[str]], NDArray[np.floating]]
"""Cleaned texts to ``(n, k)`` probabilities."""


@dataclass(frozen=True)
class Model:
    """TF-IDF and logistic regression, as arrays: what a bundle holds.

    Attributes:
        pipeline: scikit-learn's own, that it was taken from.
        vectorizers, coefficients, intercepts: see `LinearStage`.
    """

    pipeline: Pipeline
    vectorizers: tuple[Vectorizer, ...]
    coefficients: NDArray[np.float32]
    intercepts: NDArray[np.float32]

    @property
    def terms(self) -> int:
        """How many n-grams it weighs."""
        return len(self.coefficients)

    def stage(self) -> LinearStage:
        """The served one."""
        heads = {QUEUE: tuple(map(str, range(self.coefficients.shape[1])))}
        coefficients, intercepts = {QUEUE: self.coefficients}, {QUEUE: self.intercepts}
        return LinearStage(heads, self.vectorizers, coefficients, intercepts)


def fit(
    texts: Sequence[str],
    y: NDArray[np.int64],
    kinds: Sequence[NGrams],
    split: Callable[[str], list[str]] | None = None,
) -> Model:
    """Fit scikit-learn's pipeline as `train.linear` does, with one C for all.

    Args:
        texts: cleaned.
        y: ``(n,)`` numbers of their queues.
        split: gives the words of a lower-case text; None for those of the stage.
    """
    parts = [
        TfidfVectorizer(
            analyzer=kind.analyzer,
            tokenizer=split,
            token_pattern=None if split else ngrams.WORD.pattern,
            ngram_range=(kind.shortest, kind.longest),
            min_df=2,
            max_features=MAX_TERMS,
            sublinear_tf=True,
            dtype=np.float32,
        )
        for kind in kinds
    ]
    names = [(kind.analyzer, part) for kind, part in zip(kinds, parts, strict=True)]
    regression = LogisticRegression(C=C, max_iter=300, tol=1e-3)
    pipeline = Pipeline([("terms", FeatureUnion(names)), ("queues", regression)])
    with threadpool_limits(1, user_api="blas"):
        pipeline.fit(texts, y)
    coefficients, intercepts = as_columns(regression, int(y.max()) + 1)
    vectorizers = tuple(
        Vectorizer(kind, tuple(part.get_feature_names_out()), part.idf_.astype(np.float32))
        for kind, part in zip(kinds, parts, strict=True)
    )
    return Model(pipeline, vectorizers, coefficients, intercepts)


def served(model: Model) -> Way:
    """The stage as it is."""
    stage = model.stage()
    return lambda texts: stage.predict(texts)[QUEUE]


def one_by_one(model: Model) -> Way:
    """Each n-gram a string, counted and looked up in a dict; a sum a ticket."""
    rows: list[dict[str, int]] = []
    for its in model.vectorizers:
        first = sum(map(len, rows))
        rows.append({term: first + at for at, term in enumerate(its.terms)})
    idf = np.concatenate([its.idf for its in model.vectorizers])

    def scores(text: str) -> NDArray[np.float32]:
        total = model.intercepts.copy()
        for its, row in zip(model.vectorizers, rows, strict=True):
            found = Counter(map(row.get, its.ngrams.split(text)))
            found.pop(None, None)
            at = np.asarray([*found], dtype=np.int64)
            counts = np.asarray([*found.values()], dtype=np.float32)
            values = (1 + np.log(counts)) * idf[at]
            norm = np.sqrt(np.add.reduce(values * values)) or 1
            total += np.add.reduce(model.coefficients[at] * (values / norm)[:, None], axis=0)
        return total

    return lambda texts: softmax(np.asarray([scores(text.lower()) for text in texts]))


class Sorted:
    """As `Table`, by binary search."""

    def __init__(self, keys: NDArray[np.int64]) -> None:
        self.keys = keys

    def find(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Table.find`."""
        at = self.keys.searchsorted(keys)
        at[self.keys.take(at, mode="clip") != keys] = len(self.keys)
        return at


class Dict:
    """As `Table`, by a dict."""

    def __init__(self, keys: NDArray[np.int64]) -> None:
        self.row = {key: at for at, key in enumerate(keys.tolist())}

    def find(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Table.find`."""
        get, missing = self.row.get, len(self.row)
        return np.asarray([get(key, missing) for key in keys.tolist()], dtype=np.int64)


class Unchecked(Table):
    """As `Table`, but whoever sits in a number's first place is taken for it: feature hashing."""

    def find(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where they might stand."""
        return np.asarray(self._slots.take(self._places(keys)[0]), dtype=np.int64)


def looked_up(model: Model, table: type) -> Way:
    """The stage with another table of the pairs of words."""
    with patch.object(ngrams, "Table", table):
        return served(model)


def split_by(model: Model, split: Callable[[str], list[str]]) -> Way:
    """The stage with another way to split texts into words."""
    way = served(model)

    def ask(texts: Sequence[str]) -> NDArray[np.floating]:
        with patch.object(ngrams, "words", split):
            return way(texts)

    return ask


def pruned(model: Model, share: float) -> Model:
    """Only the n-grams that can move a ticket most, by the spread of their weights times IDF."""
    idf = np.concatenate([its.idf for its in model.vectorizers])
    spread = np.ptp(model.coefficients, axis=1) * idf
    kept = np.zeros(model.terms, dtype=np.bool_)
    kept[np.argsort(-spread)[: round(share * model.terms)]] = True
    vectorizers, start = [], 0
    for its in model.vectorizers:
        own = kept[start : start + len(its.terms)]
        terms = tuple(term for term, keep in zip(its.terms, own, strict=True) if keep)
        vectorizers.append(replace(its, terms=terms, idf=its.idf[own]))
        start += len(its.terms)
    return replace(model, vectorizers=tuple(vectorizers), coefficients=model.coefficients[kept])


def rounded(model: Model, kind: str) -> Model:
    """The weights as narrower numbers tell them: float16, or int8 with a scale a term."""
    weights = model.coefficients
    if kind != "int8":
        return replace(model, coefficients=weights.astype(kind).astype(np.float32))
    scale = np.maximum(np.abs(weights).max(axis=1, keepdims=True), 1e-12) / 127
    return replace(model, coefficients=np.round(weights / scale).astype(np.float32) * scale)


def gather(
    weights: NDArray[np.generic], rows: Sequence[NDArray[np.int64]]
) -> Callable[[], list[NDArray[np.float32]]]:
    """Reads the weights of tickets' n-grams, as numbers to count with."""
    return lambda: [weights.take(its, axis=0).astype(np.float32, copy=False) for its in rows]


def subwords(content: str) -> Callable[[str], list[str]]:
    """Splits a text by a tokenizer of the encoder.

    Args:
        content: of its ``tokenizer.json``.
    """
    tokenizer = Tokenizer.from_str(content)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return partial(_tokens, tokenizer)


def _tokens(tokenizer: Tokenizer, text: str) -> list[str]:
    return list(tokenizer.encode(text, add_special_tokens=False).tokens)
