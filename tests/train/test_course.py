"""Leading tickets through the gates of a plan."""

from __future__ import annotations

import numpy as np
import pytest

from cascade.gate import Gate
from train.course import Plan, Run, follow

FIRST = [[0.9, 0.1], [0.6, 0.4], [0.45, 0.55], [0.1, 0.9]]
SECOND = [[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.9, 0.1]]


def run() -> Run:
    """Four tickets, two stages of 1 and 10 ms, two queues."""
    arrays = [np.asarray(rows, dtype=np.float32) for rows in (FIRST, SECOND)]
    ms = [np.full(4, 1.0), np.full(4, 10.0)]
    return Run(("linear", "encoder"), arrays, np.asarray([0, 0, 1, -1]), ms)


def plan(stop: list[float], settle: list[float], give_up: float = 0.0) -> Plan:
    """Thresholds for stopping at the first stage, and for settling at both."""
    return Plan(
        np.asarray([stop, [0, 0]], dtype=np.float32),
        np.asarray([settle, settle], dtype=np.float32),
        np.asarray([give_up, 0], dtype=np.float32),
    )


def test_a_ticket_stops_where_its_best_queue_says_so() -> None:
    course = follow(run(), plan(stop=[0.9, 0.95], settle=[0, 0]))
    assert course.stage.tolist() == [0, 1, 1, 1]
    assert course.queue.tolist() == [0, 0, 1, 0]
    assert course.reached(0) == 1
    assert course.reached(1) == 0.75


def test_only_the_stages_that_were_asked_take_time() -> None:
    course = follow(run(), plan(stop=[0.9, 0.95], settle=[0, 0]))
    assert course.ms.tolist() == [1, 11, 11, 11]
    assert course.ms_within(0.25) == 1
    assert course.ms_within(0.26) == 11


def test_a_ticket_below_give_up_is_not_asked_about_any_further() -> None:
    course = follow(run(), plan(stop=[1.01, 1.01], settle=[0.7, 0.7], give_up=0.58))
    assert course.stage.tolist() == [1, 1, 0, 1]
    assert course.settled.tolist() == [True, True, False, True]


def test_a_ticket_that_stops_without_reaching_settle_goes_to_review() -> None:
    course = follow(run(), plan(stop=[0, 0], settle=[0.7, 0.95]))
    assert course.settled.tolist() == [True, False, False, False]


@pytest.mark.parametrize("seed", range(5))
def test_tickets_go_the_way_that_the_gates_of_a_bundle_send_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    stop, settle = (random.uniform(0.3, 1, 2).astype(np.float32).tolist() for _ in range(2))
    gate = Gate("linear", {}, tuple(stop), tuple(settle), give_up=0.5)
    confidence, best = run().confidence(0), run().best(0)
    course = follow(run(), plan(stop, settle, give_up=0.5))
    stops = gate.stops(confidence, best)
    assert (course.stage == 0).tolist() == stops.tolist()
    assert course.settled[stops].tolist() == gate.settles(confidence, best)[stops].tolist()
