"""How tickets are timed."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from eval.bench.clock import BATCH, FEWEST, MOST, ROUNDS, SMALL, best, clocked, significant

TEXTS = [f"{'ticket ' * 9}{number}" for number in range(999)]


class Busy:
    """Takes so many CPU seconds a text, and remembers its calls."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.sizes, self.texts = seconds, list[int](), list[str]()

    def __call__(self, texts: Sequence[str]) -> None:
        self.sizes.append(len(texts))
        self.texts += texts
        end = time.process_time() + self.seconds * len(texts)
        while time.process_time() < end:
            pass


def test_wall_and_cpu_time_are_those_of_a_ticket() -> None:
    told = clocked(Busy(0.0005), TEXTS, 0.6)
    alone, batch = told["alone"], told["batch"]
    assert 0.5 <= alone["ms_p50"] <= alone["ms_p95"] <= alone["ms_p99"]
    assert alone["cpu_ms"] == pytest.approx(0.5, rel=0.5)
    assert batch["cpu_ms"] == pytest.approx(0.5, rel=0.2) and batch["ms"] >= 0.9 * batch["cpu_ms"]
    assert batch["per_cpu_second"] == pytest.approx(1000 / batch["cpu_ms"], rel=0.01)


def test_waiting_takes_wall_time_and_no_cpu_time() -> None:
    told = clocked(lambda texts: time.sleep(0.002 * len(texts)), TEXTS, 0.1)
    assert told["alone"]["ms_p50"] >= 2 > 4 * told["alone"]["cpu_ms"]


def test_a_quick_stage_is_asked_a_bounded_number_of_times_in_full_batches() -> None:
    busy = Busy(0)
    told = clocked(busy, TEXTS, 5)
    assert (told["alone"]["tickets"], told["batch"]["size"]) == (MOST, BATCH)
    assert busy.sizes.count(BATCH) == told["batch"]["rounds"] == ROUNDS
    assert len(set(busy.texts)) == len(busy.texts), "answers may be remembered"


def test_a_slow_stage_is_asked_a_few_times_and_percentiles_that_takes_more_are_left_open() -> None:
    told = clocked(Busy(0.01), TEXTS, 0.01)
    assert (told["alone"]["tickets"], told["batch"]["size"]) == (FEWEST, SMALL)
    assert told["batch"]["rounds"] == 1
    assert told["alone"]["ms_p50"] >= 10
    assert told["alone"]["ms_p95"] is told["alone"]["ms_p99"] is None
    assert clocked(Busy(0.001), TEXTS, 0.01, smallest=50)["batch"]["size"] == 50


def test_the_best_run_counts() -> None:
    naps = iter([0.02, 0.005, 0.02])
    assert best(lambda: Busy(next(naps))(["x"]), 0) == pytest.approx(0.005, rel=0.5)


def test_figures_have_four_digits_whatever_their_size() -> None:
    assert (significant(0.0000123456), significant(123456.0)) == (0.00001235, 123500.0)
