"""Which cascade answers, and how deep it may go."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade.decision import Decision
from cascade.gate import Gate, Gates, Join
from cascade.router import Cascade
from cascade.stages.base import QUEUE, Heads, Probabilities
from cascade.ticket import Ticket
from serve.engine import CROWDED, LONG_MS, TOO_LONG, Engine
from serve.problems import BUSY, NOT_READY, Problem
from serve.turns import Place

SLOW, QUICK = Ticket("sleep"), Ticket("a")
NEVER_CROWDED = 1000


def engine_of(cascade: Any, **limits: int) -> Engine:
    engine = Engine(**{"threads": 1, "waiting": 1, "shallow_from": NEVER_CROWDED} | limits)
    engine.serve(cascade)
    return engine


def routed(engine: Engine, ticket: Ticket, deadline_ms: float | None = None) -> Decision:
    with engine.turn(deadline_ms) as turn:
        [decision] = turn.route([ticket])
    return decision


@pytest.fixture
def engine(cascade: Any) -> Engine:
    """An engine with one turn and a waiting room for one."""
    return engine_of(cascade)


@pytest.fixture
def busy(engine: Engine) -> Any:
    """Somebody else routes for a second."""
    other = threading.Thread(target=routed, args=(engine, SLOW))
    other.start()
    time.sleep(0.1)
    yield
    other.join()


def test_before_there_is_a_bundle_nothing_is_routed() -> None:
    engine = Engine(1, 1, NEVER_CROWDED)
    for ask in (lambda: routed(engine, QUICK), lambda: engine.later([QUICK]), engine.router):
        with pytest.raises(Problem) as caught:
            ask()
        assert caught.value.kind is NOT_READY
    assert engine.header == {"Cascade-Bundle": "none"}


@pytest.mark.usefixtures("busy")
def test_waiting_counts_against_the_deadline(engine: Engine, cascade: Any) -> None:
    routed(engine, QUICK, 5000.0)
    assert 3500 < cascade.deadlines[-1] < 4500


@pytest.mark.usefixtures("busy")
def test_no_request_waits_beyond_its_deadline(engine: Engine) -> None:
    began = time.monotonic()
    with pytest.raises(Problem) as caught:
        routed(engine, QUICK, 200.0)
    assert caught.value.kind is BUSY
    assert 0.15 < time.monotonic() - began < 0.6


@pytest.mark.usefixtures("busy")
def test_work_for_later_takes_no_turn_away(engine: Engine, cascade: Any) -> None:
    assert len(engine.later([QUICK, QUICK])) == 2
    assert cascade.deadlines[-1] is None


# --- another bundle ---


def test_a_request_keeps_the_cascade_that_it_began_with(engine: Engine, cascade: Any) -> None:
    other = type(cascade)("fake-2")
    with engine.turn(None) as turn:
        engine.serve(other, 7)
        [decision] = turn.route([QUICK])
        assert turn.explain(QUICK, decision).queue == decision.queue
    assert decision.bundle == "fake-1"
    assert routed(engine, QUICK).bundle == engine.bundle_id == "fake-2"
    assert engine.serving().deployment == 7


def test_the_old_cascade_goes_with_the_last_request_that_began_with_it(cascade: Any) -> None:
    old = type(cascade)("old")
    engine, gone = engine_of(old), weakref.ref(old)
    del old
    with engine.turn(None) as turn:
        engine.serve(cascade)
        gc.collect()
        assert turn.router is gone()
    del turn
    gc.collect()
    assert gone() is None


# --- load ---


class Believer:
    """A stage that believes of a ticket what its text says: ``50 160`` are queue 0 at 50 %, as
    the first stage sees it, and queue 1 at 60 %, as the second one does."""

    heads: Heads = {QUEUE: ("a", "b", "c")}  # noqa: RUF012

    def __init__(self, at: int) -> None:
        self.name, self._at = f"stage{at}", at
        self.asked = 0

    def predict(self, texts: Any) -> Probabilities:
        """The queue and the certainty that the text names for this stage."""
        self.asked += len(texts)
        rows = np.zeros((len(texts), 3), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            queue, sure = divmod(int(text.split()[self._at]), 100)
            row[:] = (1 - sure / 100) / 2
            row[queue] = sure / 100
        return {QUEUE: rows}


def believers(thresholds: list[float]) -> Cascade:
    """A real cascade of them; each hears itself alone."""
    stages = [Believer(at) for at in range(len(thresholds))]
    gates = [
        Gate.even(
            stage.name, {QUEUE: Join((*[0.0] * at, 1.0))}, threshold, len(Believer.heads[QUEUE])
        )
        for at, (stage, threshold) in enumerate(zip(stages, thresholds, strict=True))
    ]
    return Cascade(stages, Gates(tuple(gates)), Believer.heads)


beliefs = st.builds(lambda queue, sure: 100 * queue + sure, st.integers(0, 2), st.integers(34, 99))


@settings(max_examples=100)
@given(
    st.lists(st.lists(beliefs, min_size=3, max_size=3), min_size=1, max_size=8),
    st.lists(st.sampled_from([0.4, 0.6, 0.8, 0.95]), min_size=3, max_size=3),
)
def test_load_settles_nothing_that_would_not_be_settled_without_it(
    told: list[list[int]], thresholds: list[float]
) -> None:
    cascade = believers(thresholds)
    tickets = [Ticket(" ".join(map(str, its))) for its in told]
    with engine_of(cascade).turn(None) as turn:
        calm = turn.route(tickets)
    asked = [stage.asked for stage in cascade.stages]  # type: ignore[attr-defined]
    with engine_of(cascade, shallow_from=0).turn(None) as turn:
        crowded = turn.route(tickets)
    for less, more in zip(crowded, calm, strict=True):
        if less.action == "route":
            assert (more.action, less.queue) == ("route", more.queue)
            assert not less.late
        elif more.action == "route":
            assert less.late, "whoever another stage would settle is finished later"
            assert less.reason == CROWDED
        assert len(less.stages) == 1
    first, *further = (stage.asked for stage in cascade.stages)  # type: ignore[attr-defined]
    assert [first, *further] == [asked[0] + len(tickets), *asked[1:]]


def test_depth_is_given_up_only_where_enough_wait() -> None:
    cascade = believers([0.9, 0.5])
    engine, unsure = engine_of(cascade, waiting=3, shallow_from=2), Ticket("50 160")
    depths: list[int] = []

    def ask() -> None:
        depths.append(len(routed(engine, unsure, LONG_MS).stages))

    crowd = [threading.Thread(target=ask) for _ in range(3)]
    with engine.turn(None):
        for waiting, thread in enumerate(crowd, 1):
            thread.start()
            while engine.turns.waiting < waiting:
                time.sleep(0.001)
    for thread in crowd:
        thread.join()
    assert sorted(depths) == [1, 2, 2], "two still waited when the first one had its turn"


def test_depth_is_given_up_where_somebody_waits_for_too_long_however_few_wait() -> None:
    """Else those who are slow to serve would be refused before any depth is given up."""
    engine, unsure = engine_of(believers([0.9, 0.5]), waiting=2), Ticket("50 160")
    told: list[Decision] = []
    waiting = threading.Thread(target=lambda: told.append(routed(engine, unsure, 600.0)))
    with engine.turn(None):
        waiting.start()
        while not (crowd := engine.turns.crowd()) or crowd[0].spent <= TOO_LONG:
            time.sleep(0.005)
        assert engine._crowded(Place(LONG_MS, long=True)), "whoever has a turn sees who waits"
    waiting.join()
    assert [len(decision.stages) for decision in told] == [1]
    assert told[0].late
    with engine.turn(600.0) as turn:
        assert not turn.crowded


@pytest.mark.parametrize(
    ("deadline_ms", "long"), [(None, False), (LONG_MS + 1, False), (150.0, True)]
)
def test_requests_that_may_take_long_leave_a_turn_to_the_others(
    cascade: Any, deadline_ms: float | None, long: bool
) -> None:
    engine = engine_of(cascade, threads=3, waiting=0)
    with engine.turn(deadline_ms, long=long), engine.turn(deadline_ms, long=long):
        with pytest.raises(Problem), engine.turn(deadline_ms, long=long):
            pass
        assert routed(engine, QUICK, LONG_MS).action == "route"


def test_in_a_crowd_nobody_is_told_why_or_what_each_stage_says(cascade: Any) -> None:
    with engine_of(cascade, shallow_from=0).turn(150.0) as turn:
        [decision] = turn.route([QUICK])
        assert turn.explain(QUICK, decision) is None
        opinions = turn.opinions(QUICK)
    assert [its.stage for its in opinions] == list(cascade.stage_names)
    assert {(its.queue, its.reason) for its in opinions} == {(None, CROWDED)}
