"""How the encoder is taught: plainly, or by pairs where labels are few and pairs are better.

What is best with few labels differs from one file to the next, so it is not a rule but a trial:
plain fine-tuning, contrastive pairs, and the same head on the encoder as it was pretrained, are
cross-validated on the train split, in half of the minutes that there are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from tqdm import tqdm

from cascade.stages.base import QUEUE, Heads, Probabilities, softmax
from train.bert import Encoder
from train.contrastive import Contrast, fit_contrastive
from train.encoder import fit_encoder
from train.joining import mean_loss
from train.recipe import Lessons, Recipe
from train.tokens import embed

FEW = 64
"""Most tickets of the median queue with which pairs are tried at all."""
FOLDS = 3
TRIAL = 0.5
"""Share of the minutes in which the ways are compared."""
CONTRASTIVE, PLAIN = "contrastive pairs", "plain fine-tuning"
UNTAUGHT = "a head on the pretrained encoder"

Fresh = Callable[[float], Encoder]
"""Makes the pretrained encoder anew, with that much dropout."""
Learn = Callable[[Encoder, Lessons], object]


@dataclass(frozen=True, slots=True)
class Trial:
    """What cross-validation says.

    Attributes:
        losses: by way, the log-loss on tickets not learned from, joined with the linear stage as
            it will be served.
        sharpness: by way and head, what scores are to be multiplied with for the least loss.
    """

    losses: dict[str, float]
    sharpness: dict[str, dict[str, float]]

    @property
    def best(self) -> str:
        """The way of least loss."""
        return min(self.losses, key=lambda way: self.losses[way])


def teach(
    fresh: Fresh,
    lessons: Lessons,
    heads: Heads,
    minutes: float,
    *,
    checkpoint_file: Path,
    say: Callable[[str], None],
    seed: int = 0,
    quiet: bool = False,
) -> tuple[Encoder, dict[str, Any]]:
    """Teach an encoder in the way that suits the number of labels.

    Returns:
        It, and what was done, for the model card.

    Raises:
        train.encoder.Interrupted: Ctrl-C while fine-tuning plainly; the same call goes on.
    """
    trial, notes = None, {}
    if few(lessons.targets[QUEUE]):
        trial = compare(fresh, lessons, heads, minutes * TRIAL, seed=seed, quiet=quiet)
        minutes *= 1 - TRIAL
        told = ", ".join(f"{way} {loss:.3f}" for way, loss in trial.losses.items())
        why = f"log-loss by {FOLDS}-fold cross-validation: {told}"
        say(f"few labels, so three ways were tried; {trial.best} it is ({why})")
        notes = {"way": trial.best, "why": why}
    if trial and trial.best != PLAIN:
        contrast = Contrast(minutes if trial.best == CONTRASTIVE else 0)
        model = fresh(contrast.dropout)
        sharpness = trial.sharpness[trial.best]
        took = fit_contrastive(
            model, lessons, heads, contrast, sharpness=sharpness, seed=seed, quiet=quiet
        )
        return model, {**notes, "minutes": round(took, 1)}
    recipe = Recipe(minutes)
    model = fresh(recipe.dropout)
    history = fit_encoder(
        model, lessons, heads, recipe, checkpoint_file=checkpoint_file, seed=seed, quiet=quiet
    )
    return model, {
        **notes,
        "minutes": round(history[-1]["seconds"] / 60, 1),
        "passes": history[-1]["pass"],
        "best held-out log-loss": min(entry["loss"] for entry in history),
    }


def few(y: NDArray[np.int64]) -> bool:
    """Whether labels are few, and pairs can be made: the median queue has at most `FEW` tickets."""
    counts = np.unique(y, return_counts=True)[1]
    return bool(np.median(counts) <= FEW and counts.max() > 1)


def compare(
    fresh: Fresh,
    lessons: Lessons,
    heads: Heads,
    minutes: float,
    *,
    seed: int = 0,
    quiet: bool = False,
) -> Trial:
    """Cross-validate the ways, the two that take long for as many minutes each."""
    each, y = minutes / (2 * FOLDS), lessons.targets[QUEUE]
    recipe = Recipe(each, evaluations=1)

    def by_pairs(model: Encoder, some: Lessons, contrast: Contrast) -> None:
        fit_contrastive(model, some, heads, contrast, seed=seed, quiet=True)

    def plainly(model: Encoder, some: Lessons) -> None:
        fit_encoder(model, some, heads, recipe, checkpoint_file=None, seed=seed, quiet=True)

    ways: dict[str, Learn] = {
        UNTAUGHT: partial(by_pairs, contrast=Contrast(0)),
        CONTRASTIVE: partial(by_pairs, contrast=Contrast(each)),
        PLAIN: plainly,
    }
    losses: dict[str, float] = {}
    sharpness: dict[str, dict[str, float]] = {}
    with tqdm(total=len(ways) * FOLDS, desc="trying ways to teach", disable=quiet) as bar:
        for way, learn in ways.items():
            said = _out_of_fold(partial(fresh, recipe.dropout), learn, lessons, heads, seed, bar)
            losses[way] = mean_loss([lessons.linear, said[QUEUE]], y)[1]
            sharpness[way] = {n: _sharpness(p, lessons.targets[n]) for n, p in said.items()}
    return Trial(losses, sharpness)


def _out_of_fold(
    fresh: Callable[[], Encoder],
    learn: Learn,
    lessons: Lessons,
    heads: Heads,
    seed: int,
    bar: tqdm[object],
) -> Probabilities:
    """By head ``(n, k)`` probabilities of tickets that the encoder did not learn from."""
    y = lessons.targets[QUEUE]
    logits = np.empty((len(y), sum(map(len, heads.values()))), dtype=np.float32)
    folds = StratifiedKFold(min(FOLDS, int(np.bincount(y).max())), shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        parts = list(folds.split(y, y))
    for known, rest in parts:
        model = fresh()
        learn(model, lessons.take(known))
        features = torch.as_tensor(embed(model, [lessons.ids[row] for row in rest]))
        with torch.no_grad():
            logits[rest] = model.cpu().scores(features).numpy()
        bar.update()
    ends = np.cumsum([len(classes) for classes in heads.values()])
    parts_of = np.split(logits, ends[:-1], axis=1)
    return {name: softmax(part) for name, part in zip(heads, parts_of, strict=True)}


def _sharpness(probabilities: NDArray[np.float32], y: NDArray[np.int64]) -> float:
    """What log-probabilities are to be multiplied with for the least log-loss."""
    known = y >= 0
    return mean_loss([probabilities[known]], y[known])[0][0]
