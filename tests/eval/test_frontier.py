"""The frontier: each threshold's share to people, and the quality of the rest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.frontier import LEAST, frontier
from train.measures import macro_f1


def tickets(seed: int, n: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidences that are true, guesses and queues."""
    random = np.random.default_rng(seed)
    confidence = random.uniform(0.3, 1, n)
    y = random.integers(0, 4, n)
    return confidence, np.where(random.random(n) < confidence, y, (y + 1) % 4), y


def test_it_starts_with_every_ticket_answered() -> None:
    confidence, guess, y = tickets(0)
    its = frontier(confidence, guess, y, 4)
    assert its["review"][0] == 0
    assert its["macro_f1"][0] == round(macro_f1(y, guess, 4), 4)
    assert its["right"][0] == pytest.approx((guess == y).mean(), abs=1e-4)


def test_leaving_the_unsure_ones_to_people_makes_the_rest_better() -> None:
    its = frontier(*tickets(0), 4)
    assert its["right"][-1] > its["right"][0] + 0.1
    assert its["macro_f1"][-1] > its["macro_f1"][0] + 0.1


@given(st.integers(0, 50), st.integers(1, 300))
def test_more_goes_to_people_as_the_threshold_rises(seed: int, n: int) -> None:
    its = frontier(*tickets(seed, n), 4)
    assert len({len(values) for values in its.values()}) == 1  # type: ignore[arg-type]
    assert its["threshold"] == sorted(its["threshold"])
    assert its["review"] == sorted(set(its["review"]))
    assert all(0 <= share <= 1 - LEAST + 1 / n for share in its["review"])


def test_equal_confidences_go_together() -> None:
    confidence = np.asarray([0.5] * 6 + [0.9] * 4)
    its = frontier(confidence, np.zeros(10, np.int64), np.zeros(10, np.int64), 2)
    assert its["review"] == [0.0, 0.6]
