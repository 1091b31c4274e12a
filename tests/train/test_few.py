"""Few labels: the ways of teaching are tried, and the best one is taken and told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cascade.stages.base import Heads
from train import few
from train.bert import Encoder
from train.few import CONTRASTIVE, PLAIN, UNTAUGHT, Trial, compare, teach
from train.recipe import Lessons
from train.tokens import embed

HEADS: Heads = {"queue": ("a", "b", "c"), "urgency": ("low", "high")}


@pytest.mark.parametrize(
    ("counts", "are_few"),
    [([64, 64, 9000], True), ([65, 65, 2], False), ([1, 1, 1], False), ([2, 1, 1], True)],
)
def test_labels_are_few_by_the_median_queue(counts: list[int], are_few: bool) -> None:
    assert few.few(np.repeat(np.arange(len(counts)), counts)) is are_few


WAYS = (UNTAUGHT, CONTRASTIVE, PLAIN)


def test_all_ways_are_judged_on_tickets_that_they_did_not_learn_from(
    lessons: Callable[..., Lessons], model: Callable[..., Encoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    what, learned = lessons(30), []

    def learn(model: Encoder, some: Lessons, *args: object, **how: object) -> None:
        learned.append({tuple(ids) for ids in some.ids})

    monkeypatch.setattr(few, "fit_contrastive", learn)
    monkeypatch.setattr(few, "fit_encoder", learn)
    judged = []

    def noted(model: Encoder, tickets: list[list[int]]) -> object:
        judged.append({tuple(ids) for ids in tickets})
        return embed(model, tickets)

    monkeypatch.setattr(few, "embed", noted)
    trial = compare(model, what, HEADS, 1.0, quiet=True)
    assert tuple(trial.losses) == WAYS
    assert len(judged) == len(learned) == len(WAYS) * few.FOLDS
    everything = {tuple(ids) for ids in what.ids}
    for taught, asked in zip(learned, judged, strict=True):
        assert taught | asked == everything
        assert not taught & asked
    assert learned == learned[: few.FOLDS] * len(WAYS), "the same folds for all"


def test_the_trial_knows_how_sure_each_may_be(
    lessons: Callable[..., Lessons], model: Callable[..., Encoder]
) -> None:
    trial = compare(model, lessons(30), HEADS, 0.05, quiet=True)
    for way in WAYS:
        assert set(trial.sharpness[way]) == set(HEADS)
        assert all(sharp >= 0 for sharp in trial.sharpness[way].values())


@pytest.mark.parametrize("better", WAYS)
def test_the_best_way_is_taken_and_told(
    lessons: Callable[..., Lessons],
    model: Callable[..., Encoder],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    better: str,
) -> None:
    losses = {way: 0.5 if way == better else 0.625 for way in WAYS}
    trial = Trial(losses, {way: {"queue": 2.0} for way in WAYS})
    monkeypatch.setattr(few, "compare", lambda *args, **how: trial)
    lines: list[str] = []
    taught, notes = teach(
        model,
        lessons(30),
        HEADS,
        0.02,
        checkpoint_file=tmp_path / "c",
        say=lines.append,
        quiet=True,
    )
    assert taught.unit == (better != PLAIN)
    (line,) = lines
    assert line.startswith(f"few labels, so three ways were tried; {better} it is")
    assert f"{better} 0.500" in line
    assert notes["way"] == better
    assert notes["why"] in line
    as_it_was = model().backbone.state_dict()
    same = all((as_it_was[name] == its).all() for name, its in taught.backbone.state_dict().items())
    assert same == (better == UNTAUGHT)


def test_with_many_labels_nothing_is_tried(
    lessons: Callable[..., Lessons],
    model: Callable[..., Encoder],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(few, "FEW", 9)
    monkeypatch.setattr(few, "compare", None)
    lines: list[str] = []
    taught, notes = teach(
        model,
        lessons(30),
        HEADS,
        0.02,
        checkpoint_file=tmp_path / "c",
        say=lines.append,
        quiet=True,
    )
    assert not taught.unit
    assert not lines
    assert set(notes) == {"minutes", "passes", "best held-out log-loss"}
