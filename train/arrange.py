"""Where tickets stop, chosen by cost or within budgets instead of by what accuracy asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.gate import Gate, Gates
from train.advice import Advice
from train.budget import Budget
from train.cheapest import least_cost, within_budgets
from train.costs import Costs, bill
from train.course import Course, Run
from train.gates import Arrange, Outcome
from train.promise import Promise
from train.squares import error_costs, squares
from train.walk import Walk
from train.witnesses import Joined

Milliseconds = Mapping[str, NDArray[np.float64]]
"""For each stage ``(n,)`` what it took, or would take, for each ticket."""


def arranged(
    y: NDArray[np.int64],
    ms: Callable[[], Milliseconds],
    costs: Costs | None,
    budgets: Sequence[Budget],
    promise: Promise,
) -> Arrange:
    """Thresholds that cost least, or that keep budgets, on the fitting half.

    Args:
        y: ``(n,)`` true queues.
        ms: is asked once the stages are.
        costs: None to look at budgets only; what is settled is then for the promise to say.
    """

    def arrange(joined: Joined, walk: Walk, advice: Advice | None) -> list[Gate]:
        asked, run = _run(y, ms(), joined, walk, advice)
        if costs:
            plan = least_cost(run, costs, budgets)
            stop, settle, give_up = plan.stop, plan.settle, plan.give_up
        else:
            stop, give_up = within_budgets(run, budgets, promise.target)
            settle = np.zeros_like(stop)
        gates = [*joined.gates, *([advice.gate] if advice else [])]
        for number, at in enumerate(asked):
            gates[at] = replace(
                gates[at],
                stop=_plain(stop[number]),
                settle=_plain(settle[number]),
                give_up=float(give_up[number]),
            )
        return gates

    return arrange


def _run(
    y: NDArray[np.int64],
    ms: Milliseconds,
    joined: Joined,
    walk: Walk,
    advice: Advice | None,
) -> tuple[list[int], Run]:
    """The stages that are asked, and what they said of the fitting half.

    Of the tickets that reach an adviser some were asked about. As many of the others are left out,
    so that those asked about are no rarer than they should be.
    """
    heard = Gates((*joined.gates, advice.gate) if advice else tuple(joined.gates)).asked
    asked = [at for at, its in enumerate(heard) if its]
    rows, arrays = joined.fitting, list(joined.arrays)
    if advice and advice.heard:
        reach = np.isin(rows, walk.left())
        asked_of = np.intersect1d(advice.rows, rows[reach])
        share = len(asked_of) / max(int(reach.sum()), 1)
        others = rows[~reach]
        drawn = np.random.default_rng(0).random(len(others)) < share
        rows = np.sort(np.concatenate([asked_of, others[drawn]]))
        last = arrays[-1].copy()
        last[advice.rows[advice.answered]] = advice.joined[advice.answered]
        arrays.append(last)
    names = [*(gate.stage for gate in joined.gates), *([advice.gate.stage] if advice else [])]
    run = Run(
        [names[at] for at in asked],
        [arrays[at][rows] for at in asked],
        y[rows],
        [ms[names[at]][rows] for at in asked],
        _forced(asked, joined.outside, rows),
    )
    return asked, run


def _forced(
    asked: Sequence[int], outside: Sequence[NDArray[np.bool_] | None], rows: NDArray[np.int64]
) -> list[NDArray[np.int8]]:
    """`Run.forced` of the stages that are asked, as `cascade.Cascade.route` has it."""
    told = {at: its[rows] for at, its in enumerate(outside) if its is not None and at in asked}
    last = max(told, default=0)
    nobody = np.zeros(len(rows), dtype=np.int8)
    return [
        np.where(told[at], 1 if at < last else -1, nobody) if at in told else nobody for at in asked
    ]


def expected(
    outcome: Outcome,
    y: NDArray[np.int64],
    ms: Milliseconds,
    costs: Costs | None,
    budgets: Sequence[Budget],
    queues: Sequence[str],
) -> dict[str, Any]:
    """What is to be expected in time and money, by the tickets that nothing was chosen on.

    Args:
        y: ``(n,)`` true queues of all tickets of the gate split.
    """
    gates, walk, rows = outcome.gates, outcome.walk, outcome.testing
    heard = [at for at, its in enumerate(gates.asked) if its]
    settled = walk.settled(np.asarray([gate.settle for gate in gates.gates]))[rows]
    stage = np.searchsorted(heard, walk.stage[rows])
    names = [gates.gates[at].stage for at in heard]
    run = Run(names, [], y[rows], [ms[name][rows] for name in names])
    spent = run.spent()[stage, np.arange(len(rows))]
    course = Course(stage, walk.best[rows], settled, spent)
    plan: dict[str, Any] = {
        "ms": {f"p{p}": round(course.ms_within(p / 100), 2) for p in (50, 95, 99)},
        "stage_ms": {
            name: {f"p{p}": round(float(np.percentile(its, p)), 2) for p in (50, 95)}
            for name, its in zip(names, run.ms, strict=True)
        },
    }
    few = [budget.counts(run)[stage, np.arange(len(rows))].mean() for budget in budgets]
    plan["budgets"] = [
        {"budget": budget.text, "allowed": budget.share, "share": round(float(share), 4)}
        for budget, share in zip(budgets, few, strict=True)
    ]
    if costs:
        paid = bill(run, course, costs)
        errors = error_costs(run.y, course, costs).tolist()
        plan["costs"] = {
            "currency": costs.currency,
            "ticket": paid.total,
            "misroutes": paid.misroutes,
            "reviews": paid.reviews,
            "stages": dict(zip(names, paid.stages, strict=True)),
            "all_to_review": costs.review,
            "error": dict(zip(queues, errors, strict=True)),  # the service reviews dear ones first
        }
        plan["squares"] = [asdict(its) for its in squares(run.y, course, costs, queues)]
    return plan


def _plain(values: NDArray[np.float32]) -> tuple[float, ...]:
    return tuple(map(float, values))
