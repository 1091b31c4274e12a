"""What is made of a draw of labels: each stage alone, in-context learning, and a whole cascade.

All of them are the project's own code with its own settings; the encoders stay in PyTorch, as an
export changes no answer that matters here and takes as long as a small training.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from cascade.bundle import Columns
from cascade.llm.base import Backend
from cascade.llm.settings import LLMSettings
from cascade.machine import cores
from cascade.router import Cascade
from cascade.stages.base import QUEUE, softmax
from cascade.stages.encoder import TokenWindow
from cascade.stages.llm import LLMStage
from cascade.stages.neighbours import NeighboursStage
from eval.approach import Approach, Routed
from eval.baselines import Baseline
from eval.labelled import Labelled
from train.bert import Encoder, pretrained
from train.contrastive import Contrast, fit_contrastive
from train.encoder import fit_encoder
from train.examples import choose_pool, fit_neighbours
from train.fit import train
from train.linear import LinearFit, fit_linear
from train.options import Options
from train.recipe import Lessons, Recipe
from train.stages import HEAD_SHARE
from train.tokens import embed

LINEAR, PLAIN, PAIRS = "linear", "encoder, plainly", "encoder, by pairs"
VOTE, IN_CONTEXT, CASCADE = "neighbours' vote", "in-context", "cascade"
SHOWN_TO_TRAIN = 20
"""Tickets of the test file that training asks for; its own report is not looked at."""


@dataclass(frozen=True)
class Means:
    """What learning may use.

    Attributes:
        minutes: most time for each encoder, and for that of a cascade.
        backend: who is asked in context.
        llm: the same for the cascade's last stage.
        tokens: most tokens of a ticket that an encoder reads.
        encoder: as `Options.encoder`.
    """

    minutes: float
    backend: Backend
    llm: LLMSettings
    tokens: int = 256
    encoder: str | None = None


class Learners:
    """Who can learn from some labelled tickets; what several need is made once.

    Args:
        drawn: the tickets; some of each queue.
        test: a cascade's own report is on the first few of them.
    """

    def __init__(self, drawn: Labelled, test: Labelled, means: Means, seed: int) -> None:
        self.drawn, self.test, self.means, self.seed = drawn, test, means, seed
        self.heads = {QUEUE: drawn.queues}

    def all(self) -> Mapping[str, Callable[[], Approach]]:
        """By name, a function that learns; in an order in which none pays for what others need."""
        return {
            LINEAR: self.fit_linear,
            VOTE: self.fit_vote,
            IN_CONTEXT: self.fit_in_context,
            PAIRS: self.fit_pairs,
            PLAIN: self.fit_plain,
            CASCADE: self.fit_cascade,
        }

    @cached_property
    def linear(self) -> LinearFit:
        """The linear stage, with what it says of tickets that it has not seen."""
        targets = {QUEUE: self.drawn.y}
        return fit_linear(self.drawn.cleaned, targets, self.heads, seed=self.seed, quiet=True)

    @cached_property
    def neighbours(self) -> NeighboursStage:
        """The vote of a pool of examples that was chosen as in training."""
        unseen = self.linear.out_of_fold[QUEUE]
        targets = {QUEUE: self.drawn.y}
        pool = choose_pool(self.drawn.cleaned, targets, self.heads, unseen, seed=self.seed)
        return fit_neighbours(pool, seed=self.seed)

    def fit_linear(self) -> Approach:
        """The linear stage alone."""
        stage = self.linear.stage
        return Baseline(LINEAR, lambda texts: stage.predict(texts)[QUEUE])

    def fit_vote(self) -> Approach:
        """The vote of the nearest examples by BM25."""
        stage = self.neighbours
        return Baseline(VOTE, lambda texts: stage.predict(texts)[QUEUE])

    def fit_in_context(self) -> Approach:
        """A model that is shown the nearest examples, and learns nothing; silence is no answer."""
        vote = self.neighbours
        stage = LLMStage(self.means.backend, vote.pool, {}, threads=cores())

        def answer(texts: Sequence[str]) -> NDArray[np.float32]:
            advice = stage.advise(texts, vote.predict(texts)[QUEUE], None)
            silent = np.asarray([bool(reason) for reason in advice.reasons])
            return np.where(silent[:, None], 0, advice.probabilities[QUEUE])

        return Baseline(IN_CONTEXT, answer)

    def fit_pairs(self) -> Approach:
        """The encoder taught by contrastive pairs."""
        recipe = Contrast(self.means.minutes)
        model, window = self._pretrained(recipe.dropout)
        lessons = self._lessons(window)
        fit_contrastive(model, lessons, self.heads, recipe, seed=self.seed, quiet=True)
        return self._encoder(PAIRS, model, window)

    def fit_plain(self) -> Approach:
        """The encoder fine-tuned plainly."""
        recipe = Recipe(self.means.minutes)
        model, window = self._pretrained(recipe.dropout)
        lessons = self._lessons(window)
        fit_encoder(
            model, lessons, self.heads, recipe, checkpoint_file=None, seed=self.seed, quiet=True
        )
        return self._encoder(PLAIN, model, window)

    def fit_cascade(self) -> Approach:
        """What ``cascade train`` makes of a file of these tickets."""
        means = self.means
        with tempfile.TemporaryDirectory() as folder:
            past, shown = Path(folder) / "past.csv", Path(folder) / "shown.csv"
            _write(past, self.drawn)
            _write(shown, self.test.take(np.arange(min(SHOWN_TO_TRAIN, len(self.test)))))
            options = Options(
                Columns(("text",), "label"),
                means.minutes,
                means.encoder,
                means.tokens,
                llm=means.llm,
                test_file=shown,
                min_rows=1,
                seed=self.seed,
                quiet=True,
            )
            out = Path(folder) / "bundle"
            train(past, out, options, lambda line: None)
            cascade = Cascade.load(out)
        return Routed(cascade, self.drawn.queues)

    def _pretrained(self, dropout: float) -> tuple[Encoder, TokenWindow]:
        torch.manual_seed(self.seed)
        torch.set_num_threads(cores())
        backbone, tokenizer, _ = pretrained(self.means.encoder)
        window = TokenWindow(Tokenizer.from_str(tokenizer), self.means.tokens, HEAD_SHARE)
        return Encoder(backbone, len(self.drawn.queues), dropout), window

    def _lessons(self, window: TokenWindow) -> Lessons:
        ids = [window(text) for text in self.drawn.cleaned]
        return Lessons(ids, {QUEUE: self.drawn.y}, self.linear.out_of_fold[QUEUE])

    @staticmethod
    def _encoder(name: str, model: Encoder, window: TokenWindow) -> Approach:
        model.cpu()

        def answer(texts: Sequence[str]) -> NDArray[np.float32]:
            features = torch.as_tensor(embed(model, [window(text) for text in texts]))
            with torch.no_grad():
                return softmax(model.scores(features).numpy())

        return Baseline(name, answer)


def _write(path: Path, labelled: Labelled) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        labels = (labelled.queues[k] for k in labelled.y)
        writer.writerows(zip(labelled.texts, labels, strict=True))
