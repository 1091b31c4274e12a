"""Few labels: the ways of teaching are tried, and the best one is taken and told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cascade.stages.base import Heads
from train import few
from train.bert import Encoder, pretrained
from train.few import CONTRASTIVE, PLAIN, UNTAUGHT, Trial, compare, teach
from train.recipe import Lessons
from train.tokens import embed

HEADS: Heads = {"queue": ("a", "b", "c"), "urgency": ("low", "high")}


def lessons(rows: int = 30) -> Lessons:
    """Tickets in which one token tells the queue and another one the urgency, if it is known."""
    random = np.random.default_rng(0)
    queue, urgency = np.arange(rows) % 3, random.integers(-1, 2, rows)
    ids = [
        [2, *random.integers(100, 500, 4).tolist(), 20 + int(q), 50 + int(u), 3]
        for q, u in zip(queue, urgency, strict=True)
    ]
    nothing = np.full((rows, 3), 1 / 3, dtype=np.float32)
    return Lessons(ids, {"queue": queue, "urgency": urgency}, nothing)


@pytest.fixture
def fresh(encoder_folder: Callable[[str], Path]) -> Callable[[float], Encoder]:
    def make(dropout: float) -> Encoder:
        torch.manual_seed(0)
        return Encoder(pretrained(str(encoder_folder("bert")))[0], 5, dropout)

    return make


@pytest.mark.parametrize(
    ("counts", "are_few"),
    [([64, 64, 9000], True), ([65, 65, 2], False), ([1, 1, 1], False), ([2, 1, 1], True)],
)
def test_labels_are_few_by_the_median_queue(counts: list[int], are_few: bool) -> None:
    assert few.few(np.repeat(np.arange(len(counts)), counts)) is are_few


WAYS = (UNTAUGHT, CONTRASTIVE, PLAIN)


def test_all_ways_are_judged_on_tickets_that_they_did_not_learn_from(
    fresh: Callable[[float], Encoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    what, learned = lessons(), []

    def learn(model: Encoder, some: Lessons, *args: object, **how: object) -> None:
        learned.append({tuple(ids) for ids in some.ids})

    monkeypatch.setattr(few, "fit_contrastive", learn)
    monkeypatch.setattr(few, "fit_encoder", learn)
    judged = []

    def noted(model: Encoder, tickets: list[list[int]]) -> object:
        judged.append({tuple(ids) for ids in tickets})
        return embed(model, tickets)

    monkeypatch.setattr(few, "embed", noted)
    trial = compare(fresh, what, HEADS, 1.0, quiet=True)
    assert tuple(trial.losses) == WAYS
    assert len(judged) == len(learned) == len(WAYS) * few.FOLDS
    everything = {tuple(ids) for ids in what.ids}
    for taught, asked in zip(learned, judged, strict=True):
        assert taught | asked == everything
        assert not taught & asked
    assert learned == learned[: few.FOLDS] * len(WAYS), "the same folds for all"


def test_the_trial_knows_how_sure_each_may_be(fresh: Callable[[float], Encoder]) -> None:
    trial = compare(fresh, lessons(), HEADS, 0.05, quiet=True)
    for way in WAYS:
        assert set(trial.sharpness[way]) == set(HEADS)
        assert all(sharp >= 0 for sharp in trial.sharpness[way].values())


@pytest.mark.parametrize("better", WAYS)
def test_the_best_way_is_taken_and_told(
    fresh: Callable[[float], Encoder],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    better: str,
) -> None:
    losses = {way: 0.5 if way == better else 0.625 for way in WAYS}
    trial = Trial(losses, {way: {"queue": 2.0} for way in WAYS})
    monkeypatch.setattr(few, "compare", lambda *args, **how: trial)
    lines: list[str] = []
    model, notes = teach(
        fresh, lessons(), HEADS, 0.02, checkpoint_file=tmp_path / "c", say=lines.append, quiet=True
    )
    assert model.unit == (better != PLAIN)
    (line,) = lines
    assert line.startswith(f"few labels, so three ways were tried; {better} it is")
    assert f"{better} 0.500" in line
    assert notes["way"] == better
    assert notes["why"] in line
    as_it_was = fresh(0.0).backbone.state_dict()
    same = all((as_it_was[name] == its).all() for name, its in model.backbone.state_dict().items())
    assert same == (better == UNTAUGHT)


def test_with_many_labels_nothing_is_tried(
    fresh: Callable[[float], Encoder], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(few, "FEW", 9)
    monkeypatch.setattr(few, "compare", None)
    lines: list[str] = []
    model, notes = teach(
        fresh, lessons(), HEADS, 0.02, checkpoint_file=tmp_path / "c", say=lines.append, quiet=True
    )
    assert not model.unit
    assert not lines
    assert set(notes) == {"minutes", "passes", "best held-out log-loss"}
