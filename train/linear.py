"""Fitting the linear stage with scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack, vstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from cascade.errors import TrainingError
from cascade.machine import cores
from cascade.stages.base import QUEUE, Heads, Probabilities
from cascade.stages.linear import LinearStage, NGrams, Vectorizer
from train.noise import NOBODY, Suspects, find_suspects

WORDS = NGrams("word", 1, 2)
CHARACTERS = NGrams("char_wb", 2, 5)
STRENGTHS = (1.0, 3.0, 10.0, 30.0)
"""Values of C that are tried."""
FOLDS = 5
"""Of many tickets half teach nearly as much as four fifths, in less than half of the time."""
EARN = 0.03
"""Share by which characters must lower the log-loss: they cost most of the stage's time."""
TRIAL_ROWS = 12_000
"""Most tickets that C and the n-grams are chosen on."""
UNSEEN = 5.0
"""How far below the rarest class's intercept that of a class without training rows lies."""
MAX_TERMS = 200_000
"""Most n-grams of each kind that are kept, the most frequent ones."""
COUNTED = 100_000
"""Most tickets, spread over the file, whose n-grams are counted to choose them: all that occur are
in memory then, some ten times as many as are kept. Chosen on a quarter of 12,000 tickets of
it_service_topics, 15,000 n-grams cost 0.0002 macro-F1 [-0.0050, +0.0055] (6,000 others, paired).
With more tickets characters are not tried: words have been seen in most of their spellings, and a
ticket has some 1,300 n-grams of characters.
"""
AT_ONCE = 20_000
"""Tickets that are vectorised at a time where not all are counted."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which n-grams are taken and how strong C is, with what was measured for it."""

    ngrams: tuple[NGrams, ...]
    c: float
    notes: dict[str, object]


@dataclass(frozen=True, slots=True)
class LinearFit:
    """The fitted stage, and what it says of tickets that it has not seen.

    Attributes:
        out_of_fold: for each head an ``(n, k)`` array from cross-fitting; rows without
            the label are filled by the model of all rows with it.
        suspects: tickets whose queue is probably wrong; they counted less in ``stage``.
        notes: what was chosen, for the model card.
    """

    stage: LinearStage
    out_of_fold: Probabilities
    suspects: Suspects
    notes: dict[str, object]


def fit_linear(
    texts: Sequence[str],
    targets: dict[str, NDArray[np.int64]],
    heads: Heads,
    *,
    seed: int = 0,
    folds: int | None = None,
    choice: Choice | None = None,
    trust_labels: bool = False,
    quiet: bool = False,
) -> LinearFit:
    """Fit TF-IDF and one logistic regression a head.

    Tickets whose queue the cross-fitting finds to be probably wrong count less in the fit of the
    queues.

    Args:
        texts: cleaned texts of the train split.
        targets: for each head an ``(n,)`` array of class numbers, -1 where the label is missing
            (never so for the queue).
        folds: of the cross-fitting; by default `FOLDS`, and 2 with more than `COUNTED` tickets.
        choice: made before; by default `choose` makes it on the same tickets.
        trust_labels: look for no suspects.

    Raises:
        TrainingError: there is one class only.
    """
    for name in heads:
        if len(np.unique(targets[name][targets[name] >= 0])) < 2:
            raise TrainingError(f"the train split holds one class only of {name!r}")
    choice = choice or choose(texts, targets[QUEUE], seed=seed, quiet=quiet)
    c, notes = choice.c, dict(choice.notes)
    folds = folds or (2 if len(texts) > COUNTED else FOLDS)
    steps = len(heads) * (folds + 1)
    with tqdm(total=steps, desc="fitting the linear stage", unit="fit", disable=quiet) as bar:
        matrix, vectorizers = _vectorize(texts, choice.ngrams)
        out: Probabilities = {}
        coefficients, intercepts, suspects = {}, {}, NOBODY
        for name, classes in heads.items():
            known = np.flatnonzero(targets[name] >= 0)
            x, y = matrix, targets[name][known]
            if len(known) < len(texts):
                x = matrix[known]
            unseen = _cross_fit(x, y, len(classes), c, folds, seed, bar)
            weights = None
            if name == QUEUE and not trust_labels:
                suspects = find_suspects(y, unseen)
                weights = suspects.weights(len(y))
            with _one_thread_each():
                model = _regression(c, x, y, weights)
            bar.update()
            coefficients[name], intercepts[name] = as_columns(model, len(classes))
            out[name] = unseen
            if len(known) < len(texts):
                out[name] = _spread(model, matrix, len(classes))
                out[name][known] = unseen
    stage = LinearStage(heads, vectorizers, coefficients, intercepts)
    notes["terms"] = matrix.shape[1]
    notes["suspects"] = len(suspects)
    return LinearFit(stage, out, suspects, notes)


def choose(
    texts: Sequence[str], y: NDArray[np.int64], *, seed: int = 0, quiet: bool = False
) -> Choice:
    """Choose C and the n-grams on at most `TRIAL_ROWS` of the tickets.

    C is chosen by 3-fold cross-validation on log-loss, as the gates need probabilities and not
    only the best class; character n-grams are taken if they lower it by 3 %. They are not tried
    with more than `COUNTED` tickets.

    Args:
        texts: cleaned.
        y: ``(n,)`` queue numbers.
    """
    many = len(texts) > COUNTED
    trial = _sample(y, TRIAL_ROWS, seed)
    texts, y = [texts[i] for i in trial], y[trial]
    words, _ = _vectorize(texts, (WORDS,))
    losses = {}
    trials = tqdm(STRENGTHS, desc="choosing how strong", unit="C", disable=quiet)
    for c in trials:
        losses[c] = _trial_loss(words, y, c, seed)
    c = min(losses, key=lambda c: losses[c])
    notes: dict[str, object] = {
        "C": c,
        "log_loss_by_C": {str(c): round(loss, 4) for c, loss in losses.items()},
        "characters": False,
    }
    if many:
        return Choice((WORDS,), c, notes)
    both, _ = _vectorize(texts, (WORDS, CHARACTERS))
    with_characters = _trial_loss(both, y, c, seed)
    earned = with_characters < (1 - EARN) * losses[c]
    notes |= {"log_loss_with_characters": round(with_characters, 4), "characters": earned}
    return Choice((WORDS, CHARACTERS) if earned else (WORDS,), c, notes)


def _trial_loss(x: csr_matrix, y: NDArray[np.int64], c: float, seed: int) -> float:
    classes = int(y.max()) + 1
    out = _cross_fit(x, y, classes, c, 3, seed)
    return float(log_loss(y, out, labels=range(classes)))


def _cross_fit(
    x: csr_matrix,
    y: NDArray[np.int64],
    classes: int,
    c: float,
    folds: int,
    seed: int,
    bar: tqdm[object] | None = None,
) -> NDArray[np.float32]:
    out = np.full((len(y), classes), 1 / classes, dtype=np.float32)
    folds = min(folds, int(np.bincount(y).max()))
    if folds < 2:
        return out  # every class occurs once: of a row held out nothing is known
    with warnings.catch_warnings():
        # A class rarer than the folds is missing from some of them, which `_spread` allows for.
        warnings.filterwarnings("ignore", message="The least populated class")
        parts = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(x, y))

    def unseen(part: tuple[NDArray[np.int64], NDArray[np.int64]]) -> NDArray[np.float32] | None:
        fit, rest = part
        if len(np.unique(y[fit])) < 2:
            return None
        return _spread(_regression(c, x[fit], y[fit]), x[rest], classes)

    # Threads and not processes, which would each hold the matrix: scipy and scikit-learn let go of
    # the interpreter while they compute.
    with _one_thread_each(), ThreadPoolExecutor(cores()) as pool:
        for (_, rest), given in zip(parts, pool.map(unseen, parts), strict=True):
            if given is not None:
                out[rest] = given
            if bar is not None:
                bar.update()
    return out


def _one_thread_each() -> threadpool_limits:
    """A context in which BLAS keeps to one thread.

    The vectors are short and the data is sparse: threads of BLAS wait for each other, up to ten
    times as long as one takes alone where other work is on the machine.
    """
    return threadpool_limits(1, user_api="blas")


def _regression(
    c: float, x: csr_matrix, y: NDArray[np.int64], weights: NDArray[np.floating] | None = None
) -> LogisticRegression:
    # A looser tolerance than the default halves the time and leaves the log-loss as it is.
    model = LogisticRegression(C=c, max_iter=300, tol=1e-3)
    return model.fit(x, y, sample_weight=weights)


def _spread(model: LogisticRegression, x: csr_matrix, classes: int) -> NDArray[np.float32]:
    """``(n, classes)``, also where a rare class was missing from the fold."""
    out = np.zeros((x.shape[0], classes), dtype=np.float32)
    out[:, model.classes_] = model.predict_proba(x)
    return out


def as_columns(
    model: LogisticRegression, classes: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Coefficients ``(terms, k)`` and intercepts ``(k,)``, one column a class."""
    fitted, biases = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn scores the second class only
        fitted = np.vstack([np.zeros_like(fitted), fitted])
        biases = np.concatenate([[0.0], biases])
    coefficients = np.zeros((fitted.shape[1], classes), dtype=np.float32)
    # A class that the train split lacks (it can happen when the split is by time) stays possible.
    intercepts = np.full(classes, biases.min() - UNSEEN, dtype=np.float32)
    coefficients[:, model.classes_] = fitted.T
    intercepts[model.classes_] = biases
    return coefficients, intercepts


def _vectorize(
    texts: Sequence[str], chosen: Sequence[NGrams]
) -> tuple[csr_matrix, list[Vectorizer]]:
    matrices, vectorizers = [], []
    for ngrams in chosen:
        model = TfidfVectorizer(
            analyzer=ngrams.analyzer,
            ngram_range=(ngrams.shortest, ngrams.longest),
            min_df=2 if len(texts) >= 1000 else 1,
            max_features=MAX_TERMS,
            sublinear_tf=True,
            dtype=np.float32,
        )
        if len(texts) <= COUNTED:
            matrices.append(model.fit_transform(texts))
        else:
            some = np.linspace(0, len(texts) - 1, COUNTED).astype(np.int64)
            model.fit([texts[row] for row in some])
            starts = range(0, len(texts), AT_ONCE)
            parts = [model.transform(texts[start : start + AT_ONCE]) for start in starts]
            matrices.append(vstack(parts, format="csr"))
        terms = tuple(model.get_feature_names_out())
        vectorizers.append(Vectorizer(ngrams, terms, model.idf_.astype(np.float32)))
    # A copy of the one matrix would take three times its memory while it is made.
    x = matrices[0] if len(matrices) == 1 else hstack(matrices, format="csr", dtype=np.float32)
    return x, vectorizers


def _sample(y: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """Rows of a random sample that holds at least five of each class, where there are five."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(y))
    taken = set(order[:most].tolist())
    for k in range(int(y.max()) + 1):
        taken.update(np.flatnonzero(y == k)[:5].tolist())
    return np.asarray(sorted(taken), dtype=np.int64)
