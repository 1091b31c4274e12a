"""Encoders of fewer layers for `eval.encoder_variants`: cut, tuned on labels, and distilled."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from cascade.bundle import Bundle
from cascade.errors import InputError
from cascade.stages.base import QUEUE, Heads
from cascade.stages.encoder import TokenWindow
from train.bert import Encoder
from train.distil import Distillation, distil, shortened
from train.encoder import fit_encoder
from train.fit import read_split
from train.linear import fit_linear
from train.options import Options
from train.read import encode
from train.recipe import Lessons, Recipe

DISTILLED, TUNED = "distilled", "tuned on labels"
MINUTES = 600.0
"""Never reached: students are to see as many tickets, however busy the machine is."""


@dataclass(frozen=True, slots=True)
class Part:
    """Tickets of one split: cleaned texts, and ``(n,)`` their queues."""

    texts: list[str]
    y: NDArray[np.int64]

    def first(self, rows: int) -> Part:
        """The first so many."""
        return Part(self.texts[:rows], self.y[:rows])


def parts_of(bundle: Bundle, file: Path) -> tuple[Part, Part, Part]:
    """The train, gate and test split of the file that a bundle was trained on.

    Raises:
        InputError: it is another file, or was split in another way.
    """
    manifest = bundle.manifest
    options = Options(manifest.columns, seed=manifest.seed, quiet=True)
    tickets, _, split = read_split(file, options, lambda line: None)
    if (tickets.fingerprint, split.how) != (manifest.data["sha256"], manifest.data["split"]):
        raise InputError(f"{file}: is not the file that {bundle.path} was trained on")
    y = encode(tickets, manifest.heads)[QUEUE]

    def part(rows: NDArray[np.int64]) -> Part:
        return Part([tickets.texts[row] for row in rows], y[rows])

    return part(split.train), part(split.gate), part(split.test)


@dataclass(frozen=True, slots=True)
class Course:
    """How students are taught.

    Attributes:
        passes: over the tickets, of each way that takes some.
        layers: of each student.
        ways: of teaching, `DISTILLED` and `TUNED`.
        work: folder where students are kept, so that they need not be taught again.
    """

    passes: int
    layers: int
    ways: Sequence[str]
    work: Path
    seed: int = 0


def students(
    teacher: Encoder, window: TokenWindow, train: Part, heads: Heads, course: Course
) -> Iterator[tuple[str, Encoder]]:
    """Shorter encoders by name; those taught by as many tickets, from the same start."""
    layers = course.layers
    yield f"first {layers} layers", first(teacher, layers)
    yield f"first and last {layers - 1} layers", shortened(teacher, layers)
    lessons: list[Lessons] = []

    def taught() -> Lessons:
        if not lessons:
            lessons.append(_lessons(window, train, heads, course.seed))
        return lessons[0]

    def on_labels() -> Encoder:
        model = shortened(teacher, layers)
        recipe = Recipe(MINUTES, course.passes)
        fit_encoder(model, taught(), heads, recipe, checkpoint_file=None, seed=course.seed)
        return model

    def by_teacher() -> Encoder:
        how = Distillation(MINUTES, layers, course.passes)
        return distil(teacher, taught(), heads, how, seed=course.seed)[0]

    makers: Mapping[str, Callable[[], Encoder]] = {DISTILLED: by_teacher, TUNED: on_labels}
    for way in course.ways:
        name = f"{layers} layers, {way}"
        yield name, _kept(name, makers[way], shortened(teacher, layers), course)


def first(teacher: Encoder, layers: int) -> Encoder:
    """The teacher without its last layers."""
    model = copy.deepcopy(teacher)
    del model.backbone.encoder.layer[layers:]
    return model


def _lessons(window: TokenWindow, train: Part, heads: Heads, seed: int) -> Lessons:
    """The train split as in training: what the linear stage says of it is out of fold."""
    queues, targets = {QUEUE: heads[QUEUE]}, {QUEUE: train.y}
    linear = fit_linear(
        train.texts, targets, queues, folds=2, trust_labels=True, seed=seed, quiet=True
    )
    ids = [window(text) for text in train.texts]
    targets = {name: np.full(len(train.y), -1) for name in heads} | targets
    return Lessons(ids, targets, linear.out_of_fold[QUEUE])


def _kept(name: str, make: Callable[[], Encoder], shape: Encoder, course: Course) -> Encoder:
    """A student from the folder of work, or taught and put there."""
    slug = name.replace(",", "").replace(" ", "_")
    file = course.work / f"{slug}_{course.passes}.safetensors"
    if file.is_file():
        shape.load_state_dict(load_file(file))
        return shape
    torch.manual_seed(course.seed)
    model = make().cpu()
    course.work.mkdir(parents=True, exist_ok=True)
    save_file({key: its.contiguous() for key, its in model.state_dict().items()}, file)
    return model
