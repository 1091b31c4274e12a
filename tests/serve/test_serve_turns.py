"""Turns: first come, first served; a bounded room; a word on when to come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from serve.problems import BUSY, Problem
from serve.turns import LONGEST_RETRY, Place, Turns


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def take(turns: Turns) -> None:
    with turns.take(10):
        pass


def test_turns_come_in_the_order_of_arrival() -> None:
    turns, order = Turns(1, 8), []

    def ask(number: int) -> None:
        with turns.take(10):
            order.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    with turns.take(1):
        for waiting, thread in enumerate(threads, 1):
            thread.start()
            until(lambda waiting=waiting: turns.waiting == waiting)  # type: ignore[misc]
    for thread in threads:
        thread.join()
    assert order == list(range(8))


def test_no_more_have_a_turn_than_may_and_every_turn_comes_back() -> None:
    turns, inside, most, lock = Turns(3, 100), 0, 0, threading.Lock()

    def ask() -> None:
        nonlocal inside, most
        for _ in range(50):
            with turns.take(10):
                with lock:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.0001)
                with lock:
                    inside -= 1

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 3
    assert turns.waiting == 0
    with turns.take(0), turns.take(0), turns.take(0), pytest.raises(Problem), turns.take(0):
        pass


def test_a_full_room_refuses_at_once() -> None:
    turns = Turns(1, 0)
    with turns.take(1), pytest.raises(Problem) as caught, turns.take(10):
        pass
    assert caught.value.kind is BUSY
    assert caught.value.headers == {"Retry-After": "1"}


def test_who_runs_out_of_patience_leaves_the_queue() -> None:
    turns = Turns(1, 1)
    with turns.take(1):
        with pytest.raises(Problem) as caught, turns.take(0.01):
            pass
        assert caught.value.kind is BUSY
        assert turns.waiting == 0
    with turns.take(0):
        pass


def test_an_error_gives_the_turn_back() -> None:
    turns = Turns(1, 0)
    for _ in range(3):
        with pytest.raises(RuntimeError), turns.take(0):
            raise RuntimeError
    with turns.take(0):
        pass


def test_the_longer_turns_take_and_the_more_wait_the_later_one_may_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr("serve.turns.time.perf_counter", lambda: now)
    turns = Turns(2, 10)
    assert turns.retry_after == 1  # nothing is known yet
    for _ in range(100):
        with turns.take(0):
            now += 6.0
    assert turns.retry_after == 3  # one turn of 6 seconds, two at a time
    with turns.take(0), turns.take(0):
        waiting = threading.Thread(target=take, args=(turns,))
        waiting.start()
        until(lambda: turns.waiting == 1)
        assert turns.retry_after == 6
    waiting.join()
    for _ in range(100):
        with turns.take(0):
            now += 1e6
    assert turns.retry_after == LONGEST_RETRY


def test_long_requests_leave_a_turn_and_half_of_the_room_to_others() -> None:
    turns, done = Turns(3, 4), []

    def ask(name: str, long: bool) -> None:
        with turns.take(10, long=long):
            done.append(name)

    def waits(name: str, long: bool) -> threading.Thread:
        waiting, thread = turns.waiting, threading.Thread(target=ask, args=(name, long))
        thread.start()
        until(lambda: turns.waiting == waiting + 1)
        return thread

    with turns.take(0, long=True):
        with turns.take(0, long=True):
            threads = [waits("long 1", True), waits("long 2", True)]
            with pytest.raises(Problem), turns.take(10, long=True):
                pass
            with turns.take(0):  # at once, though others have waited for longer
                threads += [waits("short 1", False), waits("short 2", False)]
                assert [place.long for place in turns.crowd()] == [False, False]
                with pytest.raises(Problem), turns.take(10):
                    pass
            until(lambda: done == ["short 1", "short 2"])
            assert turns.waiting == 2
        until(lambda: done[2:] == ["long 1", "long 2"])
    for thread in threads:
        thread.join()
    with turns.take(0, long=True), turns.take(0, long=True), turns.take(0):
        pass  # all came back


def test_where_there_is_one_turn_long_requests_may_have_it() -> None:
    turns = Turns(1, 0)
    for _ in range(2):
        with turns.take(0, long=True):
            pass


def test_it_is_known_how_much_of_their_patience_those_who_wait_have_spent() -> None:
    assert Place(20.0, False, time.monotonic() - 15.0).spent == pytest.approx(0.75, abs=0.01)
    assert Place(0.0, False).spent == 0.0


def test_background_work_waits_until_nobody_else_does() -> None:
    turns, done = Turns(1, 4), []

    def live() -> None:
        with turns.take(10):
            done.append("live")

    def background() -> None:
        turns.wait_for_quiet(10.0)
        done.append("background")

    turns.wait_for_quiet(10.0)  # nobody is there
    with turns.take(1):
        turns.wait_for_quiet(10.0)  # somebody routes, nobody waits
        first, second = threading.Thread(target=live), threading.Thread(target=background)
        first.start()
        until(lambda: turns.waiting == 1)
        second.start()
        second.join(0.05)
        assert done == []
    first.join()
    second.join()
    assert set(done) == {"live", "background"}
    assert turns.waiting == 0


def test_background_work_does_not_wait_for_ever() -> None:
    turns = Turns(1, 1)
    with turns.take(0):
        waiting = threading.Thread(target=take, args=(turns,))
        waiting.start()
        until(lambda: turns.waiting == 1)
        turns.wait_for_quiet(0.01)
        assert turns.waiting == 1
    waiting.join()


def test_nor_does_it_starve_where_somebody_always_waits_again() -> None:
    """Whoever is told that nobody waits may come to look when the next one does."""
    turns, ended = Turns(1, 1), threading.Event()

    def background() -> None:
        turns.wait_for_quiet(10.0)
        ended.set()

    with turns.take(0):
        first = threading.Thread(target=take, args=(turns,))
        first.start()
        until(lambda: turns.waiting == 1)
        threading.Thread(target=background).start()
        until(lambda: bool(turns._quiet._waiters))  # type: ignore[attr-defined]
        with turns._lock:
            place = turns._queue.popleft()
            turns._tell_quiet()
            turns._queue.append(place)  # the next one, before the other thread has the lock
        assert ended.wait(5.0)
    first.join()
