"""Baselines that no one can skip: what a router must beat to be worth its trouble.

All of them read the cleaned text, as the stages do, so that what differs is the model and not the
cleaning. None needs more than the labelled tickets that it is fitted on, and each answers every
ticket: where it knows nothing of it, with the largest queue.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from cascade.clean import clean
from cascade.errors import TrainingError
from cascade.examples import BM25, WORD
from eval.approach import Approach, Fit
from eval.labelled import Labelled
from train.measures import macro_f1

KEYWORDS = 20
"""Words and bigrams that a queue's rule has."""
MOST_TERMS = 100_000
"""Words and bigrams that rules are chosen from, the most frequent ones."""
NEIGHBOURS = (1, 3, 5, 9, 15, 25, 41)
"""Numbers of neighbours that are tried."""
TRIED_ON = 1_000
"""Most tickets that the number of neighbours is chosen on."""
TIE = 1e-3
"""What the majority adds to a vote, so that it decides ties and tickets without a vote alone."""
EMBEDDED = 8_000
"""Most tickets that are embedded to be fitted on; 33,000 of them would take several minutes."""
TOKENS = 256
"""Most tokens that are embedded, as many as a bundle's encoder reads by default."""
BATCH = 32
STRENGTHS = (1.0, 10.0, 100.0)
"""Values of C that are tried: embeddings of length 1 want it higher than usual."""

Probabilities = NDArray[np.float32]
Answer = Callable[[Sequence[str]], Probabilities]


@dataclass
class Baseline:
    """An `Approach` that reads cleaned texts.

    Attributes:
        answer: gives probabilities ``(n, k)`` for ``n`` cleaned texts, n >= 1.
    """

    name: str
    answer: Answer

    def predict(self, texts: Sequence[str]) -> Probabilities:
        """See `Approach.predict`."""
        return self.answer([clean(text) for text in texts])


def fit_majority(train: Labelled, seed: int) -> Approach:
    """The largest queue for every ticket, as sure as its share is large."""
    shares = _shares(train)
    return Baseline("majority class", lambda texts: np.tile(shares, (len(texts), 1)))


def fit_keyword_rules(train: Labelled, seed: int) -> Approach:
    """The rules that a team lead would write: a short list of telling words for each queue.

    The queue with the most of its words and bigrams in the ticket wins. Nothing is learned beyond
    which words these are.
    """
    vectorizer = CountVectorizer(analyzer=_terms, binary=True, max_features=MOST_TERMS)
    found = vectorizer.fit_transform(train.cleaned)
    terms, classes = vectorizer.get_feature_names_out(), len(train.queues)
    counts = (np.eye(classes, dtype=np.int64)[train.y].T @ found).astype(np.int64)
    rules: dict[str, list[int]] = {}
    for queue, telling in enumerate(log_odds(counts)):
        best = np.argsort(-telling, kind="stable")[:KEYWORDS]
        for term in terms[best[telling[best] > 0]]:
            rules.setdefault(term, []).append(queue)
    shares = _shares(train)

    def answer(texts: Sequence[str]) -> Probabilities:
        hits = np.zeros((len(texts), classes), dtype=np.float32)
        for row, text in enumerate(texts):
            for term in rules.keys() & _terms(text):
                hits[row, rules[term]] += 1
        return _with_majority(hits, shares)

    return Baseline("keyword rules", answer)


def log_odds(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much more a term belongs to a queue than to the others, in standard deviations.

    The z-scores of the log-odds ratio under an informative Dirichlet prior (Monroe, Colaresi and
    Quinn 2008, "Fightin' Words"). The prior is the terms' distribution over all tickets and weighs
    as much as a mean queue.

    Args:
        counts: ``(k, terms)`` tickets of each queue that hold the term; each is held by some.

    Returns:
        ``(k, terms)``.
    """
    total = counts.sum(axis=0)
    prior = total / len(counts)
    inside, outside = counts + prior, total - counts + prior
    odds = [np.log(part / (part.sum(axis=1, keepdims=True) - part)) for part in (inside, outside)]
    return np.asarray((odds[0] - odds[1]) / np.sqrt(1 / inside + 1 / outside))


def _terms(text: str) -> set[str]:
    """The lower-case words of a text, and its pairs of neighbouring ones."""
    words = WORD.findall(text.lower())
    return {*words, *map(" ".join, pairwise(words))}


def fit_bm25_neighbours(train: Labelled, seed: int) -> Approach:
    """The vote of the nearest of all training tickets, each weighted with its BM25 score.

    How many vote is chosen by macro-F1 on a sample of the training tickets, each one held out
    while its own neighbours are sought, so that one ticket a queue is enough.
    """
    search = BM25()
    search.index(train.cleaned)
    shares = _shares(train)

    def vote(rows: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> Probabilities:
        """Votes ``(queues,)`` in units of the nearest one's."""
        weights = scores[:k] / max(float(scores.max(initial=0)), 1e-6)
        return np.bincount(train.y[rows[:k]], weights, len(shares)).astype(np.float32)

    sample = np.sort(np.random.default_rng(seed).permutation(len(train))[:TRIED_ON])
    votes: dict[int, list[Probabilities]] = {k: [] for k in NEIGHBOURS}
    for row in sample:
        rows, scores = search.search(train.cleaned[row], max(NEIGHBOURS) + 1)
        others = rows != row
        for k in NEIGHBOURS:
            votes[k].append(vote(rows[others], scores[others], k))
    quality = {}
    for k in NEIGHBOURS:
        guess = _with_majority(np.stack(votes[k]), shares).argmax(axis=1)
        quality[k] = macro_f1(train.y[sample], guess, len(shares))
    best = max(quality, key=lambda k: quality[k])

    def answer(texts: Sequence[str]) -> Probabilities:
        found = [vote(*search.search(text, best), best) for text in texts]
        return _with_majority(np.stack(found), shares)

    return Baseline("BM25 neighbours", answer)


def fit_frozen_embeddings(train: Labelled, seed: int) -> Approach:
    """Logistic regression on sentence embeddings of all-MiniLM-L6-v2, which is left as it is.

    Fitted on `EMBEDDED` tickets at most, drawn with each queue's share kept; C is chosen by
    3-fold cross-validation.

    Raises:
        TrainingError: the tickets are all of one queue.
    """
    if len(np.unique(train.y)) < 2:
        raise TrainingError(f"{train.name}: all tickets are of one queue, nothing can be learned")
    rows = stratified(train.y, EMBEDDED, seed)
    embed = _embedder()
    model = _regression(embed([train.cleaned[row] for row in rows]), train.y[rows], seed)
    classes = len(train.queues)

    def answer(texts: Sequence[str]) -> Probabilities:
        out = np.zeros((len(texts), classes), dtype=np.float32)
        out[:, model.classes_] = model.predict_proba(embed(texts))
        return out

    return Baseline("frozen embeddings + LR", answer)


def stratified(y: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """Rows of at most ``most`` tickets, each queue with its share of them to within one."""
    shuffled = np.random.default_rng(seed).permutation(len(y))
    by_queue = shuffled[np.argsort(y[shuffled], kind="stable")]
    at = np.linspace(0, len(y), min(most, len(y)), endpoint=False).astype(np.int64)
    return np.sort(by_queue[at])


def _regression(x: Probabilities, y: NDArray[np.int64], seed: int) -> Any:
    model = LogisticRegression(C=STRENGTHS[1], max_iter=1000)
    folds = min(3, int(np.bincount(y).max()))
    if folds < 2:
        return model.fit(x, y)  # one ticket a queue: there is nothing to choose C on
    with warnings.catch_warnings():
        # A queue with fewer tickets than folds counts as wrong in some of them: all C alike.
        warnings.filterwarnings("ignore", message="The least populated class")
        split = StratifiedKFold(folds, shuffle=True, random_state=seed)
        return GridSearchCV(model, {"C": STRENGTHS}, cv=split).fit(x, y).best_estimator_


def _embedder() -> Callable[[Sequence[str]], Probabilities]:
    """Gives the embeddings ``(n, 384)`` of cleaned texts, mean-pooled, of length 1."""
    import torch
    from tokenizers import Tokenizer

    from cascade.stages.encoder import TokenWindow
    from train.bert import Encoder, pretrained
    from train.stages import HEAD_SHARE

    backbone, tokenizer, _ = pretrained(None)
    window = TokenWindow(Tokenizer.from_str(tokenizer), TOKENS, HEAD_SHARE)
    model = Encoder(backbone, width=1).eval()

    @torch.inference_mode()
    def embed(texts: Sequence[str]) -> Probabilities:
        ids = [torch.as_tensor(window(text)) for text in texts]
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        out = np.empty((len(ids), backbone.config.hidden_size), dtype=np.float32)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            padded = torch.nn.utils.rnn.pad_sequence([ids[row] for row in rows], batch_first=True)
            lengths = torch.as_tensor([len(ids[row]) for row in rows])
            mask = (torch.arange(padded.shape[1]) < lengths[:, None]).float()
            features = model.features(padded, None if len(rows) == 1 else mask)
            out[rows] = torch.nn.functional.normalize(features).numpy()
        return out

    return embed


def _shares(train: Labelled) -> Probabilities:
    """``(k,)`` share of each queue."""
    counts = np.bincount(train.y, minlength=len(train.queues)).astype(np.float32)
    return counts / np.float32(len(train))


def _with_majority(votes: Probabilities, shares: Probabilities) -> Probabilities:
    """Votes ``(n, k)`` as probabilities; the larger queue wins where they are equal."""
    votes = votes + np.float32(TIE) * shares
    total: Probabilities = votes.sum(axis=1, keepdims=True)
    return votes / total


BASELINES: dict[str, Fit] = {
    "majority class": fit_majority,
    "keyword rules": fit_keyword_rules,
    "BM25 neighbours": fit_bm25_neighbours,
    "frozen embeddings + LR": fit_frozen_embeddings,
}
