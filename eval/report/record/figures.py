"""Figures that several parts of a record have in common."""

from __future__ import annotations

from typing import TypedDict

Interval = list[float]
"""Lower and upper end of a 95 % interval."""


class Quality(TypedDict, total=False):
    """How good answers are."""

    macro_f1: float | None
    macro_f1_95: Interval | None
    accuracy: float | None


class Speed(TypedDict, total=False):
    """What a ticket takes.

    Attributes:
        ms_p50, ms_p95, ms_p99: wall time of a ticket, one after the other.
        cpu_ms: CPU time of a ticket, over all cores.
        per_second: tickets a second in batch.
        memory_mib: peak of the process.
        ms_percentiles: 101 of them, from 0 to 100; drawn, not told.
    """

    ms_p50: float | None
    ms_p95: float | None
    ms_p99: float | None
    cpu_ms: float | None
    per_second: float | None
    memory_mib: float | None
    ms_percentiles: list[float]


class Cost(TypedDict, total=False):
    """What 1,000 tickets cost: the machine, the LLM's server, the people who review, and wrong
    queues that nobody looked at before."""

    machine: float | None
    llm: float | None
    people: float | None
    misroutes: float | None
    sum: float | None
    currency: str
