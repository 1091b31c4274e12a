"""What every stage would say of a ticket on its own, whether or not the gates ask it.

For people who want to see what a stage is worth: a language model that the gates do not ask as it
does not help, an encoder behind a linear stage that is sure. It costs what all the stages cost, and
changes no decision.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cascade.clean import clean
from cascade.explain import Explainable
from cascade.stages.base import QUEUE, Adviser
from cascade.ticket import Ticket


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one stage says, before it is joined with the others and calibrated.

    Attributes:
        stage: its name.
        queue, confidence: the best queue and its probability; None where it has no answer.
        ms: that it took.
        reason: why it has no answer; empty where it has one.
    """

    stage: str
    queue: str | None
    confidence: float | None
    ms: float
    reason: str


def opinions(
    cascade: Explainable, ticket: Ticket, seconds: float | None = None
) -> tuple[Opinion, ...]:
    """Ask every stage about a ticket, in order; an adviser is told what those before it think.

    Args:
        seconds: after which no adviser is waited for any more; None for the adviser's own limit.
    """
    until = None if seconds is None else time.monotonic() + seconds
    text = clean(ticket.text)
    seen: list[NDArray[np.float32]] = []
    said = []
    for at, stage in enumerate(cascade.stages):
        began, reason = time.perf_counter(), ""
        if isinstance(stage, Adviser):
            joined = cascade.gates.gates[at - 1].joins[QUEUE](seen)
            advice = stage.advise([text], joined, until)
            answer, reason = advice.probabilities[QUEUE], advice.reasons[0]
        else:
            answer = stage.predict([text])[QUEUE]
        ms = round((time.perf_counter() - began) * 1000, 3)
        seen.append(answer)
        best = int(answer[0].argmax())
        queue, confidence = (
            (None, None) if reason else (cascade.queues[best], float(answer[0, best]))
        )
        said.append(Opinion(stage.name, queue, confidence, ms, reason))
    return tuple(said)
