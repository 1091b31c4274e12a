"""Token buckets keep their law for whatever is asked of them."""

from __future__ import annotations

import threading
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from serve.limits import Limiter


class Clock:
    """Says what it was set to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


rates = st.floats(0.01, 1000)
bursts = st.floats(1, 100)
pauses = st.lists(st.floats(0, 20), max_size=60)


@given(rates, bursts, pauses)
def test_no_span_of_time_has_more_turns_than_the_burst_and_the_rate(
    rate: float, burst: float, pauses: list[float]
) -> None:
    clock = Clock()
    limiter = Limiter(rate, burst, clock=clock)
    turns = []
    for pause in pauses:
        clock.now += pause
        if not limiter.wait("a"):
            turns.append(clock.now)
    for i, begin in enumerate(turns):
        for j, end in enumerate(turns[i:], 1):
            assert j <= burst + rate * (end - begin) + 1e-6


@given(rates, bursts, pauses)
def test_who_waits_as_told_gets_a_turn_and_who_comes_earlier_does_not(
    rate: float, burst: float, pauses: list[float]
) -> None:
    clock = Clock()
    limiter = Limiter(rate, burst, clock=clock)
    for pause in pauses:
        clock.now += pause
        wait = limiter.wait("a")
        if wait:
            assert wait <= 1 / rate + 1e-9
            clock.now += wait * 0.9
            assert limiter.wait("a") > 0
            clock.now += wait * 0.1 + 1e-6
            assert limiter.wait("a") == 0


@given(rates, bursts)
def test_a_full_bucket_gives_the_burst_at_once_and_no_more(rate: float, burst: float) -> None:
    limiter = Limiter(rate, burst, clock=Clock())
    turns = [limiter.wait("a") for _ in range(int(burst) + 1)]
    assert turns[:-1] == [0.0] * int(burst)
    assert turns[-1] > 0


def test_each_name_has_its_own_bucket() -> None:
    limiter = Limiter(1, 1, clock=Clock())
    assert [limiter.wait(name) > 0 for name in "aabb"] == [False, True, False, True]


def test_the_name_that_was_idle_longest_is_forgotten() -> None:
    limiter = Limiter(1, 1, most=2, clock=Clock())
    for name in ("a", "b", "a"):
        limiter.wait(name)
    limiter.wait("c")  # b goes
    assert limiter.wait("a") > 0
    assert limiter.wait("b") == 0


def test_threads_share_a_bucket_exactly() -> None:
    limiter = Limiter(1, 100, clock=Clock())
    had: list[bool] = []
    crowd = [
        threading.Thread(target=lambda: had.extend(not limiter.wait("a") for _ in range(50)))
        for _ in range(8)
    ]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert sum(had) == 100


def test_waiting_gets_shorter_as_time_goes_by() -> None:
    clock = Clock()
    limiter = Limiter(0.5, 1, clock=clock)
    limiter.wait("a")
    waits = []
    for _ in range(4):
        waits.append(limiter.wait("a"))
        clock.now += 0.5
    assert waits == [2.0, 1.5, 1.0, 0.5]
    assert all(later < sooner for sooner, later in pairwise(waits))
