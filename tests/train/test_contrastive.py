"""Learning from pairs: what pairs there are, what they teach, and a head that serves as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer

from cascade.stages.base import Heads, softmax
from cascade.stages.encoder import EncoderStage, TokenWindow
from train.bert import Encoder, pretrained
from train.contrastive import Contrast, fit_contrastive, fit_heads, pair_loss, pairs_of
from train.export import export
from train.recipe import Lessons
from train.tokens import embed

HEADS: Heads = {"queue": ("a", "b", "c"), "urgency": ("low", "high")}
ROWS = 24
Fit = Callable[..., float]
RECIPE = Contrast(minutes=5, passes=40, pairs=8, dropout=0.0, rate=2e-3)


@pytest.fixture
def fit(lessons: Callable[..., Lessons]) -> Fit:
    def run(model: Encoder, recipe: Contrast = RECIPE, what: Lessons | None = None) -> float:
        return fit_contrastive(model, what or lessons(ROWS), HEADS, recipe, quiet=True)

    return run


def right(model: Encoder, what: Lessons) -> float:
    features = torch.as_tensor(embed(model, what.ids))
    guess = model.scores(features)[:, :3].argmax(1).numpy()
    return float((guess == what.targets["queue"]).mean())


# --- pairs ---


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(1, 8), st.integers(1, 4))
def test_a_pair_is_of_one_queue_and_of_two_tickets_where_there_are_two(
    queues: list[int], size: int, passes: int
) -> None:
    y = np.asarray(queues)
    for step in pairs_of(y, size, passes, np.random.default_rng(0)):
        first, second = step[:size], step[size:]
        assert (y[first] == y[second]).all()
        alone = np.bincount(y)[y[first]] == 1
        assert ((first == second) == alone).all()


def test_every_ticket_comes_first_once_a_pass() -> None:
    y = np.arange(12) % 3
    steps = list(pairs_of(y, 4, 2.0, np.random.default_rng(0)))
    firsts = np.concatenate([step[:4] for step in steps])
    assert sorted(firsts[:12]) == sorted(firsts[12:]) == list(range(12))


def test_each_other_ticket_of_the_queue_is_as_likely_a_partner() -> None:
    y = np.zeros(4, dtype=np.int64)
    partners = [step[1] for step in pairs_of(y, 1, 1000, np.random.default_rng(0)) if step[0] == 1]
    share = np.bincount(partners, minlength=4) / len(partners)
    assert share[1] == 0
    assert share[[0, 2, 3]] == pytest.approx(1 / 3, abs=0.05)


# --- the loss ---


def test_the_loss_is_that_of_the_paper() -> None:
    features = np.random.default_rng(0).normal(size=(6, 4))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    y = np.asarray([0, 0, 1, 1, 1, 0])
    chances = np.exp(features @ features.T / 0.2)
    expected = []
    for i in range(6):
        others = [j for j in range(6) if j != i]
        own = [j for j in others if y[j] == y[i]]
        total = sum(chances[i, j] for j in others)
        expected.append(-np.mean([np.log(chances[i, j] / total) for j in own]))
    ours = pair_loss(torch.as_tensor(features), torch.as_tensor(y), 0.2)
    assert float(ours) == pytest.approx(np.mean(expected), rel=1e-6)


def test_queues_apart_cost_next_to_nothing() -> None:
    features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert float(pair_loss(features, torch.tensor([0, 0, 1, 1]), 0.05)) < 1e-6
    assert float(pair_loss(features, torch.tensor([0, 1, 0, 1]), 0.05)) > 10


# --- what is learned ---


def test_pairs_teach_more_than_a_head_on_the_encoder_as_it_is(
    fit: Fit, lessons: Callable[..., Lessons], model: Callable[..., Encoder]
) -> None:
    new = lessons(300, seed=9)
    frozen, taught = model(), model()
    fit(frozen, replace(RECIPE, minutes=0))
    fit(taught)
    assert right(taught, new) > max(right(frozen, new) + 0.1, 0.8)


def test_the_minutes_are_kept(fit: Fit, model: Callable[..., Encoder]) -> None:
    """So many passes would take minutes; a machine that is busy takes some seconds to stop."""
    assert fit(model(), replace(RECIPE, minutes=0.01, passes=1e4)) < 0.2


def test_no_minutes_leave_the_encoder_as_it_is(
    fit: Fit, lessons: Callable[..., Lessons], model: Callable[..., Encoder]
) -> None:
    learner, before = model(), model()
    before.unit = True
    fit(learner, replace(RECIPE, minutes=0))
    assert (embed(learner, lessons(ROWS).ids) == embed(before, lessons(ROWS).ids)).all()


def test_the_same_seed_gives_the_same_weights(
    fit: Fit, lessons: Callable[..., Lessons], model: Callable[..., Encoder]
) -> None:
    one, other, another = model(), model(), model()
    recipe = replace(RECIPE, passes=2)
    fit(one, recipe)
    fit(other, recipe)
    fit_contrastive(another, lessons(ROWS), HEADS, recipe, seed=1, quiet=True)
    ids = lessons(5, seed=3).ids
    assert (embed(one, ids) == embed(other, ids)).all()
    assert (embed(one, ids) != embed(another, ids)).any()


def test_embeddings_of_words_stay(fit: Fit, model: Callable[..., Encoder]) -> None:
    learner = model()
    before = learner.backbone.get_input_embeddings().weight.clone()
    fit(learner, replace(RECIPE, passes=2))
    assert (learner.backbone.get_input_embeddings().weight == before).all()


# --- the head ---


def head_of(
    model: Encoder,
    features: NDArray[np.float32],
    targets: dict[str, NDArray[np.int64]],
    **how: float,
) -> list[NDArray[np.float32]]:
    """What the head says of the features: probabilities of the queue and of the urgency."""
    fit_heads(model, features, targets, HEADS, 10.0, how)
    with torch.no_grad():
        scores = model.scores(torch.as_tensor(features)).numpy()
    return [softmax(scores[:, :3]), softmax(scores[:, 3:])]


FEATURES = np.random.default_rng(5).normal(size=(40, 32)).astype(np.float32)


def test_the_head_is_the_logistic_regression_that_was_fitted(model: Callable[..., Encoder]) -> None:
    targets = {"queue": np.arange(40) % 3, "urgency": np.arange(40) % 5 // 4}
    for ours, y in zip(head_of(model(), FEATURES, targets), targets.values(), strict=True):
        theirs = LogisticRegression(C=10.0, max_iter=1000).fit(FEATURES, y).predict_proba(FEATURES)
        assert np.abs(ours - theirs).max() < 1e-5


def test_missing_labels_are_left_out_and_a_label_of_one_class_says_nothing(
    model: Callable[..., Encoder],
) -> None:
    y = np.arange(40) % 3
    half = np.where(np.arange(40) < 20, 1, -1)
    queue, urgency = head_of(model(), FEATURES, {"queue": y, "urgency": half})
    assert urgency == pytest.approx(np.full((40, 2), 0.5))
    missing = np.where(np.arange(40) < 30, y, -1)
    fewer, _ = head_of(model(), FEATURES, {"queue": missing, "urgency": half})
    alone = LogisticRegression(C=10.0, max_iter=1000)
    alone.fit(FEATURES[:30], y[:30])
    assert np.abs(fewer - alone.predict_proba(FEATURES)).max() < 1e-5
    assert np.abs(fewer - queue).max() > 1e-3


def test_a_queue_without_tickets_stays_possible_and_unlikely(model: Callable[..., Encoder]) -> None:
    y = {"queue": np.arange(40) % 2, "urgency": np.arange(40) % 2}
    queue, _ = head_of(model(), FEATURES, y)
    assert (queue[:, 2] > 0).all()
    assert (queue.argmax(1) != 2).all()


def test_sharpness_multiplies_the_scores(model: Callable[..., Encoder]) -> None:
    y = {"queue": np.arange(40) % 3, "urgency": np.arange(40) % 2}
    plain, low = head_of(model(), FEATURES, y)
    sharp, same = head_of(model(), FEATURES, y, queue=2.0)
    assert (low == same).all()
    squared = plain.astype(np.float64) ** 2
    assert sharp == pytest.approx(squared / squared.sum(1, keepdims=True), abs=1e-5)


def test_the_exported_stage_says_what_the_logistic_regression_says(
    fit: Fit, encoder_folder: Callable[[str], Path], model: Callable[..., Encoder]
) -> None:
    learner = model()
    _, tokenizer, _ = pretrained(str(encoder_folder("bert")))
    window = TokenWindow(Tokenizer.from_str(tokenizer), 32, 0.75)
    texts = ["cannot log in", "invoice is wrong", "the printer is broken", "log in again"] * 3
    queue = np.asarray([0, 1, 2, 0] * 3)
    ids = [window(text) for text in texts]
    what = Lessons(ids, {"queue": queue, "urgency": queue % 2}, np.empty((12, 3), np.float32))
    fit(learner, replace(RECIPE, passes=3), what)
    features = embed(learner, ids)
    assert np.linalg.norm(features, axis=1) == pytest.approx(1)
    theirs = LogisticRegression(C=RECIPE.strength, max_iter=1000).fit(features, queue)
    exported = export(learner, window, HEADS, texts, queue)
    served = EncoderStage(exported.model, window, HEADS).predict(texts)["queue"]
    assert exported.precision == "int8"
    assert np.abs(served - theirs.predict_proba(features)).max() < 0.05, "as int8"
    assert exported.notes["onnx_torch_largest_difference"] <= 1e-4
