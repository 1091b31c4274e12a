"""Figures of confidences: their bounds, laws, and values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eval.metrics import (
    aurc,
    auroc,
    brier,
    coverage_at,
    debiased_calibration_error,
    excess_aurc,
    expected_calibration_error,
    recall_at_retention,
    reliability,
    risk_coverage,
)

Tickets = tuple[NDArray[np.float64], NDArray[np.bool_]]

# Few different confidences, so that there are ties.
tickets = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=60).map(
    lambda rows: (np.asarray([c / 20 for c, _ in rows]), np.asarray([r for _, r in rows]))
)
scores = st.lists(st.integers(0, 9), min_size=1, max_size=40).map(np.asarray)
SURE_FIRST = np.asarray([0.9, 0.8, 0.7, 0.6])


@pytest.mark.parametrize(
    "figure", [expected_calibration_error, debiased_calibration_error, aurc, excess_aurc]
)
@given(drawn=tickets, seed=st.integers(0, 99))
def test_bounds_and_any_order(figure: object, drawn: Tickets, seed: int) -> None:
    confidence, right = drawn
    assert callable(figure)
    value = figure(confidence, right)
    assert -1e-12 <= value <= 1 + 1e-12
    order = np.random.default_rng(seed).permutation(len(right))
    assert figure(confidence[order], right[order]) == pytest.approx(value, abs=1e-12)


@given(drawn=tickets, bins=st.integers(1, 20))
def test_each_ticket_is_in_one_bin(drawn: Tickets, bins: int) -> None:
    confidence, right = drawn
    its = reliability(confidence, right, bins)
    assert its.counts.sum() == len(right) and len(its.counts) <= bins
    assert its.shares @ its.accuracy == pytest.approx(right.mean())
    assert its.shares @ its.confidence == pytest.approx(confidence.mean())
    assert (np.diff(its.confidence) > 0).all()


def test_bins_have_equal_mass() -> None:
    confidence = np.linspace(0, 1, 1500) ** 4
    counts = reliability(confidence, confidence > 0.5).counts
    assert len(counts) == 15 and counts.min() >= 99 and counts.max() <= 101


def test_calibration_error_by_hand() -> None:
    confidence = np.asarray([0.6, 0.6, 0.9, 0.9])
    right = np.asarray([True, False, True, True])
    assert expected_calibration_error(confidence, right, bins=2) == pytest.approx(0.1)
    # (0.1² - 0.25) / 2 + (0.1² - 0) / 2 is negative: nothing but noise.
    assert debiased_calibration_error(confidence, right, bins=2) == 0


def test_who_is_always_sure_and_always_wrong_is_worst_calibrated() -> None:
    confidence, right = np.ones(50), np.zeros(50, dtype=bool)
    assert expected_calibration_error(confidence, right) == 1
    assert debiased_calibration_error(confidence, right) == 1


def test_noise_alone_is_no_calibration_error_once_it_is_taken_off() -> None:
    random = np.random.default_rng(0)
    plain, debiased = [], []
    for _ in range(200):
        confidence = random.uniform(0.3, 1, 300)
        right = random.random(300) < confidence
        plain.append(expected_calibration_error(confidence, right))
        debiased.append(debiased_calibration_error(confidence, right))
    assert np.mean(plain) > 0.05  # although the truth is 0
    assert np.mean(debiased) < 0.025


def test_debiasing_leaves_a_real_error() -> None:
    random = np.random.default_rng(0)
    confidence = random.uniform(0.5, 1, 20_000)
    right = random.random(20_000) < confidence - 0.2
    assert debiased_calibration_error(confidence, right) == pytest.approx(0.2, abs=0.01)


def test_brier_of_the_perfect_the_useless_and_the_worst() -> None:
    y = np.asarray([0, 1, 3, 2])
    sure = np.eye(4, dtype=np.float32)
    assert brier(sure[y], y) == 0
    assert brier(np.full((4, 4), 0.25, dtype=np.float32), y) == pytest.approx(0.75)
    assert brier(sure[(y + 1) % 4], y) == 2


def test_brier_does_not_change_what_it_is_given() -> None:
    given_array = np.full((2, 2), 0.5, dtype=np.float64)
    brier(given_array, np.asarray([0, 1]))  # type: ignore[arg-type]
    assert (given_array == 0.5).all()


def test_the_curve_by_hand() -> None:
    right = np.asarray([True, False, True, True])
    curve = risk_coverage(np.asarray([0.9, 0.8, 0.8, 0.6]), right)
    assert curve.threshold.tolist() == [0.9, 0.8, 0.6]
    assert curve.coverage.tolist() == [0.25, 0.75, 1]
    assert curve.risk == pytest.approx([0, 1 / 3, 1 / 4])


@given(tickets)
def test_at_full_coverage_the_risk_is_the_error_rate(drawn: Tickets) -> None:
    confidence, right = drawn
    curve = risk_coverage(confidence, right)
    assert curve.coverage[-1] == 1 and curve.risk[-1] == pytest.approx(1 - right.mean())
    assert (np.diff(curve.coverage) > 0).all() and (np.diff(curve.threshold) < 0).all()


def test_aurc_by_hand() -> None:
    right = np.asarray([True, True, False, False])
    assert aurc(SURE_FIRST, right) == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)
    assert excess_aurc(SURE_FIRST, right) == pytest.approx(0)
    worst = (1 + 1 + 2 / 3 + 2 / 4) / 4
    assert aurc(SURE_FIRST, ~right) == pytest.approx(worst)
    assert excess_aurc(SURE_FIRST, ~right) == pytest.approx(worst - (1 / 3 + 2 / 4) / 4)


@given(tickets)
def test_a_confidence_that_tells_nothing_has_the_error_rate_as_area(drawn: Tickets) -> None:
    _, right = drawn
    assert aurc(np.full(len(right), 0.5), right) == pytest.approx(1 - right.mean())


@given(tickets)
def test_a_confidence_that_knows_has_no_excess(drawn: Tickets) -> None:
    _, right = drawn
    assert excess_aurc(right.astype(float), right) == pytest.approx(0, abs=1e-12)


@given(tickets)
def test_only_the_order_of_confidences_matters_to_areas(drawn: Tickets) -> None:
    confidence, right = drawn
    assert aurc(confidence**3 / 2, right) == pytest.approx(aurc(confidence, right))


@given(drawn=tickets, targets=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_more_precision_never_covers_more(drawn: Tickets, targets: tuple[float, float]) -> None:
    less, more = sorted(targets)
    assert coverage_at(more, *drawn) <= coverage_at(less, *drawn)
    assert coverage_at(0, *drawn) == 1


def test_coverage_at_a_precision_by_hand() -> None:
    right = np.asarray([True, True, False, True])
    assert coverage_at(1, SURE_FIRST, right) == 0.5
    assert coverage_at(0.75, SURE_FIRST, right) == 1
    assert coverage_at(0.95, SURE_FIRST, ~right) == 0


@given(inside=scores, outside=scores)
def test_auroc_is_the_share_of_pairs_in_order(
    inside: NDArray[np.int64], outside: NDArray[np.int64]
) -> None:
    pairs = np.sign(inside[:, None] - outside[None, :])
    assert auroc(inside, outside) == pytest.approx((pairs.mean() + 1) / 2)
    assert auroc(outside, inside) == pytest.approx(1 - auroc(inside, outside))


def test_perfect_and_useless_scores() -> None:
    high, low = np.asarray([3.0, 4.0, 5.0]), np.asarray([0.0, 1.0])
    assert auroc(high, low) == 1 and recall_at_retention(high, low) == 1
    assert auroc(low, high) == 0 and recall_at_retention(low, high) == 0
    same = np.ones(30)
    assert auroc(same, same) == 0.5 and recall_at_retention(same, same) == 0


@given(inside=scores, outside=scores, retention=st.floats(0.01, 1))
def test_the_threshold_keeps_what_it_must_and_no_higher_one_does(
    inside: NDArray[np.int64], outside: NDArray[np.int64], retention: float
) -> None:
    found = recall_at_retention(inside, outside, retention)
    need = retention - 1e-9
    keeping = [t for t in np.unique(inside) if (inside >= t).mean() >= need]
    assert found == (outside < max(keeping)).mean()


def test_nineteen_of_twenty_are_95_percent() -> None:
    inside = np.arange(20.0)
    assert recall_at_retention(inside, np.asarray([0.5, 1.5])) == 0.5
