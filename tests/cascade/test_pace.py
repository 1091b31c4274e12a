"""What stages are expected to take, by what they took; and that nobody is given up for good."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.pace import LONGEST_PATIENCE, PATIENCE, RECENT, Pace

LENGTHS = st.integers(0, 100_000)
TIMES = st.floats(0.01, 10_000)
OBSERVED = st.lists(st.tuples(LENGTHS, TIMES), max_size=100)


def paced(observed: list[tuple[int, float]], times: float = 1.0) -> Pace:
    pace = Pace()
    for characters, ms in observed:
        pace.observe("encoder", characters, ms * times)
    return pace


# --- what is expected ---


def test_what_is_not_known_is_tried() -> None:
    assert Pace().expect("encoder", 500) == 0.0


def test_stages_are_told_apart() -> None:
    pace = Pace()
    pace.observe("encoder", 500, 20.0)
    pace.observe("llm", 500, 800.0)
    assert (pace.expect("encoder", 500), pace.expect("llm", 500)) == (20.0, 800.0)


def test_the_second_slowest_of_the_last_ones_is_expected() -> None:
    pace = paced([(500, ms) for ms in (999.0, 999.0, *range(1, RECENT + 1))])
    assert pace.expect("encoder", 500) == RECENT - 1


def test_of_who_can_be_broken_off_the_median_is_expected() -> None:
    pace = Pace(breakable=["llm"])
    for ms in (60.0, 70.0, 80.0, 900.0, 1000.0):
        pace.observe("llm", 500, ms)
        pace.observe("encoder", 500, ms)
    assert (pace.expect("llm", 500), pace.expect("encoder", 500)) == (80.0, 900.0)


def test_a_longer_ticket_is_expected_to_take_what_longer_ones_took() -> None:
    pace = paced([(n, n / 20) for n in (100, 200, 400, 800, 1600) for _ in range(5)])
    assert [pace.expect("encoder", n) for n in (90, 210, 790, 1600)] == [5.0, 10.0, 40.0, 80.0]


@given(OBSERVED, LENGTHS, LENGTHS)
def test_a_longer_ticket_is_never_expected_to_be_faster(
    observed: list[tuple[int, float]], one: int, other: int
) -> None:
    pace = paced(observed)
    shorter, longer = sorted((one, other))
    assert pace.expect("encoder", shorter) <= pace.expect("encoder", longer)


@given(OBSERVED, LENGTHS)
def test_nothing_is_expected_that_was_not_seen(
    observed: list[tuple[int, float]], characters: int
) -> None:
    assert paced(observed).expect("encoder", characters) in {0.0, *(ms for _, ms in observed)}


@given(OBSERVED, LENGTHS)
def test_a_machine_that_is_twice_as_slow_is_expected_to_be(
    observed: list[tuple[int, float]], characters: int
) -> None:
    expected = paced(observed).expect("encoder", characters)
    assert paced(observed, times=2.0).expect("encoder", characters) == 2 * expected


@given(st.lists(st.floats(10, 30), min_size=2, max_size=40), st.floats(31, 1e6), st.data())
def test_a_single_outlier_changes_little(
    usual: list[float], outlier: float, data: st.DataObject
) -> None:
    """However late it comes, and however large it is."""
    at = data.draw(st.integers(0, len(usual)))
    times = [*usual[:at], outlier, *usual[at:]]
    assert paced([(500, ms) for ms in times]).expect("encoder", 500) <= 30


def test_ten_times_slower_is_learnt_at_once_and_recovery_within_the_memory() -> None:
    pace = paced([(500, 10.0)] * RECENT)
    for _ in range(2):
        pace.observe("encoder", 500, 100.0)
    assert pace.expect("encoder", 500) == 100.0
    for _ in range(RECENT - 1):
        pace.observe("encoder", 500, 10.0)
    assert pace.expect("encoder", 500) == 10.0


def test_what_was_broken_off_would_have_taken_longer() -> None:
    pace = Pace()
    pace.observe("llm", 500, 150.0, finished=False)
    assert pace.expect("llm", 500) > 150.0
    for _ in range(RECENT):
        pace.observe("llm", 500, 20.0, finished=False)
    assert pace.expect("llm", 500) > 150.0, "that 20 ms are too few is no news"


def test_several_threads_may_observe_and_ask() -> None:
    pace = Pace()

    def work(seed: int) -> None:
        for at in range(1000):
            pace.observe("encoder", (seed * 7919 + at * 31) % 5000, 10.0 + at % 10)
            assert 10 <= pace.expect("encoder", 5000) < 20
            list(pace.rounds("encoder", [at], 1, lambda: 5.0))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


# --- who is started ---


class Clock:
    """Milliseconds until a deadline, which go by only when a stage works."""

    def __init__(self, left: float) -> None:
        self.left = left

    def __call__(self) -> float:
        return self.left


def started(pace: Pace, lengths: list[int], clock: Clock, at_once: int, speed: float) -> list[int]:
    """Places of the tickets of a call that are started, where a round takes its longest's time."""
    places = []
    for part, starts in pace.rounds("encoder", lengths, at_once, clock):
        if starts:
            places += range(len(lengths))[part]
            ms = max(lengths[part]) / speed
            pace.observe("encoder", max(lengths[part]), ms)
            clock.left -= ms
    return places


def test_the_tickets_before_count() -> None:
    pace = paced([(100, 10.0)] * 5)
    assert started(pace, [100] * 9, Clock(45), 1, speed=10) == [0, 1, 2, 3]


def test_side_by_side_more_are_in_time() -> None:
    pace = paced([(100, 10.0)] * 5)
    assert started(pace, [100] * 9, Clock(25), 3, speed=10) == [0, 1, 2, 3, 4, 5]


def test_a_short_ticket_may_still_be_in_time_where_a_long_one_is_not() -> None:
    pace = paced([(100, 10.0)] * 5 + [(1000, 100.0)] * 5)
    assert started(pace, [100, 1000, 100], Clock(50), 1, speed=10) == [0, 2]


def test_nothing_is_started_after_the_deadline_however_little_is_known() -> None:
    assert started(Pace(), [100, 100], Clock(0), 1, speed=10) == []
    assert started(Pace(), [100, 100, 100], Clock(15), 1, speed=10) == [0]


def test_with_time_enough_all_are_started() -> None:
    assert started(paced([(100, 10.0)]), [100] * 500, Clock(1e9), 7, speed=10) == [*range(500)]


@given(OBSERVED, st.lists(st.integers(1, 20_000), max_size=30), st.floats(0, 2000), st.data())
def test_nothing_is_started_that_is_expected_to_be_late(
    observed: list[tuple[int, float]], lengths: list[int], left: float, data: st.DataObject
) -> None:
    """A fresh pace has not turned anybody away yet, so there are no probes."""
    pace, clock = paced(observed), Clock(left)
    at_once = data.draw(st.integers(1, 8))
    covered = 0
    for part, starts in pace.rounds("encoder", lengths, at_once, clock):
        longest = max(lengths[part])
        expected = pace.expect("encoder", longest)
        assert starts == (clock.left > 0 and expected <= clock.left)
        covered += len(lengths[part])
        if starts:
            ms = data.draw(st.floats(0.01, 500))
            pace.observe("encoder", longest, ms)
            clock.left -= ms
    assert covered == len(lengths)


def test_of_a_queue_of_late_tickets_none_is_let_through() -> None:
    pace = paced([(100, 10.0)] * 5)
    for _ in range(PATIENCE):
        assert started(pace, [100] * 200, Clock(35), 1, speed=10) == [0, 1, 2]


# --- another chance ---


class Machine:
    """A stage under requests of 500 characters, each with a deadline: as the router does it."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.late = self.in_time = self.refused = 0

    def requests(self, n: int, *, takes: float, left: float = 50.0) -> None:
        self.late = self.in_time = self.refused = 0
        for _ in range(n):
            [(_, starts)] = self.pace.rounds("encoder", [500], 1, lambda: left)
            if not starts:
                self.refused += 1
                continue
            self.pace.observe("encoder", 500, takes)
            self.late += takes > left
            self.in_time += takes <= left


@pytest.fixture
def machine() -> Machine:
    machine = Machine()
    machine.requests(100, takes=10)
    assert machine.in_time == 100
    return machine


def test_a_stage_that_became_slow_is_hardly_started(machine: Machine) -> None:
    machine.requests(10_000, takes=100)
    assert machine.in_time == 0
    assert machine.late < 25, "two to notice, then ever more rarely"


def test_a_stage_that_is_fast_again_is_started_again(machine: Machine) -> None:
    machine.requests(10, takes=100)
    machine.requests(100, takes=10)
    assert machine.refused <= 2 * PATIENCE
    machine.requests(100, takes=10)
    assert machine.refused == 0


def test_that_holds_however_long_it_was_slow(machine: Machine) -> None:
    machine.requests(100_000, takes=100)
    machine.requests(2 * LONGEST_PATIENCE, takes=10)
    assert machine.refused <= LONGEST_PATIENCE
    machine.requests(10, takes=100)
    machine.requests(100, takes=10)
    assert machine.refused <= 2 * PATIENCE, "the long wait is forgotten with what caused it"


def test_that_some_have_too_little_time_is_not_held_against_others(machine: Machine) -> None:
    machine.requests(10_000, takes=100, left=20)
    for _ in range(RECENT):
        machine.pace.observe("encoder", 500, 1000.0)
    machine.requests(100, takes=100, left=150)
    assert machine.refused <= 2 * PATIENCE


def test_shorter_tickets_that_were_slow_no_longer_hold_up_longer_ones(machine: Machine) -> None:
    for _ in range(2):
        machine.pace.observe("encoder", 100, 100.0)
    assert machine.pace.expect("encoder", 500) == 100.0
    machine.requests(100, takes=10)
    assert machine.refused == PATIENCE
    assert machine.pace.expect("encoder", 100) == 0.0


def test_while_others_show_what_it_takes_nobody_is_let_through_late(machine: Machine) -> None:
    """Requests with more time keep what is known fresh."""
    late = 0
    for _ in range(1000):
        machine.requests(1, takes=80, left=500)
        machine.requests(PATIENCE, takes=80, left=50)
        late += machine.late
    assert late == 1, "to notice"
