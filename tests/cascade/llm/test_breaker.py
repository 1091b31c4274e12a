"""A server that fails again and again is left alone, and found again by one call at a time."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from cascade.llm.base import NoAnswer
from cascade.llm.breaker import Breaker


class Clock:
    """A clock that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        breaker.leave(breaker.enter(), False)


def is_shut(breaker: Breaker) -> bool:
    with pytest.raises(NoAnswer) as caught:
        breaker.enter()
    return caught.value.kind == "open"


def test_it_opens_after_failures_in_a_row() -> None:
    breaker = Breaker(failures=3, clock=Clock())
    fail(breaker, 2)
    breaker.leave(breaker.enter(), True)
    fail(breaker, 2)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"
    assert is_shut(breaker)


def test_it_opens_sooner_where_failures_took_long() -> None:
    breaker = Breaker(failures=5, waste=30, clock=Clock())
    breaker.leave(breaker.enter(), False, 20)
    breaker.leave(breaker.enter(), True, 60)
    breaker.leave(breaker.enter(), False, 20)
    assert breaker.state == "closed", "a slow answer is an answer, and failures count in a row"
    breaker.leave(breaker.enter(), False, 10)
    assert is_shut(breaker)


def test_calls_that_say_nothing_neither_open_nor_close_it() -> None:
    clock = Clock()
    breaker = Breaker(failures=2, pause=1, clock=clock)
    fail(breaker)
    breaker.leave(breaker.enter(), None)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"
    clock.now += 1
    breaker.leave(breaker.enter(), None)
    assert breaker.state == "half-open", "the next call may try"
    breaker.leave(breaker.enter(), True)
    assert breaker.state == "closed"


def test_one_call_at_a_time_may_try() -> None:
    clock = Clock()
    breaker = Breaker(failures=1, pause=1, clock=clock)
    fail(breaker)
    clock.now += 1
    probe = breaker.enter()
    clock.now += 1000
    assert breaker.state == "half-open"
    assert is_shut(breaker)
    breaker.leave(probe, True)
    assert breaker.state == "closed"


def test_one_thread_of_many_may_try() -> None:
    clock = Clock()
    breaker = Breaker(failures=1, pause=1, clock=clock)
    fail(breaker)
    clock.now += 1
    start = threading.Barrier(8)
    permits = []

    def enter() -> None:
        start.wait()
        try:
            permits.append(breaker.enter())
        except NoAnswer:
            return

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(permits) == 1


def test_late_news_of_the_past_change_nothing() -> None:
    clock = Clock()
    breaker = Breaker(failures=1, pause=1, clock=clock)
    old, older = breaker.enter(), breaker.enter()
    fail(breaker)
    breaker.leave(old, True)
    assert breaker.state == "open"
    clock.now += 1
    probe = breaker.enter()
    breaker.leave(older, False)
    breaker.leave(probe, True)
    assert breaker.state == "closed"


@given(
    pause=st.floats(0.01, 10),
    longest=st.floats(10, 1000),
    failures=st.integers(1, 4),
    probes=st.integers(1, 12),
)
def test_pauses_double_up_to_the_longest_and_start_anew_after_a_success(
    pause: float, longest: float, failures: int, probes: int
) -> None:
    clock = Clock()
    breaker = Breaker(failures, pause, longest, clock)
    for _ in range(2):
        fail(breaker, failures)
        for number in range(probes):
            expected = min(pause * 2**number, longest)
            clock.now += expected * 0.99
            assert breaker.state == "open"
            clock.now += expected * 0.02
            assert breaker.state == "half-open"
            if number < probes - 1:
                fail(breaker)
        breaker.leave(breaker.enter(), True)
        assert breaker.state == "closed"


class Model(RuleBasedStateMachine):
    """Calls that begin and end in any order, against what is known of them."""

    permits = Bundle("permits")

    @initialize(failures=st.integers(1, 3))
    def start(self, failures: int) -> None:
        self.clock = Clock()
        self.limit = failures
        self.breaker = Breaker(failures, 1.0, 8.0, self.clock)
        self.probing = 0
        self.in_a_row = 0

    @rule(seconds=st.floats(0.1, 20))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(target=permits)
    def enter(self) -> tuple[int, str] | None:
        before = self.breaker.state
        try:
            permit = self.breaker.enter()
        except NoAnswer as reason:
            assert reason.kind == "open"
            assert before == "open" or self.probing
            return None
        assert before == "closed" or (before == "half-open" and not self.probing)
        self.probing += before == "half-open"
        return permit, before

    @rule(call=consumes(permits), success=st.sampled_from([True, False, None]))
    def leave(self, call: tuple[int, str] | None, success: bool | None) -> None:
        if call is None:
            return
        permit, state_then = call
        before = self.breaker.state
        self.breaker.leave(permit, success)
        after = self.breaker.state
        if state_then == "half-open":
            self.probing -= 1
            assert after == {True: "closed", False: "open", None: "half-open"}[success]
        elif before != "closed":
            assert after == before, "news of the past"
        else:
            assert after == "closed" or success is False

    @invariant()
    def one_call_at_most_tries(self) -> None:
        assert getattr(self, "probing", 0) in (0, 1)


Model.TestCase.settings = settings(max_examples=100, stateful_step_count=30)
TestAnyOrderOfCalls = Model.TestCase
