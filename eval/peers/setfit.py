"""SetFit, written for setfit 1.2, which works with transformers 5.23.

From all-MiniLM-L6-v2 with the default settings of its `TrainingArguments` (batches of 16, one
epoch, body at 2e-5) and a logistic regression as head. SetFit is made for few labels: its pairs
grow with the square of the tickets. So it gets 8 to 64 tickets a queue, the two sizes of its paper
(Tunstall et al. 2022), as many as keep all of them near `WORDS`, and R = 20 rounds of pairs, as
there, instead of all pairs: some minutes of a core.
"""

from __future__ import annotations

import logging
from tempfile import TemporaryDirectory

import numpy as np
from datasets import Dataset, disable_progress_bars
from numpy.typing import NDArray
from setfit import SetFitModel, Trainer, TrainingArguments
from transformers import PrinterCallback, ProgressCallback

from eval.labelled import Labelled
from eval.peers.peer import Peer, minilm, spread, versions

WORDS = 2_500
FEWEST, MOST = 8, 64
"""Tickets of a queue, where it has so many."""
ROUNDS = 20


def fit(train: Labelled, seed: int) -> Peer:
    """MiniLM tuned on pairs of a few tickets a queue, with a logistic regression on top."""
    words = sum(len(text.split()) for text in train.texts) / len(train)
    each = min(max(round(WORDS / (words * len(train.queues))), FEWEST), MOST)
    few = train.take(some_of_each(train.y, each, seed))
    logging.getLogger("setfit").setLevel(logging.WARNING)
    disable_progress_bars()
    model = SetFitModel.from_pretrained(minilm(), device="cpu")
    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_iterations=ROUNDS,
            seed=seed,
            save_strategy="no",
            report_to="none",
            show_progress_bar=False,
        )
        rows = Dataset.from_dict({"text": few.texts, "label": few.y.tolist()})
        trainer = Trainer(model=model, args=arguments, train_dataset=rows)
        for printing in (ProgressCallback, PrinterCallback):
            trainer.remove_callback(printing)
        trainer.train()
    numbers = model.model_head.classes_

    def answer(texts: list[str]) -> NDArray[np.float32]:
        said = model.predict_proba(texts, as_numpy=True, show_progress_bar=False)
        return spread(said, numbers, len(train.queues))

    note = f"{versions('setfit')}, defaults, {each} tickets a queue, {ROUNDS} rounds of pairs"
    return Peer("SetFit", note, answer)


def some_of_each(y: NDArray[np.int64], each: int, seed: int) -> NDArray[np.int64]:
    """Rows of at most ``each`` random tickets of every queue."""
    shuffled = np.random.default_rng(seed).permutation(len(y))
    chosen = [shuffled[y[shuffled] == queue][:each] for queue in np.unique(y)]
    return np.sort(np.concatenate(chosen))
