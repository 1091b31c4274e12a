"""The plan that costs least, within budgets.

*Settle.* Of a calibrated confidence c, acting costs (1 - c) times what a miss costs in that queue,
so it pays from c = 1 - review / miss on (Elkan 2001). What a unit of doubt costs is estimated for
each queue from what went wrong there, shrunk towards what its probabilities foretell, so that a
queue with five tickets gets no wild threshold. On tickets left out that beat the threshold that
had been cheapest on the queue's own tickets: 1.93 a ticket against 2.07 on it_service_topics, 1.20
against 1.86 on banking77's 77 queues (dear and cheap queues mixed, a look 4, all to review 4.00).

*Stop and give up.* A stage is passed on to where the ticket would cost less after the next ones.
Two numbers a stage are searched, not one a queue: the doubt, in money, below which it stops, and
the confidence below which it is given up. Gates are taken in turn, each set to its best while the
others stay (coordinate descent), the last one first. A ticket counts half as it turned out and
half as its probabilities foretell: outcomes alone are noisy where tickets are few, probabilities
alone believe each stage what it says of itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cascade.gate import NEVER
from train.budget import Budget
from train.costs import Costs, bill
from train.course import Plan, Run, follow

PRIOR = 40.0
"""Misses in a queue that count as much as what was foretold of it."""
DOUBTS, CONFIDENCES = 100, 50
"""How many doubts and confidences are tried at each gate."""
PRICES = 8
"""How many prices of a look are tried where only budgets are given."""
SWEEPS = 8
"""Most times that all gates are set in turn; three are usually enough."""
LEAST = 1e-9
"""Least cost of a miss, so that a share of it can be taken."""


def least_cost(run: Run, costs: Costs, budgets: Sequence[Budget] = ()) -> Plan:
    """The plan that costs least on tickets like these, and keeps the budgets on these.

    It never costs more on these tickets than sending all of them to review, or acting on all of
    them after the first stage.

    Raises:
        InputError: a budget cannot be kept even by asking the first stage alone.
    """
    for budget in budgets:
        budget.check(run)
    miss = miss_costs(run, costs)
    stages = len(run.names)
    settle = np.tile(settle_from(miss, costs.review), (stages, 1))
    found = _Search(run, costs, budgets, miss, settle).plan()
    # Where confidences mislead, or tickets are very few, doing the same with all may be cheaper.
    stop, give_up = np.zeros_like(found.stop), np.zeros_like(found.give_up)
    plain = [Plan(stop, np.full_like(settle, threshold), give_up) for threshold in (NEVER, 0)]
    return min((found, *plain), key=lambda plan: bill(run, follow(run, plan), costs).total)


def within_budgets(
    run: Run, budgets: Sequence[Budget], precision: float = 0.95
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where tickets stop when only budgets are given: those go on whom the next stages help most.

    What matters is then how many are settled, so all misroutes cost the same, and a look is priced
    such that the settled tickets have the target precision: the price is searched by bisection.
    With 20 % of it_service_topics let on to the encoder, 81.0 % could then be settled at 95 %
    precision (half of the gate split, fitted on the other half, twelve times), against 79.6 % if
    the least sure go on, and 79.4 % if those just below the stop do.

    Args:
        precision: that the settled tickets are to have.

    Returns:
        ``(stages, k)`` `Plan.stop` and ``(stages,)`` `Plan.give_up`; which tickets are settled is
        for a promise to say (`train.promise`).

    Raises:
        InputError: as `least_cost`.
    """
    misroute = 1.0 - np.eye(run.queues + 1, run.queues)
    low, high = 0.0, 1.0
    plan = least_cost(run, Costs(misroute, low), budgets)
    for _ in range(PRICES):
        price = (low + high) / 2
        tried = least_cost(run, Costs(misroute, price), budgets)
        if _foretold_precision(run, tried) >= precision:
            low, plan = price, tried
        else:
            high = price
    return plan.stop, plan.give_up


def _foretold_precision(run: Run, plan: Plan) -> float:
    """Share of the settled tickets that is right, by what is believed of them; 1 for none."""
    course = follow(run, plan)
    arrays = np.stack([run.confidence(stage) for stage in range(len(run.names))])
    confidence = arrays[course.stage, np.arange(len(run.y))][course.settled]
    return float(confidence.mean()) if len(confidence) else 1.0


def miss_costs(run: Run, costs: Costs) -> NDArray[np.float64]:
    """``(k,)`` what a unit of doubt costs, by chosen queue: mean cost of a foretold miss.

    The cost of what was misrouted to a queue, divided by how many misses its confidences foretold,
    over all stages. To both are added `PRIOR` misses that cost what the probabilities foretell.
    Rises with each cost, and with each surprise.
    """
    k = run.queues
    paid, foretold, likely = np.zeros(k), np.zeros(k), np.zeros((k + 1, k))
    for stage in range(len(run.names)):
        best = run.best(stage)
        np.add.at(paid, best, costs.misroute[run.y, best])
        np.add.at(foretold, best, 1.0 - run.confidence(stage))
        np.add.at(likely.T, best, np.pad(run.joined[stage], ((0, 0), (0, 1))))
    # Where next to nothing was foretold, a miss may belong to any queue, as often as tickets do.
    likely += np.bincount(run.y % (k + 1), minlength=k + 1)[:, None] / max(len(run.y), 1)
    likely[range(k), range(k)] = 0
    weight = np.maximum(likely.sum(axis=0), LEAST)
    expected = (likely * costs.misroute).sum(axis=0) / weight
    stages = len(run.names)
    return np.asarray((paid / stages + PRIOR * expected) / (foretold / stages + PRIOR))


def settle_from(miss: NDArray[np.float64], review: float) -> NDArray[np.float32]:
    """``(k,)`` confidence from which acting costs no more than a look."""
    return np.clip(1 - review / np.maximum(miss, LEAST), 0, NEVER).astype(np.float32)


class _Search:
    """Coordinate descent over the gates.

    Each gate's stop is a rung of a ladder of equal doubts, its `give_up` a rung of a ladder of
    confidences. Which rungs a ticket passes is known before, so the outcome of every pair of them
    is a sum over the tickets in a corner of a table.
    """

    def __init__(
        self,
        run: Run,
        costs: Costs,
        budgets: Sequence[Budget],
        miss: NDArray[np.float64],
        settle: NDArray[np.float32],
    ) -> None:
        self.settle = settle
        self.stages, self.n = len(run.names), len(run.y)
        self.asking = costs.asking(run)
        self.acting = np.stack([_acting(run, costs, miss, settle, s) for s in range(self.stages)])
        self.few = [(budget.counts(run), budget.allowed(self.n)) for budget in budgets]
        self.gates = [_Ladders(run, stage, miss) for stage in range(self.stages - 1)]
        self.rungs = [(0, 0)] * (self.stages - 1)
        """Of each gate but the last; at first all tickets go on."""

    def plan(self) -> Plan:
        """Set the gates in turn until none changes."""
        for _ in range(SWEEPS):
            before = list(self.rungs)
            for stage in reversed(range(self.stages - 1)):
                self.rungs[stage] = self._best(stage)
            if self.rungs == before:
                break
        stop, give_up = np.zeros_like(self.settle), np.zeros(self.stages, dtype=np.float32)
        for stage, (gate, (i, j)) in enumerate(zip(self.gates, self.rungs, strict=True)):
            stop[stage], give_up[stage] = gate.stops[i], gate.floors[j]
        return Plan(stop, self.settle, give_up)

    def _best(self, stage: int) -> tuple[int, int]:
        """The rungs of a gate that break budgets least, then cost least, then let fewest on."""
        end = np.full(self.n, self.stages - 1)
        paid = self.acting[-1] + self.asking[-1]
        for later in range(self.stages - 2, stage, -1):
            goes = self._goes(later)
            end = np.where(goes, end, later)
            paid = self.asking[later] + np.where(goes, paid, self.acting[later])
        reach = np.ones(self.n, dtype=np.bool_)
        halt = np.full(self.n, stage)
        for earlier in reversed(range(stage)):
            goes = self._goes(earlier)
            reach &= goes
            halt = np.where(goes, halt, earlier)
        gate, rows = self.gates[stage], np.flatnonzero(reach)
        total = gate.sums(rows, (paid - self.acting[stage])[rows])
        excess = np.zeros_like(total)
        for counts, allowed in self.few:
            here = counts[halt, np.arange(self.n)]
            more = counts[end, np.arange(self.n)].astype(np.int64) - here
            used = here.sum() + gate.sums(rows, more[rows].astype(np.float64))
            excess += np.maximum(np.rint(used) - allowed, 0)
        total[excess > excess.min()] = np.inf
        slack = 1e-9 * max(float(self.acting.max()), LEAST) * self.n
        i, j = np.argwhere(total <= total.min() + slack)[-1]
        return int(i), int(j)

    def _goes(self, stage: int) -> NDArray[np.bool_]:
        """``(n,)`` which tickets the gate of a stage lets on."""
        i, j = self.rungs[stage]
        return np.asarray((self.gates[stage].doubt > i) & (self.gates[stage].trust > j))


class _Ladders:
    """The thresholds that are tried at one gate, and which of them each ticket passes.

    Attributes:
        stops: ``(m, k)`` rungs of `Plan.stop`, falling: the first lets all on, the last none.
        floors: ``(l,)`` rungs of `Plan.give_up`, rising; the first lets all on.
        doubt: ``(n,)`` how many of the stops let a ticket on, always the first ones.
        trust: ``(n,)`` how many of the floors do.
    """

    def __init__(self, run: Run, stage: int, miss: NDArray[np.float64]) -> None:
        best, confidence = run.best(stage), run.confidence(stage)
        miss = np.maximum(miss, LEAST)
        doubts = np.unique(np.quantile((1 - confidence) * miss[best], np.linspace(0, 1, DOUBTS)))
        doubts = np.concatenate([[-np.inf], doubts, [np.inf]])
        self.stops = np.clip(1 - doubts[:, None] / miss, 0, NEVER).astype(np.float32)
        floors = np.quantile(confidence, np.linspace(0, 1, CONFIDENCES), method="lower")
        self.floors = np.unique(np.append(np.float32(0), floors))
        self.doubt = np.zeros(len(best), dtype=np.int64)
        for queue in np.unique(best):
            rows = best == queue
            rising = self.stops[::-1, queue]
            self.doubt[rows] = len(rising) - np.searchsorted(rising, confidence[rows], "right")
        self.trust = np.searchsorted(self.floors, confidence, "right")
        must = run.must(stage)
        self.doubt[must > 0], self.trust[must > 0] = len(self.stops), len(self.floors)
        self.doubt[must < 0] = 0

    def sums(self, rows: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(m, l)`` sum of the values of those rows that each pair of rungs lets on."""
        table = np.zeros((len(self.stops) + 1, len(self.floors) + 1))
        np.add.at(table, (self.doubt[rows], self.trust[rows]), values)
        return np.asarray(table[::-1, ::-1].cumsum(axis=0).cumsum(axis=1)[::-1, ::-1][1:, 1:])


def _acting(
    run: Run, costs: Costs, miss: NDArray[np.float64], settle: NDArray[np.float32], stage: int
) -> NDArray[np.float64]:
    """``(n,)`` what tickets cost that stop at a stage: half as they turned out, half foretold."""
    best, confidence = run.best(stage), run.confidence(stage)
    acted = (costs.misroute[run.y, best] + (1 - confidence) * miss[best]) / 2
    acts = (confidence >= settle[stage][best]) & (run.must(stage) == 0)
    return np.where(acts, acted, costs.review)
