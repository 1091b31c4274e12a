"""What gates are fitted on: halves that share nothing, and stopping that costs next to nothing."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from train.witnesses import halves, least_regret_threshold


@given(st.integers(0, 500), st.integers(0, 9))
def test_the_halves_share_no_ticket_and_leave_none_out(n: int, seed: int) -> None:
    fitting, testing = halves(n, seed)
    assert sorted([*fitting, *testing]) == list(range(n))
    assert 0 <= len(testing) - len(fitting) <= 1


def test_a_lucky_lower_threshold_is_not_taken() -> None:
    # From the surest down: 100 right ones, 50 on which the next stage is better, then 50 on which
    # this one is. Settling all of them costs nothing here, and would elsewhere.
    y = np.tile([0, 1], 100)
    confidence = np.repeat([0.9, 0.6, 0.3], [100, 50, 50]).astype(np.float32)
    here, later = y.copy(), y.copy()
    here[100:150] = 1 - y[100:150]
    later[150:] = 1 - y[150:]

    assert 0.6 < least_regret_threshold(confidence, here, later, y) <= 0.9


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.1))
def test_settling_early_costs_no_more_than_the_regret(seed: int, regret: float) -> None:
    random = np.random.default_rng(seed)
    y, here, later = random.integers(0, 3, size=(3, 80))
    confidence = random.random(80).astype(np.float32)

    threshold = least_regret_threshold(confidence, here, later, y, regret)

    mixed = np.where(confidence >= np.float32(threshold), here, later)
    asked = f1_score(y, later, average="macro")
    assert f1_score(y, mixed, average="macro") >= asked - regret - 1e-9
