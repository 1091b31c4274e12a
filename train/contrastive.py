"""Teaching the encoder from few labels: by pairs of tickets, then a head on what it has become.

SetFit's two steps (Tunstall et al. 2022, "Efficient Few-Shot Learning Without Prompts"). First the
pretrained encoder learns to put tickets of a queue close to each other and those of different
queues apart; n labels make n² pairs, so a few teach much. Then a logistic regression is fitted on
the embeddings, one for each head. Its weights become the encoder's own head, so what is exported
and served is the same as after plain fine-tuning: ``logits = features @ W.T + b``.

Embeddings are brought to length 1, in training and in the exported graph (`Encoder.unit`): with 8
labels a queue of banking77 that gives 0.832 macro-F1 and without 0.814.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from tqdm import tqdm

from cascade.stages.base import QUEUE, Heads
from train.bert import Encoder
from train.linear import as_columns
from train.precision import fastest_dtype
from train.recipe import Lessons, Tickets
from train.tokens import embed, features, with_gaps

AT_ONCE = 8
"""Tickets of a step that go through the encoder at once: most pairs are of unlike length, and all
at once would be padded to the longest."""
ITSELF = -1e9
"""Instead of a ticket's similarity to itself, of which nothing can be learned."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """How the encoder learns from pairs.

    Attributes:
        minutes: most time that the pairs may take; 0 leaves the encoder as it is pretrained.
        passes: how often each ticket is the first of a pair.
        pairs: first tickets a step; each brings another of its queue.
        forget: share of a ticket's tokens that a step does not see, drawn anew each time: the one
            ticket of a queue that has no other is then paired with another view of itself.
        dropout: on the output of each sublayer.
        rate: highest learning rate; it rises in the `warmup` share and then falls to 0 in a line.
        temperature: of the similarities in the loss.
        strength: C of the head's logistic regression, on embeddings of length 1.
    """

    minutes: float = 5.0
    passes: float = 6.0
    pairs: int = 16
    forget: float = 0.1
    dropout: float = 0.1
    rate: float = 1e-4
    warmup: float = 0.06
    temperature: float = 0.1
    strength: float = 30.0


def fit_contrastive(
    model: Encoder,
    lessons: Lessons,
    heads: Heads,
    recipe: Contrast,
    *,
    sharpness: Mapping[str, float] | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> float:
    """Teach ``model`` in place: the encoder by pairs of the queue, then all heads.

    Deterministic by seed where it ends by its passes and not by its minutes.

    Args:
        lessons: `Lessons.linear` is not looked at.
        sharpness: by head, what its scores are multiplied with (1 by default): what is said of
            tickets that were learned from is surer than it should be, or less.

    Returns:
        The minutes that it took.
    """
    started = time.monotonic()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    model.unit = True
    _learn_pairs(model, lessons.ids, lessons.targets[QUEUE], recipe, device, seed, quiet)
    fit_heads(
        model, embed(model, lessons.ids), lessons.targets, heads, recipe.strength, sharpness or {}
    )
    return (time.monotonic() - started) / 60


def pair_loss(features: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, equation 2) of one batch.

    Of all tickets beside it, how likely is a ticket to be paired with one of its own queue, by
    their cosine similarity?

    Args:
        features: ``(n, hidden)``, of length 1.
        labels: ``(n,)``; each must occur twice at least.
    """
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    same = (labels[:, None] == labels) & ~itself
    chances = (features @ features.T / temperature).masked_fill(itself, ITSELF).log_softmax(dim=1)
    return -((chances * same).sum(dim=1) / same.sum(dim=1)).mean()


def pairs_of(
    y: NDArray[np.int64], size: int, passes: float, random: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Steps of ``size`` tickets, then as many others of the same queues, in the same order.

    In each pass every ticket comes first once; the only one of its queue is paired with itself.

    Args:
        y: ``(n,)`` queue numbers.

    Yields:
        ``(2 * size,)`` row numbers.
    """
    by_queue = {int(k): np.flatnonzero(y == k) for k in np.unique(y)}
    firsts = np.empty(0, dtype=np.int64)
    for _ in range(round(len(y) * passes / size) or 1):
        while len(firsts) < size:
            firsts = np.concatenate([firsts, random.permutation(len(y))])
        step, firsts = firsts[:size], firsts[size:]
        yield np.concatenate([step, [_another(by_queue[int(y[row])], row, random) for row in step]])


def _another(rows: NDArray[np.int64], row: int, random: np.random.Generator) -> int:
    """One of the rows, not this one if there are others."""
    if len(rows) == 1:
        return row
    at = int(random.integers(len(rows) - 1))
    return int(rows[-1] if rows[at] == row else rows[at])


def fit_heads(
    model: Encoder,
    features: NDArray[np.float32],
    targets: Mapping[str, NDArray[np.int64]],
    heads: Heads,
    strength: float,
    sharpness: Mapping[str, float],
) -> None:
    """Fit a logistic regression for each head and write it into the encoder's.

    Args:
        features: ``(n, hidden)``.
        targets: by head ``(n,)`` class numbers, -1 where the label is missing.
    """
    weights, biases = [], []
    for name, classes in heads.items():
        known = np.flatnonzero(targets[name] >= 0)
        columns = np.zeros((features.shape[1], len(classes)), dtype=np.float32)
        intercepts = np.zeros(len(classes), dtype=np.float32)
        if len(np.unique(targets[name][known])) > 1:  # else nothing can be told apart
            regression = LogisticRegression(C=strength, max_iter=1000)
            regression.fit(features[known], targets[name][known])
            columns, intercepts = as_columns(regression, len(classes))
        sharp = sharpness.get(name, 1.0)
        weights.append(columns.T * sharp)
        biases.append(intercepts * sharp)
    with torch.no_grad():
        model.head.weight.copy_(torch.as_tensor(np.concatenate(weights)))
        model.head.bias.copy_(torch.as_tensor(np.concatenate(biases)))


def _learn_pairs(
    model: Encoder,
    tickets: Tickets,
    y: NDArray[np.int64],
    recipe: Contrast,
    device: torch.device,
    seed: int,
    quiet: bool,
) -> None:
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    optimizer = _optimizer(model, recipe.rate)
    dtype = fastest_dtype(device)
    steps = list(pairs_of(y, recipe.pairs, recipe.passes, random))
    started = time.monotonic()
    model.train()
    for at, rows in enumerate(tqdm(steps, desc="learning from pairs", unit="step", disable=quiet)):
        spent = (time.monotonic() - started) / 60
        done = max(at / len(steps), spent / recipe.minutes if recipe.minutes else 1.0)
        if done >= 1:
            return
        for group in optimizer.param_groups:
            rising, falling = done / recipe.warmup, (1 - done) / (1 - recipe.warmup)
            group["lr"] = recipe.rate * max(min(rising, falling), 1e-3)
        seen = with_gaps([tickets[row] for row in rows], recipe.forget, random)
        with torch.autocast(device.type, dtype=dtype, enabled=dtype is not torch.float32):
            found = features(model, seen, AT_ONCE)
        loss = pair_loss(found, torch.as_tensor(y[rows], device=device), recipe.temperature)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.backbone.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def _optimizer(model: Encoder, rate: float) -> torch.optim.Optimizer:
    """Of all but the embeddings of words: rare ones would drift on a few examples."""
    model.backbone.get_input_embeddings().requires_grad_(False)
    learned = [p for p in model.backbone.parameters() if p.requires_grad]
    return torch.optim.AdamW(learned, lr=rate, weight_decay=0.01, fused=True)
