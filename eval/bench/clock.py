"""Timing: tickets one by one and in batches, for a given time, warm."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from eval.bench.texts import repeated
from eval.latency import PERCENTS
from train.measures import timed

BATCH = 256
"""Tickets of a call: what the service takes at most, and what scoring a file works in."""
FEWEST, MOST = 5, 2000
"""Tickets that are timed one by one, whatever the time."""
WARM = 2
"""Tickets that are asked first and not counted; `Cascade.warm_up` did the rest."""
ROUNDS = 15
"""Most batches that are timed."""
SMALL = 8
"""Tickets of the smallest batch: enough where all are of one length."""

Ask = Callable[[Sequence[str]], object]


def clocked(
    ask: Ask, texts: Sequence[str], seconds: float, smallest: int = SMALL
) -> dict[str, Any]:
    """Times of tickets alone, for half of the time, and in batches.

    CPU time is that of this process, all its threads. A batch is `BATCH` tickets, or as many as the
    time allows.

    Args:
        ask: takes texts.
        texts: at least one; they are asked again and again, see `repeated`.
        seconds: in all; a slow ``ask`` takes longer, as a few tickets are always timed.
        smallest: tickets of a batch at least.

    Returns:
        ``alone``: ``tickets``, the wall times ``ms_p50``, ``ms_p95`` and ``ms_p99`` (None where
        fewer tickets were timed than the percentile needs) and ``cpu_ms``, the mean;
        ``batch``: ``size``, ``rounds``, and per ticket ``ms`` and ``cpu_ms``, means; tickets
        ``per_cpu_second``.
    """
    stream = repeated(texts)
    for _ in range(WARM):
        ask([next(stream)])
    alone = _alone(ask, stream, seconds / 2)
    size = min(BATCH, max(smallest, int(seconds / 4 / (alone["cpu_ms"] / 1000))))
    return {"alone": alone, "batch": _batch(ask, stream, size, seconds / 2)}


def _alone(ask: Ask, texts: Iterator[str], seconds: float) -> dict[str, Any]:
    cpu = time.process_time()
    _, ms = timed(lambda text: ask([text]), _until(texts, seconds))
    cpu = time.process_time() - cpu
    found = np.percentile(ms, PERCENTS)
    return {
        "tickets": len(ms),
        **{
            f"ms_p{percent}": significant(at) if len(ms) * (100 - percent) >= 100 else None
            for percent, at in zip(PERCENTS, found.tolist(), strict=True)
        },
        "cpu_ms": significant(1000 * cpu / len(ms)),
    }


def _until(texts: Iterator[str], seconds: float) -> Iterator[str]:
    """Texts until the time is over: `FEWEST` to `MOST` of them."""
    end = time.perf_counter() + seconds
    for number, text in enumerate(texts):
        if number == MOST or (number >= FEWEST and time.perf_counter() >= end):
            return
        yield text


def _batch(ask: Ask, texts: Iterator[str], size: int, seconds: float) -> dict[str, Any]:
    end = time.perf_counter() + seconds
    wall, cpu, rounds = 0.0, 0.0, 0
    while rounds < ROUNDS and (not rounds or time.perf_counter() < end):
        part = list(islice(texts, size))
        began, cpu_began = time.perf_counter(), time.process_time()
        ask(part)
        cpu += time.process_time() - cpu_began
        wall += time.perf_counter() - began
        rounds += 1
    each = size * rounds
    return {
        "size": size,
        "rounds": rounds,
        "ms": significant(1000 * wall / each),
        "cpu_ms": significant(1000 * cpu / each),
        "per_cpu_second": significant(each / cpu),
    }


def best(run: Callable[[], object], seconds: float) -> float:
    """The least CPU seconds that a call took of those that fit into a time, three at least."""
    end = time.perf_counter() + seconds
    least, runs = float("inf"), 0
    while runs < 3 or time.perf_counter() < end:
        began = time.process_time()
        run()
        least, runs = min(least, time.process_time() - began), runs + 1
    return least


def significant(value: float) -> float:
    """Four significant digits: times here go from microseconds to seconds."""
    return float(f"{value:.4g}")
