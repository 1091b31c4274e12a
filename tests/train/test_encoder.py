"""Fine-tuning: it learns, it stops when it should, and it goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from cascade.stages.base import Heads
from train import encoder
from train.bert import Encoder
from train.checkpoint import Standing
from train.encoder import Interrupted, fit_encoder
from train.precision import fastest_dtype
from train.recipe import Lessons, Recipe

HEADS: Heads = {"queue": ("a", "b", "c"), "urgency": ("low", "high")}
ROWS = 240
Fit = Callable[..., list[dict[str, float]]]
RECIPE = Recipe(minutes=30, passes=4, batch=16, dropout=0.0, rate=2e-3, held_out=0.2, evaluations=8)


@pytest.fixture
def fit(lessons: Callable[..., Lessons]) -> Fit:
    def run(
        model: Encoder,
        folder: Path,
        recipe: Recipe = RECIPE,
        what: Lessons | None = None,
        **options: Any,
    ) -> list[dict[str, float]]:
        file, what = folder / "c.safetensors", what or lessons(ROWS)
        return fit_encoder(model, what, HEADS, recipe, checkpoint_file=file, quiet=True, **options)

    return run


def scores(model: Encoder, what: Lessons) -> NDArray[np.float32]:
    model.eval()
    with torch.no_grad():
        rows = [model(torch.tensor([ids]))[0] for ids in what.ids]
    return torch.stack(rows).numpy()


class Stopper:
    """Presses Ctrl-C before a given step; counts the steps that were made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int | None = None) -> None:
        self.steps, self.at = 0, at
        step = encoder._Run.step

        def counted(run: Any, rows: Any, done: float) -> None:
            if self.steps == self.at:
                raise KeyboardInterrupt
            self.steps += 1
            step(run, rows, done)

        monkeypatch.setattr(encoder._Run, "step", counted)


# --- learning ---


def test_it_learns_all_labels_and_the_loss_falls(
    fit: Fit, lessons: Callable[..., Lessons], model: Callable[..., Encoder], tmp_path: Path
) -> None:
    learner = model()
    recipe = replace(RECIPE, passes=12, evaluations=60, patience=60)
    history = fit(learner, tmp_path, recipe)
    losses = [entry["loss"] for entry in history]
    assert losses[0] > 0.3 > 0.1 > losses[-1]
    new = lessons(ROWS, seed=1)
    out = scores(learner, new)
    assert (out[:, :3].argmax(axis=1) == new.targets["queue"]).mean() > 0.95
    known = new.targets["urgency"] >= 0
    right = out[known, 3:].argmax(axis=1) == new.targets["urgency"][known]
    assert right.mean() > 0.9


def test_the_history_tells_seconds_passes_and_losses(
    fit: Fit, model: Callable[..., Encoder], tmp_path: Path
) -> None:
    history = fit(model(), tmp_path)
    assert all(entry.keys() == {"seconds", "pass", "loss"} for entry in history)
    seconds, passes = [e["seconds"] for e in history], [e["pass"] for e in history]
    assert seconds == sorted(seconds)
    assert passes == sorted(passes)
    assert passes[0] == 1
    assert passes[-1] == RECIPE.passes
    assert len(history) >= RECIPE.evaluations


def test_a_label_that_no_ticket_has_is_left_as_it_was(
    fit: Fit, lessons: Callable[..., Lessons], model: Callable[..., Encoder], tmp_path: Path
) -> None:
    what = lessons(ROWS)
    what.targets["urgency"][:] = -1
    learner = model()
    before = learner.head.weight.detach().clone()
    fit(learner, tmp_path, replace(RECIPE, passes=1), what)
    assert torch.equal(learner.head.weight[3:], before[3:])
    assert not torch.equal(learner.head.weight[:3], before[:3])


def test_the_parts_of_a_step_add_up_to_its_loss(
    lessons: Callable[..., Lessons], model: Callable[..., Encoder]
) -> None:
    """Of each label the mean over the tickets that have it, also where a part has none of them."""
    what = lessons(40)
    what.targets["urgency"][:10] = -1
    run = encoder._Run(model(), what, HEADS, RECIPE, None, 0)
    known = {name: int((y >= 0).sum()) for name, y in what.targets.items()}

    def loss(part: slice) -> float:
        targets = {name: y[part] for name, y in what.targets.items()}
        return float(run.loss(what.ids[part], targets, known).detach())

    expected = 0.0
    logits = torch.as_tensor(scores(run.model, what))
    for part, name, weight in ((slice(0, 3), "queue", 1.0), (slice(3, 5), "urgency", 0.3)):
        y = torch.as_tensor(what.targets[name])
        expected += weight * float(
            functional.cross_entropy(logits[:, part], y, ignore_index=-1, label_smoothing=0.05)
        )
    assert loss(slice(40)) == pytest.approx(expected, abs=1e-5)
    assert loss(slice(10)) + loss(slice(10, 40)) == pytest.approx(expected, abs=1e-5)


def test_no_more_tokens_go_through_the_encoder_at_once_than_the_memory_is_for(
    fit: Fit, model: Callable[..., Encoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    widest: list[int] = []
    padded = encoder.padded

    def noted(tickets: Any, device: torch.device) -> Any:
        widest.append(len(tickets) * max(map(len, tickets)))
        return padded(tickets, device)

    monkeypatch.setattr(encoder, "TOKENS_AT_ONCE", 40)
    monkeypatch.setattr(encoder._Run, "held_out_loss", lambda run: 0.9)
    monkeypatch.setattr(encoder, "padded", noted)
    fit(model(), tmp_path, replace(RECIPE, passes=1))
    assert 20 < max(widest) <= 40


def test_word_embeddings_stay_as_they_were(
    fit: Fit, model: Callable[..., Encoder], tmp_path: Path
) -> None:
    learner = model()
    before = learner.backbone.get_input_embeddings().weight.detach().clone()
    fit(learner, tmp_path, replace(RECIPE, passes=1))
    assert torch.equal(learner.backbone.get_input_embeddings().weight, before)


def test_hard_tickets_are_in_every_pass_and_few_of_the_easy_ones(
    lessons: Callable[..., Lessons], model: Callable[..., Encoder], tmp_path: Path
) -> None:
    what = lessons(ROWS)
    easy = np.arange(ROWS) % 2 == 0
    what.linear[easy] = [0.98, 0.01, 0.01]
    run = encoder._Run(model(), what, HEADS, RECIPE, tmp_path / "c", 0)
    passes = [np.concatenate(list(run.one_pass(number))) for number in range(8)]
    for rows in passes:
        assert len(set(rows.tolist())) == len(rows)
        assert set(run.rows[~easy[run.rows]].tolist()) <= set(rows.tolist())
        assert not set(rows.tolist()) & set(run.dev.tolist()), "held out is held out"
    shares = [easy[rows].sum() / easy[run.rows].sum() for rows in passes]
    assert 0.05 < np.mean(shares) < 0.3
    assert len({tuple(rows.tolist()) for rows in passes}) == 8
    again = np.concatenate(list(run.one_pass(3)))
    assert np.array_equal(again, passes[3])


def test_the_same_seed_gives_the_same_weights(
    fit: Fit, model: Callable[..., Encoder], tmp_path: Path
) -> None:
    one, other = model(), model()
    fit(one, tmp_path / "a", replace(RECIPE, passes=1))
    fit(other, tmp_path / "b", replace(RECIPE, passes=1))
    assert torch.equal(one.head.weight, other.head.weight)


@pytest.mark.parametrize("rows", [1, 2, 9])
def test_hardly_any_tickets_are_no_crash(
    fit: Fit,
    lessons: Callable[..., Lessons],
    model: Callable[..., Encoder],
    tmp_path: Path,
    rows: int,
) -> None:
    what = lessons(ROWS)
    few = Lessons(
        what.ids[:rows],
        {name: y[:rows] for name, y in what.targets.items()},
        what.linear[:rows],
    )
    assert fit(model(), tmp_path, replace(RECIPE, passes=1), few)


# --- stopping ---


def test_the_minutes_are_kept(fit: Fit, model: Callable[..., Encoder], tmp_path: Path) -> None:
    history = fit(model(), tmp_path, replace(RECIPE, minutes=0.02, passes=10_000))
    assert 1 <= history[-1]["seconds"] < 6


def test_no_minutes_are_one_evaluation(
    fit: Fit, model: Callable[..., Encoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopper = Stopper(monkeypatch)
    assert len(fit(model(), tmp_path, replace(RECIPE, minutes=1e-9))) == 1
    assert stopper.steps == 0


def test_without_progress_the_rate_falls_to_zero_and_training_ends(
    fit: Fit, model: Callable[..., Encoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, passes=50, evaluations=50, patience=3, cooldown=0.1)
    losses = iter([0.9, 0.5, 0.6, 0.5, 0.7, *[0.8] * 50])  # an equal one is not better
    rates: list[float] = []
    monkeypatch.setattr(encoder._Run, "held_out_loss", lambda run: next(losses))
    step = encoder._Run.step

    def noted(run: Any, rows: Any, done: float) -> None:
        rates.append(run.factor(done))
        step(run, rows, done)

    monkeypatch.setattr(encoder._Run, "step", noted)
    history = fit(model(), tmp_path, recipe)
    assert [entry["loss"] for entry in history[:5]] == [0.9, 0.5, 0.6, 0.5, 0.7]
    assert history[-1]["pass"] <= 12, "five evaluations of a 50th, and a cooldown of a tenth"
    assert rates[-1] < 0.05 * max(rates)


def test_a_slow_start_is_not_an_end(
    fit: Fit, model: Callable[..., Encoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the encoder adds nothing to the linear stage, its join has the same loss each time."""
    monkeypatch.setattr(encoder._Run, "held_out_loss", lambda run: 0.9)
    history = fit(model(), tmp_path, replace(RECIPE, passes=4, evaluations=40, patience=3))
    assert history[-1]["pass"] == 4


def test_evaluations_that_take_long_are_fewer(
    fit: Fit, model: Callable[..., Encoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth of the time is for them, beside the first and the last."""
    now = 0.0

    def tick(seconds: float) -> float:
        nonlocal now
        now += seconds
        return 0.9

    monkeypatch.setattr(encoder._Run, "held_out_loss", lambda run: tick(3.0))
    monkeypatch.setattr(encoder._Run, "step", lambda run, rows, done: tick(0.1))
    recipe = replace(RECIPE, minutes=2, passes=10_000, evaluations=12)
    history = fit(model(), tmp_path, recipe, clock=lambda: now)
    assert len(history) == 5, "after 10 s, then every 30 s"
    assert now < 2 * 60 + 4


@pytest.mark.parametrize(
    ("rows", "classes", "passes"), [(33_000, 8, 4), (9_000, 77, 9), (300, 30, 12), (20, 2, 12)]
)
def test_few_rows_a_class_get_more_passes(rows: int, classes: int, passes: int) -> None:
    assert encoder.passes_for(rows, classes) == passes


# --- going on ---


@pytest.mark.parametrize("at", [0, 1, 17, 30])
def test_ctrl_c_writes_a_checkpoint_and_the_same_call_goes_on(
    fit: Fit,
    model: Callable[..., Encoder],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at: int,
) -> None:
    """At the end the weights are those of a run that was never stopped."""
    never_stopped = model()
    with monkeypatch.context() as patch:
        whole = Stopper(patch)
        expected = fit(never_stopped, tmp_path / "whole")
    with monkeypatch.context() as patch:
        Stopper(patch, at)
        with pytest.raises(Interrupted):
            fit(model(), tmp_path)
    assert (tmp_path / "c.safetensors").is_file()
    learner = model()
    rest = Stopper(monkeypatch)
    history = fit(learner, tmp_path)
    assert at + rest.steps == whole.steps
    assert [e["pass"] for e in history] == [e["pass"] for e in expected]
    assert [e["loss"] for e in history] == pytest.approx([e["loss"] for e in expected], abs=2e-3)
    assert torch.allclose(learner.head.weight, never_stopped.head.weight, atol=1e-4)


def test_a_run_that_had_ended_is_not_run_again(
    fit: Fit, model: Callable[..., Encoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the encoder is exported."""
    ended, again = model(), model()
    fit(ended, tmp_path)
    rest = Stopper(monkeypatch)
    fit(again, tmp_path)
    assert rest.steps == 0
    assert torch.equal(again.head.weight, ended.head.weight)


def test_the_seconds_before_count(
    fit: Fit,
    lessons: Callable[..., Lessons],
    model: Callable[..., Encoder],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        Stopper(patch, 5)
        with pytest.raises(Interrupted):
            fit(model(), tmp_path, clock=clock(step=2.0))
    spent = standing(model(), tmp_path, lessons(ROWS)).seconds
    assert spent >= 10
    assert fit(model(), tmp_path)[-1]["seconds"] >= spent


def clock(step: float) -> Callable[[], float]:
    """A clock that shows some seconds more whenever it is looked at."""
    times: Iterator[float] = iter(np.arange(0, 1e6, step).tolist())
    return lambda: next(times)


def standing(learner: Encoder, folder: Path, what: Lessons) -> Standing:
    """Where a run that is set up now would begin."""
    run = encoder._Run(learner, what, HEADS, RECIPE, folder / "c.safetensors", 0)
    return run.standing


def test_a_checkpoint_is_used_by_the_same_run_only(
    fit: Fit,
    lessons: Callable[..., Lessons],
    model: Callable[..., Encoder],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        Stopper(patch, 20)
        with pytest.raises(Interrupted):
            fit(model(), tmp_path)
    assert standing(model(), tmp_path, lessons(ROWS)).number == 1
    assert standing(model(), tmp_path, lessons(ROWS, seed=5)).number == 0, "other tickets"
    other_labels = lessons(ROWS)
    other_labels.targets["urgency"][0] = 1 - abs(other_labels.targets["urgency"][0])
    assert standing(model(), tmp_path, other_labels).number == 0, "other labels"
    other_weights = model()
    with torch.no_grad():
        next(other_weights.backbone.encoder.parameters()).add_(0.1)
    assert standing(other_weights, tmp_path, lessons(ROWS)).number == 0, (
        "another encoder of the same vocabulary"
    )
    run = encoder._Run(
        model(), lessons(ROWS), HEADS, replace(RECIPE, rate=1e-5), tmp_path / "c.safetensors", 0
    )
    assert run.standing.number == 0, "another recipe"


# --- parts ---


def test_weights_of_layers_decay_and_those_of_norms_and_heads_do_not(
    model: Callable[..., Encoder],
) -> None:
    learner = model()
    matrices, vectors, head = encoder._optimizer(learner, 1e-4).param_groups
    assert all(p.ndim > 1 for p in matrices["params"])
    assert all(p.ndim == 1 for p in vectors["params"])
    assert [group["weight_decay"] for group in (matrices, vectors, head)] == [0.01, 0, 0]
    assert head["lr"] == 10 * matrices["lr"]
    assert {id(p) for p in head["params"]} == {id(p) for p in learner.head.parameters()}


def test_the_precision_is_one_that_the_machine_can_compute_in() -> None:
    dtype = fastest_dtype(torch.device("cpu"))
    assert dtype in (torch.float32, torch.bfloat16)
    layer = nn.Linear(4, 4)
    with torch.autocast("cpu", dtype=dtype, enabled=dtype is not torch.float32):
        assert torch.isfinite(layer(torch.ones(1, 4)).float()).all()
