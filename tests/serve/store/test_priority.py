"""Who is looked at first."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.store.decisions import priority, stake_of

SHARE = st.floats(0, 1)
PLAN = {"costs": {"error": {"Security": 200.0, "Billing": 15.0, "Spam": 0.0}}}


def decision(confidence: float, urgency: str | None = None) -> dict[str, Any]:
    labels = {"urgency": {"value": urgency, "confidence": 0.9}} if urgency else {}
    return {"labels": labels, "confidence": confidence}


@given(SHARE, SHARE, SHARE)
def test_where_errors_cost_the_same_the_least_sure_come_first(
    one: float, other: float, stake: float
) -> None:
    less, more = sorted((one, other))
    assert priority(decision(less), stake) >= priority(decision(more), stake)


@given(SHARE.filter(lambda its: its > 0.001), SHARE, SHARE, SHARE)
def test_the_urgent_come_before_whatever_an_error_costs(
    sure: float, other: float, stake: float, its: float
) -> None:
    order = ["critical", "high", "normal", "low"]
    ranks = [priority(decision(other, urgency), its) for urgency in order]
    assert ranks == sorted(ranks, reverse=True)
    assert priority(decision(other, "high"), its) > priority(decision(sure, "normal"), stake)
    assert priority(decision(other, "Critical"), its) == ranks[0]


def test_an_error_that_costs_more_is_looked_at_first() -> None:
    dear, cheap = (stake_of(PLAN, queue) for queue in ("Security", "Billing"))
    assert (dear, cheap) == (1.0, 0.075)
    assert priority(decision(0.9), dear) > priority(decision(0.3), cheap)
    assert priority(decision(0.9), cheap) < priority(decision(0.3), cheap)


@pytest.mark.parametrize("plan", [{}, {"costs": {}}, {"costs": {"error": {"Billing": 0.0}}}])
def test_where_nobody_said_what_errors_cost_all_cost_the_same(plan: dict[str, Any]) -> None:
    assert stake_of(plan, "Billing") == stake_of(plan, "Security") == 1.0


def test_an_error_in_a_queue_of_which_nothing_is_known_is_taken_for_dear() -> None:
    assert stake_of(PLAN, "Tomorrow") == 1.0
    assert stake_of(PLAN, "Spam") == 0.0
