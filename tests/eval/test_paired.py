"""What one way to answer loses on another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.paired import drop, macro_f1s
from train.measures import macro_f1

CLASSES = 4
ANSWERS = st.lists(st.tuples(*[st.integers(0, CLASSES - 1)] * 3), min_size=1, max_size=30)


@given(ANSWERS)
def test_counted_once_each_it_is_macro_f1(answers: list[tuple[int, int, int]]) -> None:
    y, guess, _ = np.asarray(answers).T
    (f1,) = macro_f1s(y, guess, CLASSES, np.ones((1, len(y)), dtype=np.float32))
    assert f1 == pytest.approx(macro_f1(y, guess, CLASSES))


@given(ANSWERS)
def test_counted_twice_a_ticket_is_there_twice(answers: list[tuple[int, int, int]]) -> None:
    y, guess, times = np.asarray(answers).T
    times[0] += 1  # one ticket at least
    (f1,) = macro_f1s(y, guess, CLASSES, times[None].astype(np.float32))
    assert f1 == pytest.approx(macro_f1(y.repeat(times), guess.repeat(times), CLASSES))


@given(ANSWERS)
def test_what_one_loses_the_other_gains(answers: list[tuple[int, int, int]]) -> None:
    y, one, other = np.asarray(answers).T
    lost, gained = drop(y, one, other, CLASSES), drop(y, other, one, CLASSES)
    assert lost["drop"] == pytest.approx(-gained["drop"])
    assert lost["drop_95"] == pytest.approx([-bound for bound in gained["drop_95"][::-1]])


def test_no_answer_is_missed_by_its_queue_and_takes_from_no_other() -> None:
    y = np.asarray([0, 0, 1, 1])
    (f1,) = macro_f1s(y, np.asarray([0, -1, 1, 1]), 2, np.ones((1, 4), dtype=np.float32))
    assert f1 == pytest.approx((2 / 3 + 1) / 2)


def test_the_same_answers_lose_nothing_for_certain() -> None:
    y = np.arange(40) % CLASSES
    assert drop(y, y[::-1], y[::-1], CLASSES) == {"drop": 0.0, "drop_95": [0.0, 0.0]}


def test_the_interval_is_narrow_where_the_answers_differ_on_few_tickets() -> None:
    """Which is what pairing is for: the tickets both get wrong say nothing of the difference."""
    random = np.random.default_rng(0)
    y = random.integers(0, CLASSES, 400)
    before = np.where(random.random(400) < 0.5, y, (y + 1) % CLASSES)
    after = before.copy()
    after[:8] = (y[:8] + 2) % CLASSES
    told = drop(y, before, after, CLASSES)
    low, high = told["drop_95"]
    assert 0 <= low <= told["drop"] <= high
    assert high - low < 0.03
