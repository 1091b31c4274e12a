"""Fitting how witnesses are joined: weights that find the truth, and nobody heard for nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cascade.gate import Join, join
from cascade.stages.base import softmax
from train.joining import FOLDS, fit_join, fit_weights

K = 5


def world(n: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits, and true classes drawn with exactly the probabilities of their softmax."""
    random = np.random.default_rng(seed)
    logits = random.normal(scale=2, size=(n, K))
    cumulated = softmax(logits).cumsum(axis=1)
    y = (random.random((n, 1)) > cumulated).sum(axis=1).clip(0, K - 1)
    return logits.astype(np.float32), y.astype(np.int64)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_weight_of_one_stage_is_its_inverse_temperature(temperature: float) -> None:
    """A stage that is too sure by a factor is found to be, so that fitting calibrates."""
    logits, y = world(20_000)
    (weight,) = fit_weights([softmax(logits / temperature)], y)
    assert weight == pytest.approx(temperature, rel=0.05)


def test_a_stage_that_knows_nothing_gets_about_no_weight() -> None:
    logits, y = world(20_000)
    noise, _ = world(20_000, seed=1)
    useful, useless = fit_weights([softmax(logits), softmax(noise)], y)
    assert useful == pytest.approx(1, rel=0.05)
    assert useless < 0.03


def test_a_stage_that_is_wrong_on_purpose_gets_no_negative_weight() -> None:
    logits, y = world(5_000)
    assert fit_weights([softmax(-logits)], y) == (0.0,)


def test_two_imperfect_witnesses_beat_either_one() -> None:
    random = np.random.default_rng(2)
    logits, y = world(10_000)
    stages = [softmax(logits + random.normal(scale=1.5, size=logits.shape)) for _ in range(2)]

    def loss(probabilities: NDArray[np.float32]) -> float:
        return float(-np.log(probabilities[np.arange(len(y)), y]).mean())

    alone = [loss(join([stage], fit_weights([stage], y))) for stage in stages]
    assert loss(join(stages, fit_weights(stages, y))) < min(alone) - 0.02


def test_certain_and_impossible_do_not_break_the_fit() -> None:
    y = np.asarray([0, 1, 2, 0])
    sure = np.eye(3, dtype=np.float32)[y]
    wrong = np.eye(3, dtype=np.float32)[(y + 1) % 3]
    for stages in ([sure], [wrong], [sure, wrong]):
        assert np.isfinite(fit_weights(stages, y)).all()


def test_without_tickets_all_stages_weigh_the_same() -> None:
    nothing = np.empty((0, 3), dtype=np.float32)
    assert fit_weights([nothing, nothing], np.empty(0, dtype=np.int64)) == (0.5, 0.5)


def log_loss(probabilities: NDArray[np.float32], y: NDArray[np.int64]) -> float:
    return float(-np.log(probabilities[np.arange(len(y)), y]).mean())


# --- who is heard ---


def test_a_newcomer_that_guesses_is_not_heard() -> None:
    random = np.random.default_rng(4)
    logits, y = world(1_500)
    heard = 0
    for _ in range(10):
        noise = softmax(random.normal(size=logits.shape))
        heard += fit_join([softmax(logits), noise], y).weights[-1] > 0
    assert heard <= 2


def test_a_newcomer_that_repeats_what_is_known_is_not_heard() -> None:
    logits, y = world(2_000)
    assert fit_join([softmax(logits), softmax(logits)], y).weights[-1] == 0


def test_a_newcomer_that_knows_more_is_heard() -> None:
    random = np.random.default_rng(2)
    logits, y = world(2_000)
    vague, clear = (softmax(logits + random.normal(scale=s, size=logits.shape)) for s in (3.0, 1.0))
    pool = fit_join([vague, clear], y)
    assert pool.weights[1] > pool.weights[0] >= 0
    assert log_loss(pool([vague, clear]), y) < log_loss(fit_join([vague], y)([vague]), y) - 0.1


def test_a_bias_is_fitted_where_a_stage_has_the_shares_of_other_times() -> None:
    """A stage trained when all queues were alike, on tickets of which most are of one."""
    random = np.random.default_rng(5)
    shares = np.asarray([0.7, 0.1, 0.1, 0.05, 0.05])
    y = random.choice(K, 4_000, p=shares)
    seen = softmax(2 * np.eye(K)[y] + random.normal(size=(len(y), K)))
    pool = fit_join([seen], y)
    assert np.argmax(pool.bias) == 0
    assert log_loss(pool([seen]), y) < log_loss(join([seen], fit_weights([seen], y)), y) - 0.05


def test_no_bias_is_fitted_where_none_is_needed() -> None:
    logits, y = world(2_000)
    assert fit_join([softmax(logits)], y).bias == ()


@pytest.mark.parametrize("n", [0, 1, FOLDS - 1])
def test_with_next_to_no_tickets_all_weigh_the_same(n: int) -> None:
    logits, y = world(10)
    seen = softmax(logits)[:n]
    assert fit_join([seen, seen], y[:n]) == Join((0.5, 0.5))


def test_the_same_tickets_give_the_same_join() -> None:
    logits, y = world(500)
    seen = [softmax(logits), softmax(logits[:, ::-1])]
    assert fit_join(seen, y) == fit_join(seen, y)
