"""Distillation: a shorter encoder comes to say what the longer one says, whatever the labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from cascade.errors import TrainingError
from cascade.stages.base import Heads
from train.bert import Encoder, pretrained
from train.distil import Distillation, distil, shortened
from train.recipe import Lessons
from train.tokens import embed

HEADS: Heads = {"queue": ("a", "b", "c"), "urgency": ("low", "high")}
HOW = Distillation(minutes=30, layers=1, passes=4, batch=16, rate=2e-3)


@pytest.fixture(autouse=True)
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.distil.fastest_dtype", lambda device: torch.float32)


@pytest.fixture
def teacher(model: Callable[..., Encoder]) -> Encoder:
    """Two layers of random weights, whose answers differ from ticket to ticket."""
    made = model(0.1).eval()
    for parameter in made.backbone.encoder.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.15)
    nn.init.normal_(made.head.weight, std=1.0)
    return made


def scores(model: Encoder, what: Lessons) -> NDArray[np.float32]:
    features = torch.as_tensor(embed(model, what.ids))
    with torch.no_grad():
        return np.asarray(model.scores(features).numpy())


def unlike(model: Encoder, teacher: Encoder, what: Lessons) -> float:
    """Mean divergence of the probabilities of the queues."""
    mine, theirs = (torch.as_tensor(scores(its, what))[:, :3] for its in (model, teacher))
    return float(
        nn.functional.kl_div(
            mine.log_softmax(-1), theirs.log_softmax(-1), reduction="batchmean", log_target=True
        )
    )


def test_it_comes_to_say_what_its_teacher_says(
    teacher: Encoder, lessons: Callable[..., Lessons]
) -> None:
    """Also of tickets that it has not seen."""
    before, unseen = shortened(teacher, 1), lessons(120, seed=1)
    student, notes = distil(teacher, lessons(240), HEADS, HOW, quiet=True)
    assert unlike(student, teacher, unseen) < 0.3 * unlike(before, teacher, unseen)
    assert notes["layers"] == 1
    assert notes["tickets seen"] == 4 * 240


def test_no_label_is_looked_at(teacher: Encoder, lessons: Callable[..., Lessons]) -> None:
    with_labels = lessons(64)
    how = replace(HOW, passes=1)
    one, _ = distil(teacher, with_labels, HEADS, how, quiet=True)
    other, _ = distil(teacher, replace(with_labels, targets={}), HEADS, how, quiet=True)
    assert np.array_equal(scores(one, with_labels), scores(other, with_labels))


def test_the_teacher_stays_as_it_is(teacher: Encoder, lessons: Callable[..., Lessons]) -> None:
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    distil(teacher, lessons(32), HEADS, replace(HOW, passes=1), quiet=True)
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    assert len(teacher.backbone.encoder.layer) == 2


def test_easy_tickets_come_less_often(teacher: Encoder, lessons: Callable[..., Lessons]) -> None:
    what = lessons(320)
    what.linear[:160] = [0.98, 0.01, 0.01]
    _, notes = distil(teacher, what, HEADS, replace(HOW, passes=1, easy_share=0.0), quiet=True)
    assert notes["tickets seen"] == 160


def test_it_ends_in_time(teacher: Encoder, lessons: Callable[..., Lessons]) -> None:
    how = replace(HOW, minutes=0.01, passes=1_000_000)
    _, notes = distil(teacher, lessons(240), HEADS, how, quiet=True)
    assert notes["minutes"] <= 0.1


def test_the_first_layer_is_kept_and_the_last_ones(teacher: Encoder) -> None:
    first, last = teacher.backbone.encoder.layer
    teacher.backbone.encoder.layer.extend([first, last])  # four, of which two and two are the same
    kept = shortened(teacher, 3).backbone.encoder.layer
    for mine, theirs in zip(kept, [first, first, last], strict=True):
        assert torch.equal(mine.output.dense.weight, theirs.output.dense.weight)
        assert mine is not theirs


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta"])
def test_a_shorter_one_answers_by_itself(
    kind: str, encoder_folder: Callable[[str], Path], lessons: Callable[..., Lessons]
) -> None:
    """Also those that run through transformers, where the number of layers is a setting as well."""
    backbone, _, _ = pretrained(str(encoder_folder(kind)))
    model = Encoder(backbone, 5)
    short = shortened(model, 1)
    assert scores(short, lessons(4)).shape == (4, 5)
    assert not np.allclose(scores(short, lessons(4)), scores(model, lessons(4)))


@pytest.mark.parametrize("layers", [0, 2, 3])
def test_layers_that_there_are_not(teacher: Encoder, layers: int) -> None:
    with pytest.raises(TrainingError, match=f"--encoder-layers {layers}: the encoder has 2"):
        shortened(teacher, layers)


def test_an_encoder_of_another_build(teacher: Encoder) -> None:
    teacher.backbone.encoder = nn.Identity()
    with pytest.raises(TrainingError, match="is a bert, which cannot be shortened"):
        shortened(teacher, 1)
