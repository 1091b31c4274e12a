"""Every stage's own answer, whether or not the gates ask it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cascade.gate import Gate, Gates, Join
from cascade.opinions import opinions
from cascade.router import Cascade
from cascade.stages.base import QUEUE, Advice
from cascade.ticket import Ticket

TICKET = Ticket("billing: the invoice is wrong")


class Llm:
    """An adviser that tells what it was told, or gives no answer."""

    name = "llm"
    fitted = True
    state: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        self.until: float | None = None

    def warm_up(self) -> None: ...

    def advise(self, texts: list[str], joined: Any, until: float | None) -> Advice:
        self.until = until
        return Advice({QUEUE: joined, "urgency": np.full((1, 2), 0.5)}, (self.reason,))


def with_llm(cascade: Cascade, llm: Llm) -> Cascade:
    """The cascade with an adviser behind it that the gates do not ask."""
    joins = {name: Join((1.0, 0.0)) for name in cascade.heads}
    gate = Gate.even("llm", joins, 0.5, len(cascade.queues))
    gates = Gates((*cascade.gates.gates, gate))
    return Cascade([*cascade.stages, llm], gates, cascade.heads, "fake-0")


def test_stages_behind_the_one_that_settled_are_asked_as_well(
    fake_cascade: Callable[..., Cascade],
) -> None:
    cascade = fake_cascade(("linear", 0.9, 0.8), ("encoder", 0.7, 0.5))
    (decision,) = cascade.route([TICKET])
    assert [trace.name for trace in decision.stages] == ["linear"]
    said = opinions(cascade, TICKET)
    assert [(its.stage, its.queue, round(its.confidence or 0, 2)) for its in said] == [
        ("linear", "billing", 0.9),
        ("encoder", "billing", 0.7),
    ]
    assert all(its.ms >= 0 and not its.reason for its in said)
    assert cascade.route([TICKET])[0].queue == decision.queue


def test_an_adviser_is_not_waited_for_longer_than_it_may_take(
    fake_cascade: Callable[..., Cascade],
) -> None:
    llm = Llm()
    cascade = with_llm(fake_cascade(("linear", 0.9, 0.8)), llm)
    opinions(cascade, TICKET)
    assert llm.until is None
    opinions(cascade, TICKET, 5.0)
    assert llm.until
    assert 0 < llm.until - time.monotonic() <= 5.0


def test_an_adviser_is_told_what_the_stages_before_think(
    fake_cascade: Callable[..., Cascade],
) -> None:
    cascade = with_llm(fake_cascade(("linear", 0.9, 0.8)), Llm())
    *_, last = opinions(cascade, TICKET)
    assert (last.stage, last.queue, round(last.confidence or 0, 2)) == ("llm", "billing", 0.9)


def test_one_without_an_answer_says_why(fake_cascade: Callable[..., Cascade]) -> None:
    cascade = with_llm(fake_cascade(("linear", 0.9, 0.8)), Llm("the server is down"))
    *_, last = opinions(cascade, TICKET)
    assert (last.queue, last.confidence, last.reason) == (None, None, "the server is down")


def test_all_four_stages_of_a_real_bundle_speak(reader_bundle: Path) -> None:
    said = opinions(Cascade.load(reader_bundle), Ticket("Charged twice for invoice 4711"))
    assert [its.stage for its in said] == ["linear", "encoder", "neighbours", "llm"]
    assert all(its.queue and 0 < (its.confidence or 0) <= 1 for its in said)
