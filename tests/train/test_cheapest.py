"""The plan that costs least: what it never does, what it finds, and budgets that it keeps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cascade.errors import InputError
from cascade.gate import NEVER
from cascade.stages.base import softmax
from train.budget import read_budgets
from train.cheapest import _Ladders, least_cost, miss_costs, settle_from, within_budgets
from train.costs import Costs, bill
from train.course import Plan, Run, follow

K = 4
NAMES = ("linear", "encoder", "llm")
MS = (0.2, 10.0, 300.0)


def world(n: int, seed: int = 0, stages: int = 3, outside: float = 0.0) -> Run:
    """Stages that each see a little more, joined without error, so that they are calibrated.

    Each sees the true queue through Gaussian noise; what is believed after several is the softmax
    of the sum of what they saw. Queues are of different size.
    """
    random = np.random.default_rng(seed)
    share = np.asarray([0.5, 0.3, 0.15, 0.05])
    y = random.choice(K, size=n, p=share)
    logits, joined = np.log(share)[None].repeat(n, axis=0), []
    for _ in range(stages):
        logits = logits + 1.5 * (random.normal(size=(n, K)) + 1.5 * np.eye(K)[y])
        joined.append(softmax(logits.astype(np.float32)))
    y = np.where(random.random(n) < outside, -1, y)
    ms = [mean * random.gamma(4, 1 / 4, size=n) for mean in MS[:stages]]
    return Run(NAMES[:stages], joined, y, ms)


def flat(misroute: float = 20.0, review: float = 4.0, **machines: dict[str, float]) -> Costs:
    return Costs(misroute * (1 - np.eye(K + 1, K)), review, **machines)


def arbitrary(seed: int) -> tuple[Run, Costs]:
    """Any tickets, any costs: probabilities that mean nothing, too few of them, free looks."""
    random = np.random.default_rng(seed)
    n, stages = int(random.integers(1, 60)), int(random.integers(1, 4))
    joined = [softmax(random.normal(size=(n, K)).astype(np.float32) * 3) for _ in range(stages)]
    y = random.integers(-1, K, size=n)
    ms = [random.exponential(10, size=n) for _ in range(stages)]
    misroute = random.choice([0.0, 1.0, 10.0, 300.0], size=(K + 1, K))
    misroute[range(K), range(K)] = 0
    prices = dict(zip(NAMES, random.choice([0, 0.1, 5], size=3).tolist(), strict=True))
    review = float(random.choice([0, 0.5, 4, 50]))
    run = Run(NAMES[:stages], joined, y, ms, forced(n, stages, random) if n % 2 else ())
    return run, Costs(misroute, review, {"encoder": 9.0}, prices)


def forced(n: int, stages: int, random: np.random.Generator) -> list[NDArray[np.int8]]:
    """As where some of the first stages can tell who belongs to no queue."""
    last = int(random.integers(stages))
    verdicts = random.random((stages, n)) < 0.3
    signs = [np.sign(last - at - 0.5) if at <= last else 0 for at in range(stages)]
    return [(sign * its).astype(np.int8) for sign, its in zip(signs, verdicts, strict=True)]


def cost(run: Run, plan: Plan, costs: Costs) -> float:
    return bill(run, follow(run, plan), costs).total


def at_once(run: Run, settle: float) -> Plan:
    """Every ticket stops at the first stage."""
    stop = np.zeros((len(run.names), K), dtype=np.float32)
    return Plan(stop, np.full_like(stop, settle), stop[:, 0])


seeds = st.integers(0, 10_000)


# --- laws ---


@given(seeds)
@settings(max_examples=60)
def test_no_plan_costs_more_than_looking_at_all_tickets_or_acting_on_all(seed: int) -> None:
    run, costs = arbitrary(seed)
    found = cost(run, least_cost(run, costs), costs)
    assert found <= cost(run, at_once(run, NEVER), costs)
    assert found <= cost(run, at_once(run, 0), costs)


@given(seeds, st.integers(0, K), st.integers(0, K - 1), st.floats(0, 1000))
@settings(max_examples=60)
def test_dearer_errors_never_make_a_queue_settle_earlier(
    seed: int, true: int, chosen: int, more: float
) -> None:
    run, costs = arbitrary(seed)
    if true == chosen:
        return
    dearer = costs.misroute.copy()
    dearer[true, chosen] += more
    before, after = miss_costs(run, costs), miss_costs(run, replace(costs, misroute=dearer))
    assert (settle_from(after, costs.review) >= settle_from(before, costs.review)).all()


@given(seeds, st.floats(0, 100), st.floats(0, 100))
@settings(max_examples=60)
def test_a_dearer_look_sends_no_ticket_to_review_that_stops_where_it_did(
    seed: int, review: float, more: float
) -> None:
    run, costs = arbitrary(seed)
    plan, miss = least_cost(run, costs), miss_costs(run, costs)
    before, after = (
        follow(run, replace(plan, settle=np.tile(settle_from(miss, r), (len(run.names), 1))))
        for r in (review, review + more)
    )
    assert not (before.settled & ~after.settled).any()


@pytest.mark.parametrize("seed", range(5))
def test_nor_does_it_raise_the_share_of_review_once_stops_are_chosen_anew(seed: int) -> None:
    run = world(2000, seed)
    looks = [
        1 - follow(run, least_cost(run, flat(20, review))).settled.mean()
        for review in (0.5, 1, 2, 4, 8, 16, 32)
    ]
    assert looks == sorted(looks, reverse=True)
    assert looks[0] > 0.3
    assert looks[-1] == 0


@given(
    seeds,
    st.sampled_from([0, 1, 4.5, 20, 60]),
    st.sampled_from([0, 0.5, 3, 50]),
    st.sampled_from([("p95", 20), ("p50", 5), ("p99", 400)]),
)
@settings(max_examples=40)
def test_budgets_are_kept_on_the_tickets_that_they_were_chosen_on(
    seed: int, encoder: float, llm: float, speed: tuple[str, int]
) -> None:
    run = world(400, seed)
    name, ms = speed
    budgets = read_budgets([f"encoder<={encoder}%", f"llm<={llm}%", f"{name}<={ms}ms"], NAMES)
    course = follow(run, least_cost(run, flat(), budgets))
    assert course.reached(1) <= encoder / 100
    assert course.reached(2) <= llm / 100
    assert course.ms_within(int(name[1:]) / 100) <= ms


@given(seeds, st.integers(2, 8), st.integers(0, 50))
@settings(max_examples=60)
def test_so_they_are_where_many_tickets_are_equally_sure(seed: int, steps: int, most: int) -> None:
    run = world(300, seed)
    coarse = [softmax(np.round(np.log(array + 1e-3) * steps) / steps) for array in run.joined]
    budgets = read_budgets([f"encoder<={most}%", f"llm<={most / 4}%"], NAMES)
    run = replace(run, joined=coarse)
    course = follow(run, least_cost(run, flat(), budgets))
    assert course.reached(1) <= most / 100
    assert course.reached(2) <= most / 400


def test_tickets_that_go_on_whatever_the_gate_says_count_in_a_budget() -> None:
    run = world(2000)
    must = np.zeros((3, 2000), dtype=np.int8)
    must[0, :200], must[1, :50] = 1, -1
    run = replace(run, forced=list(must))
    plan = least_cost(run, flat(), read_budgets(["encoder<=15%"], NAMES))
    course = follow(run, plan)
    assert 0.14 < course.reached(1) <= 0.15
    assert (course.stage[:200] > 0).all()
    assert (course.stage[:50] == 1).all() and not course.settled[:50].any()


def test_a_budget_that_is_worth_it_is_used_and_holds_back_no_other_stage() -> None:
    run = world(4000)
    course = follow(run, least_cost(run, flat(), read_budgets(["llm<=3%"], NAMES)))
    assert course.reached(2) > 0.025
    assert course.reached(1) > 0.5


def test_slow_tickets_are_held_back_only_as_far_as_the_time_asks_for_it() -> None:
    run = world(4000)
    course = follow(run, least_cost(run, flat(), read_budgets(["p95<=100ms"], NAMES)))
    assert (course.ms > 100).mean() > 0.04
    assert course.reached(1) > 0.5


@pytest.mark.parametrize("text", ["llm<=10%", "p90<=20ms"])
def test_what_one_budget_leaves_free_another_may_use(text: str) -> None:
    run = world(4000)
    budgets = read_budgets(["encoder<=30%", text], NAMES)
    course = follow(run, least_cost(run, flat(), budgets))
    assert course.reached(1) > 0.28
    assert budgets[1].counts(run)[course.stage, np.arange(4000)].mean() > 0.09


def test_the_same_tickets_give_the_same_plan() -> None:
    one, other = (least_cost(world(500), flat()) for _ in range(2))
    assert (one.stop == other.stop).all() and (one.settle == other.settle).all()
    assert (one.give_up == other.give_up).all()


@given(seeds)
@settings(max_examples=30)
def test_the_search_counts_on_each_ticket_to_go_where_its_gate_sends_it(seed: int) -> None:
    run, costs = arbitrary(seed)
    ladders = _Ladders(run, 0, miss_costs(run, costs))
    best, confidence, must = run.best(0), run.confidence(0), run.must(0)
    for i, stop in enumerate(ladders.stops):
        for j, floor in enumerate(ladders.floors):
            wanted = (confidence < stop[best]) & (confidence >= floor)
            expected = np.where(must == 0, wanted, must > 0)
            assert ((ladders.doubt > i) & (ladders.trust > j) == expected).all()


# --- what is settled ---


def test_a_calibrated_confidence_is_acted_on_from_where_that_costs_no_more_than_a_look() -> None:
    settle = settle_from(miss_costs(world(20_000), flat(20, 4)), 4)
    assert settle == pytest.approx(np.full(K, 1 - 4 / 20), abs=0.02)


def test_five_tickets_all_wrong_make_no_wild_threshold() -> None:
    """The rarest queue was named five times, surely and wrongly."""
    run = world(400, stages=1)
    sure = np.full((5, K), 0.002, dtype=np.float32)
    sure[:, 3] = 0.994
    more = Run(
        run.names,
        [np.concatenate([run.joined[0], sure])],
        np.append(run.y, [0] * 5),
        [np.append(run.ms[0], [1.0] * 5)],
    )
    before, after = (float(settle_from(miss_costs(r, flat()), 4)[3]) for r in (run, more))
    assert before < after < before + 0.05


def test_tickets_of_no_queue_make_it_more_careful() -> None:
    usual, spammed = (settle_from(miss_costs(world(5000, outside=o), flat()), 4) for o in (0, 0.1))
    assert (spammed > usual + 0.01).all()


def test_a_queue_that_is_dear_to_be_wrong_in_asks_for_more_confidence() -> None:
    misroute = flat().misroute.copy()
    misroute[:, 1] *= 10
    misroute[1, 1] = 0
    plan = least_cost(world(5000), Costs(misroute, 4))
    assert plan.settle[0, 1] > 0.97
    assert np.delete(plan.settle[0], 1) == pytest.approx(np.full(K - 1, 0.8), abs=0.05)


# --- where tickets stop ---


def test_where_stages_are_free_it_is_about_as_good_as_asking_them_always() -> None:
    run, fresh, costs = world(5000), world(5000, seed=1), flat()
    plan = least_cost(run, costs)
    every = replace(plan, stop=np.full_like(plan.stop, NEVER), give_up=np.zeros_like(plan.give_up))
    assert cost(fresh, plan, costs) < 1.02 * cost(fresh, every, costs)


@pytest.mark.parametrize("stage", [1, 2])
def test_a_stage_dearer_than_a_look_is_not_asked(stage: int) -> None:
    run, costs = world(2000), flat(call={NAMES[stage]: 5.0})
    assert follow(run, least_cost(run, costs)).reached(stage) == 0


def test_a_stage_that_says_nothing_new_is_not_asked_even_for_free() -> None:
    run = world(2000, stages=1)
    twice = Run(NAMES[:2], run.joined * 2, run.y, run.ms * 2)
    assert follow(twice, least_cost(twice, flat())).reached(1) == 0


@pytest.mark.parametrize(("encoder", "llm"), [(0.05, 0.2), (0.125, 0.5), (0.25, 1.0), (1.0, 0)])
def test_in_between_it_beats_asking_always_and_never(encoder: float, llm: float) -> None:
    run, fresh = world(5000), world(5000, seed=1)
    costs = flat(call={"encoder": encoder, "llm": llm})
    plan = least_cost(run, costs)
    every = replace(plan, stop=np.full_like(plan.stop, NEVER), give_up=np.zeros_like(plan.give_up))
    never = replace(plan, stop=np.zeros_like(plan.stop))
    assert cost(fresh, plan, costs) < 0.97 * min(cost(fresh, p, costs) for p in (every, never))


def test_a_stage_that_only_confuses_is_passed_over() -> None:
    run = world(5000, stages=1)
    noise = world(5000, seed=3, stages=1).joined[0]
    both = Run(NAMES[:2], [run.joined[0], noise], run.y, [run.ms[0], run.ms[0]])
    assert follow(both, least_cost(both, flat())).reached(1) < 0.05


# --- budgets alone ---


def settled(run: Run, stop: NDArray[np.float32], give_up: NDArray[np.float32]) -> float:
    """Share that is settled, from the confidence on from which on 95 % are right."""
    course = follow(run, Plan(stop, stop, give_up))
    confidence = np.choose(course.stage, [run.confidence(s) for s in range(len(run.names))])
    right = (course.queue == run.y)[np.argsort(-confidence)]
    enough = np.cumsum(right) >= 0.95 * np.arange(1, len(right) + 1)
    return float(np.flatnonzero(enough)[-1] + 1) / len(right)


def test_those_go_on_whom_the_next_stage_helps_most_to_be_settled() -> None:
    run, fresh = world(5000, stages=2), world(5000, seed=1, stages=2)
    stop, give_up = within_budgets(run, read_budgets(["encoder<=20%"], NAMES))
    none = settled(fresh, np.zeros_like(stop), np.zeros_like(give_up))
    every = settled(fresh, np.full_like(stop, NEVER), np.zeros_like(give_up))
    by_lot = none + 0.2 * (every - none)
    assert settled(fresh, stop, give_up) > by_lot + 0.1 * (every - none)


def test_a_tighter_budget_lets_fewer_on() -> None:
    run = world(3000)
    reached = []
    for most in (40, 20, 10, 5, 0):
        stop, give_up = within_budgets(run, read_budgets([f"llm<={most}%"], NAMES))
        reached.append(follow(run, Plan(stop, stop, give_up)).reached(2))
    assert reached == sorted(reached, reverse=True)
    assert reached[-1] == 0 and reached[2] > 0.06


def test_a_budget_that_cannot_be_kept_is_said() -> None:
    with pytest.raises(InputError, match=r"with linear alone it is 0\.\d+ ms"):
        within_budgets(world(400), read_budgets(["p95<=0.1ms"], NAMES))
