"""A shorter encoder that learns to say what a longer one says: half the layers, half the time.

The student starts as some of its teacher's layers (Sanh et al. 2019, DistilBERT). It learns the
teacher's probabilities of every label (Hinton et al. 2015), and its features (Jiao et al. 2020,
TinyBERT), by which tickets of no queue are told. Both see a ticket with the same gaps (Beyer et
al. 2022: a good teacher is patient and consistent), so no pass repeats another.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from cascade.errors import TrainingError
from cascade.stages.base import Heads
from train.bert import Encoder
from train.precision import fastest_dtype
from train.recipe import Lessons, Tickets
from train.tokens import padded, with_gaps

LEAST = 1 / 3
"""Least share of the minutes of training that the student is taught in."""


@dataclass(frozen=True, slots=True)
class Distillation:
    """How the student learns.

    Attributes:
        minutes: most time.
        layers: of the student.
        passes: most passes over the tickets.
        batch: tickets a step.
        forget: share of a ticket's tokens that a step does not see, drawn anew each time.
        rate: highest learning rate.
        warmup: share of the run in which the rate rises; it then falls to 0 in a line.
        sure: out-of-fold confidence of the linear stage from which a ticket counts as easy.
        easy_share: share of the easy tickets in each pass.
        temperature: scores are divided by it, so that it shows which wrong queues are near.
        features: weight of the features' loss, beside 1 for the probabilities'.
    """

    minutes: float
    layers: int = 3
    passes: int = 6
    batch: int = 32
    forget: float = 0.1
    rate: float = 3e-4
    warmup: float = 0.06
    sure: float = 0.9
    easy_share: float = 0.3
    temperature: float = 2.0
    features: float = 1.0


def check(backbone: Any, layers: int) -> None:
    """Raise `TrainingError` unless an encoder can be cut to so many layers."""
    there = _layers(backbone)
    if there is None:
        kind = backbone.config.model_type
        raise TrainingError(f"--encoder-layers: the encoder is a {kind}, which cannot be shortened")
    if not 1 <= layers < len(there):
        most = len(there) - 1
        raise TrainingError(
            f"--encoder-layers {layers}: the encoder has {len(there)}; "
            + (f"take 1 to {most}" if most else "leave the option out")
        )


def shortened(teacher: Encoder, layers: int) -> Encoder:
    """A copy with so many of the layers: the first one and the last ones.

    Of the 20 ways to keep three of six this one said most like all six before any teaching, on IT
    tickets: the same queue for 89 %, and 38 % with the first three, 61 % with every second.

    Raises:
        TrainingError: see `check`.
    """
    check(teacher.backbone, layers)
    student = copy.deepcopy(teacher)
    kept = _layers(student.backbone)
    assert kept is not None
    del kept[1 : len(kept) - layers + 1]
    student.backbone.config.num_hidden_layers = layers
    return student


def _layers(backbone: Any) -> nn.ModuleList | None:
    """The layers of BERT, RoBERTa, MPNet, DeBERTa (``encoder``) or DistilBERT (``transformer``)."""
    stack = getattr(backbone, "encoder", None) or getattr(backbone, "transformer", None)
    layers = getattr(stack, "layer", None)
    return layers if isinstance(layers, nn.ModuleList) else None


def distil(
    teacher: Encoder,
    lessons: Lessons,
    heads: Heads,
    how: Distillation,
    *,
    seed: int = 0,
    quiet: bool = False,
) -> tuple[Encoder, dict[str, Any]]:
    """Teach a shorter encoder what a trained one says; no label is looked at.

    Args:
        teacher: is left as it is.
        lessons: tickets; those on which the linear stage is unsure come in every pass.

    Returns:
        The student, and what was done, for the model card.

    Raises:
        TrainingError: the teacher cannot be shortened so.
    """
    student = shortened(teacher, how.layers)
    student.dropout = 0.0
    run = _Run(student, teacher.eval(), lessons, [len(its) for its in heads.values()], how, seed)
    with tqdm(
        total=100,
        desc=f"teaching {how.layers} layers",
        unit="%",
        disable=quiet,
        bar_format="{desc}: {percentage:3.0f}% |{bar}| {elapsed} elapsed{postfix}",
        mininterval=1.0,
    ) as bar:
        return student, run.go(bar)


class _Run:
    def __init__(
        self,
        student: Encoder,
        teacher: Encoder,
        lessons: Lessons,
        widths: list[int],
        how: Distillation,
        seed: int,
    ) -> None:
        torch.manual_seed(seed)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.student, self.teacher = student.to(self.device), teacher.to(self.device)
        self.dtype = fastest_dtype(self.device)
        self.lessons, self.widths, self.how, self.seed = lessons, widths, how, seed
        self.lengths = np.asarray([len(ids) for ids in lessons.ids])
        for parameter in student.backbone.get_input_embeddings().parameters():
            parameter.requires_grad_(False)  # as in fine-tuning
        learning = [p for p in student.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in learning if p.ndim > 1], "weight_decay": 0.01},
                {"params": [p for p in learning if p.ndim == 1], "weight_decay": 0.0},
            ],
            lr=how.rate,
            betas=(0.9, 0.98),
            fused=True,
        )
        self.random = np.random.default_rng(seed)

    def go(self, bar: tqdm[object]) -> dict[str, Any]:
        """Learn until the time or the passes are over; tells what was done."""
        began, seen = time.monotonic(), 0
        losses: list[float] = []
        for passes, rows in self.batches():
            spent = (time.monotonic() - began) / (self.how.minutes * 60)
            done = max(spent, passes / self.how.passes)
            if done >= 1:
                break
            losses.append(self.step(rows, done))
            seen += len(rows)
            bar.n = round(done * 100)
            bar.set_postfix_str(f"pass {int(passes) + 1}, loss {np.mean(losses[-100:]):.4f}")
        self.student.cpu()
        self.teacher.cpu()
        return {
            "layers": self.how.layers,
            "minutes": round((time.monotonic() - began) / 60, 1),
            "tickets seen": seen,
            "last loss": round(float(np.mean(losses[-100:])), 4) if losses else None,
        }

    def batches(self) -> Iterator[tuple[float, NDArray[np.int64]]]:
        """Rows of tickets of like length, in random order, and how many passes are over."""
        size = self.how.batch
        sure = self.lessons.linear.max(axis=1) >= self.how.sure
        for number in range(self.how.passes):
            taken = ~sure | (self.random.random(len(sure)) < self.how.easy_share)
            rows = self.random.permutation(np.flatnonzero(taken))
            batches = []
            for start in range(0, len(rows), 50 * size):
                chunk = rows[start : start + 50 * size]
                chunk = chunk[np.argsort(self.lengths[chunk], kind="stable")]
                batches += [chunk[at : at + size] for at in range(0, len(chunk), size)]
            for at, which in enumerate(self.random.permutation(len(batches))):
                yield number + at / len(batches), batches[which]

    def step(self, rows: NDArray[np.int64], done: float) -> float:
        """Learn from some tickets; the loss before."""
        how = self.how
        share = min(done / how.warmup, (1 - done) / (1 - how.warmup)) if how.warmup else 1 - done
        for group in self.optimizer.param_groups:
            group["lr"] = how.rate * max(share, 1e-3)
        seen = with_gaps([self.lessons.ids[row] for row in rows], how.forget, self.random)
        with torch.no_grad():
            wanted = self.answer(self.teacher, seen)
        self.student.train()
        loss = self.loss(self.answer(self.student, seen), wanted)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def answer(self, model: Encoder, tickets: Tickets) -> tuple[Tensor, Tensor]:
        """Scores and features."""
        half = self.dtype is not torch.float32
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=half):
            features = model.features(*padded(tickets, self.device))
        return model.scores(features), features

    def loss(self, said: tuple[Tensor, Tensor], wanted: tuple[Tensor, Tensor]) -> Tensor:
        """Divergence of each head's probabilities, and distance of the features in their spread."""
        warm = self.how.temperature
        pairs = zip(
            *(torch.split(scores, self.widths, 1) for scores, _ in (said, wanted)), strict=True
        )
        heads = [
            functional.kl_div(
                (mine / warm).log_softmax(-1),
                (theirs / warm).log_softmax(-1),
                reduction="batchmean",
                log_target=True,
            )
            for mine, theirs in pairs
        ]
        apart = functional.mse_loss(said[1], wanted[1]) / wanted[1].square().mean()
        return warm**2 * torch.stack(heads).sum() + self.how.features * apart
