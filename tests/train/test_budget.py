"""Budgets: what can be asked for, and what they count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cascade.errors import InputError
from train.budget import Budget, read_budgets
from train.course import Run

STAGES = ("linear", "encoder", "llm")


def run() -> Run:
    """Ten tickets, three stages; each ticket takes a millisecond longer than the one before."""
    ms = np.arange(1.0, 11.0)
    even = np.full((10, 2), 0.5, dtype=np.float32)
    return Run(STAGES, [even] * 3, np.zeros(10, dtype=np.int64), [ms, 10 * ms, 100 * ms])


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("llm<=4%", Budget("llm<=4%", 0.04, stage="llm")),
        (" encoder <= 12.5 % ", Budget("encoder <= 12.5 %", 0.125, stage="encoder")),
        ("p95<=150ms", Budget("p95<=150ms", 0.05, ms=150)),
        ("p50<=2s", Budget("p50<=2s", 0.5, ms=2000)),
        ("p99<=0.5 ms", Budget("p99<=0.5 ms", 0.01, ms=0.5)),
    ],
)
def test_a_budget_is_a_share_of_tickets_or_a_percentile_of_time(text: str, budget: Budget) -> None:
    assert read_budgets([text], STAGES) == [budget]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "budget '': write llm<=4%"),
        ("llm<4%", "budget 'llm<4%': write llm<=4%"),
        ("llm<=4", "write llm<=4%"),
        ("llm<=-4%", "write llm<=4%"),
        ("llm<=nan%", "write llm<=4%"),
        ("llm<=1.2.3%", "'1.2.3' is no number"),
        ("lmm<=4%", "there is no stage 'lmm'; did you mean 'llm'?"),
        ("P95<=4ms", "there is no stage 'P95'; did you mean 'p95'?"),
        ("llm<=150ms", "a stage has a share and a percentile a time"),
        ("p95<=4%", "a stage has a share and a percentile a time"),
        ("llm<=101%", "a share is at most 100%"),
        ("review<=20%", "follows from the promise or the costs; ask for a lower --target"),
    ],
)
def test_anything_else_is_refused_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_budgets([text], STAGES)
    assert str(caught.value).startswith("budget ")
    assert message in str(caught.value)


def test_a_share_counts_the_tickets_that_stop_at_the_stage_or_later() -> None:
    counts = Budget("encoder<=4%", 0.04, stage="encoder").counts(run())
    assert counts.all(axis=1).tolist() == [False, True, True]
    assert counts.any(axis=1).tolist() == [False, True, True]


def test_a_percentile_counts_the_tickets_that_take_longer_by_where_they_stop() -> None:
    counts = Budget("p95<=50ms", 0.05, ms=50).counts(run())
    assert counts.sum(axis=1).tolist() == [0, 6, 10]


def test_a_stage_that_is_never_asked_keeps_each_budget() -> None:
    budget = Budget("human<=0%", 0.0, stage="human")
    assert not budget.counts(run()).any()
    budget.check(run())


@pytest.mark.parametrize(("share", "n", "allowed"), [(0.05, 100, 5), (0.04, 99, 3), (0, 9, 0)])
def test_what_is_allowed_is_rounded_down(share: float, n: int, allowed: int) -> None:
    assert Budget("", share).allowed(n) == allowed


def test_a_first_stage_that_is_too_slow_is_said_with_the_figure() -> None:
    (fits,) = read_budgets(["p90<=9ms"], STAGES)
    fits.check(run())
    (breaks,) = read_budgets(["p90<=8.5ms"], STAGES)
    with pytest.raises(InputError, match="cannot be kept; with linear alone it is 9 ms"):
        breaks.check(run())


def test_the_first_stage_cannot_be_kept_from_tickets() -> None:
    (budget,) = read_budgets(["linear<=50%"], STAGES)
    with pytest.raises(InputError, match="linear comes first and is asked about every ticket"):
        budget.check(run())


def test_tickets_that_go_on_whatever_a_gate_says_can_break_a_budget() -> None:
    must = np.zeros((3, 10), dtype=np.int8)
    must[0, 3:5], must[1, 4] = 1, 1
    run_of_doubtful = replace(run(), forced=list(must))
    assert run_of_doubtful.earliest().tolist() == [0, 0, 0, 1, 2, 0, 0, 0, 0, 0]
    keeps, breaks, late = read_budgets(["encoder<=20%", "encoder<=19%", "p90<=10ms"], STAGES)
    keeps.check(run_of_doubtful)
    with pytest.raises(InputError, match=r"20\.0% of the tickets look as if they belonged to no"):
        breaks.check(run_of_doubtful)
    with pytest.raises(InputError, match="with as few stages as can be it is 44 ms"):
        late.check(run_of_doubtful)
