"""Times and memory: what is counted, and what is not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cascade.errors import CascadeError
from eval.latency import WARM, in_process, machine, peak_memory

TEXTS = ["vpn is down since this morning", "the invoice is wrong", "please reset my password"]


class Sleeper:
    """Takes some milliseconds a ticket without working, and remembers what it was asked."""

    def __init__(self, *seconds: float) -> None:
        self.seconds, self.asked = seconds, list[list[str]]()

    def __call__(self, texts: Sequence[str]) -> None:
        self.asked.append(list(texts))
        time.sleep(self.seconds[len(self.asked) % len(self.seconds)])


def test_each_ticket_is_asked_alone_and_then_all_in_one_call() -> None:
    sleeper = Sleeper(0.0)
    told = in_process(sleeper, TEXTS)
    alone = [[text] for text in TEXTS]
    assert sleeper.asked == [*alone, *alone, TEXTS]  # the first round is the warming up
    assert told["tickets"] == 3


def test_of_many_tickets_only_the_first_warm_up() -> None:
    sleeper = Sleeper(0.0)
    in_process(sleeper, ["a"] * 50)
    assert len(sleeper.asked) == WARM + 50 + 1


def test_waiting_is_wall_time_and_not_cpu_time() -> None:
    told = in_process(Sleeper(0.01), TEXTS)
    assert told["ms_p50"] >= 10
    assert told["cpu_ms"] < 5
    assert 30 < told["per_second"] <= 300  # three tickets in one call


def test_work_is_cpu_time_too() -> None:
    def work(texts: Sequence[str]) -> None:
        end = time.process_time() + 0.01
        while time.process_time() < end:
            pass

    assert in_process(work, TEXTS)["cpu_ms"] >= 10


def test_percentiles_are_those_of_the_tickets_asked_alone() -> None:
    told = in_process(Sleeper(0.001, 0.02), ["a"] * 20)
    assert told["ms_p50"] <= told["ms_p95"] <= told["ms_p99"]
    every = told["ms_percentiles"]
    assert len(every) == 101 and every == sorted(every)
    assert (every[50], every[95], every[99]) == (told["ms_p50"], told["ms_p95"], told["ms_p99"])
    assert every[10] < 15 < every[90]


def test_a_fresh_process_holds_what_the_bundle_needs_and_not_what_this_one_holds(
    tiny_bundle: Path,
) -> None:
    ballast = np.ones(60_000_000)  # 458 MiB
    whole = peak_memory(tiny_bundle, TEXTS)
    linear = peak_memory(tiny_bundle, TEXTS, "linear")
    assert ballast[-1] == 1
    assert 20 < linear < whole < 450


def test_an_adviser_is_loaded_alone_as_well(reader_bundle: Path) -> None:
    assert peak_memory(reader_bundle, TEXTS[:1], "llm") > 20


def test_a_stage_that_the_bundle_has_not_is_an_error_that_names_those_it_has(
    linear_bundle: Path,
) -> None:
    with pytest.raises(CascadeError, match="no stage 'encoder'; it has linear"):
        peak_memory(linear_bundle, TEXTS, "encoder")


def test_the_machine_is_told_with_what_times_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    told = machine()
    assert told["cores"] >= 1 and told["memory_gib"] > 0.5 and told["load"] >= 0
    assert told["cpu"] and told["threads"] == 3
    assert {"ticket-cascade", "numpy", "onnxruntime"} <= set(told["versions"])
