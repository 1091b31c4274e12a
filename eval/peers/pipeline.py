"""MiniLM fine-tuned and served as transformers does it, written for transformers 5.23.

`Trainer` with the default settings of its `TrainingArguments` (3 epochs, batches of 8, AdamW at
5e-5 falling linearly), then ``pipeline("text-classification")`` on the CPU in float32. Where
`MINUTES` are too short for 3 epochs, the learning rate reaches 0 at their end, so that what comes
out is a finished training and not a broken one.
"""

from __future__ import annotations

import time
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    pipeline,
)
from transformers.utils import logging

from eval.labelled import Labelled
from eval.peers.peer import TOKENS, Peer, minilm, versions

MINUTES = 30.0


def fit(train: Labelled, seed: int) -> Peer:
    """All-MiniLM-L6-v2 with a new head, all its weights fine-tuned for `MINUTES` at most."""
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    queues = len(train.queues)
    model = AutoModelForSequenceClassification.from_pretrained(minilm(), num_labels=queues)
    tokenizer = AutoTokenizer.from_pretrained(minilm(), model_max_length=TOKENS)
    ids = tokenizer(train.texts, truncation=True)["input_ids"]
    rows = [{"input_ids": its, "label": y} for its, y in zip(ids, train.y.tolist(), strict=True)]
    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            use_cpu=True,
            seed=seed,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = _InTime(
            model=model,
            args=arguments,
            train_dataset=rows,
            data_collator=DataCollatorWithPadding(tokenizer),
            callbacks=[_StopAtZero()],
        )
        trainer.remove_callback(PrinterCallback)  # it prints
        epochs = trainer.train().metrics["epoch"]
    classify: Any = pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu")
    number = model.config.label2id

    def answer(texts: list[str]) -> NDArray[np.float32]:
        out = np.zeros((len(texts), queues), dtype=np.float32)
        for row, said in enumerate(classify(texts, top_k=None, truncation=True)):
            for label in said:
                out[row, number[label["label"]]] = label["score"]
        return out

    note = f"{versions('transformers', 'torch')}, Trainer's defaults, {epochs:.1f} epochs"
    return Peer("transformers pipeline, MiniLM", note, answer)


class _InTime(Trainer):
    """Its own linear schedule, by steps or by time, whichever is further."""

    def create_scheduler(
        self, num_training_steps: int, optimizer: Optimizer | None = None
    ) -> LRScheduler:
        its: Any = optimizer or self.optimizer
        started = time.monotonic()

        def rate(step: int) -> float:
            passed = (time.monotonic() - started) / (60 * MINUTES)
            return max(0.0, 1 - max(step / num_training_steps, passed))

        self.lr_scheduler = LambdaLR(its, rate)
        return self.lr_scheduler


class _StopAtZero(TrainerCallback):
    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        control.should_training_stop = given["lr_scheduler"].get_last_lr()[0] == 0
