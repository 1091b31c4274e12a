"""Turns: first come, first served; a bounded room; a word on when to come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from serve.problems import BUSY, Problem
from serve.turns import LONGEST_RETRY, Turns


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


def test_background_work_waits_until_nobody_else_does() -> None:
    turns, done = Turns(1, 4), []

    def live() -> None:
        with turns.take(10):
            done.append("live")

    def background() -> None:
        turns.wait_for_quiet()
        done.append("background")

    turns.wait_for_quiet()  # nobody is there
    with turns.take(1):
        turns.wait_for_quiet()  # somebody routes, nobody waits
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
