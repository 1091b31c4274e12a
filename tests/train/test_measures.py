"""Measures are computed as everybody else computes them, and intervals mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from cascade.decision import Decision
from train.measures import interval, macro_f1, quality, queue_numbers


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_macro_f1_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    y, guess = np.asarray(pairs).T
    ours = macro_f1(y, guess, 5)
    assert ours == pytest.approx(f1_score(y, guess, average="macro", zero_division=0))


def draw(random: np.random.Generator, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tickets of three classes, guessed right at rates of 90, 80 and 60 %."""
    y = random.choice(3, n, p=[0.5, 0.3, 0.2])
    right = random.random(n) < np.asarray([0.9, 0.8, 0.6])[y]
    return y, np.where(right, y, (y + 1) % 3)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    truth = macro_f1(*draw(random, 500_000), 3)
    covered = 0
    for seed in range(200):
        low, high = interval(*(pair := draw(random, 400)), 3, seed)
        assert low < macro_f1(*pair, 3) < high
        covered += low <= truth <= high
    assert 0.90 <= covered / 200 <= 0.99


def test_the_interval_narrows_with_more_tickets_and_does_not_jump() -> None:
    random = np.random.default_rng(1)
    few, many = draw(random, 100), draw(random, 10_000)
    (low, high), (lower, higher) = interval(*few, 3), interval(*many, 3)
    assert higher - lower < (high - low) / 5
    assert interval(*few, 3) == (low, high)


def test_the_interval_of_a_perfect_guess_is_a_point() -> None:
    y = np.arange(30) % 3
    assert interval(y, y, 3) == (1, 1)


def test_no_answer_is_missed_and_blamed_on_no_class() -> None:
    y, guess = np.asarray([0, 0, 1, 1]), np.asarray([0, -1, 1, 1])
    assert macro_f1(y, guess, 2) == pytest.approx((2 / 3 + 1) / 2)
    assert quality(y, guess, 2)["accuracy"] == 0.75
    assert macro_f1(y, np.full(4, -1), 2) == 0 and interval(y, np.full(4, -1), 2) == (0, 0)


def test_queues_are_numbered_as_they_are_listed() -> None:
    decisions = [
        Decision("1", queue, 0.9, "linear", "route", (), {}, (), "b-1", "")
        for queue in ("access", "billing", "access")
    ]
    assert queue_numbers(decisions, ("billing", "access")).tolist() == [1, 0, 1]
    assert queue_numbers([], ("billing",)).dtype == np.int64
