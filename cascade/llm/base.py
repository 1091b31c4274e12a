"""What is asked, what comes back, and who can answer.

A question is one ticket, a shortlist of queues and a few examples. An answer is a probability for
each of the shortlist. Whoever cannot give one raises `NoAnswer`, and the ticket keeps what the
earlier stages said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

MAX_CANDIDATES = 20
"""Servers give at most 20 log-probabilities a token, so no more queues can be told apart."""


@dataclass(frozen=True, slots=True)
class Example:
    """A past ticket that is shown with its queue."""

    text: str
    queue: str


@dataclass(frozen=True, slots=True)
class Question:
    """One ticket to be put into one of a few queues.

    Attributes:
        ticket: its cleaned and masked text.
        candidates: 2 to `MAX_CANDIDATES` queues, in the bundle's order, not by likelihood: the
            order is part of the prompt, which should be the same for as many tickets as it can.
        examples: past tickets (cleaned and masked) with queues among the candidates, the one
            most like the ticket last.
        descriptions: what belongs into a queue, where that is known.
    """

    ticket: str
    candidates: tuple[str, ...]
    examples: tuple[Example, ...] = ()
    descriptions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """Probabilities of the candidates, in their order, summing to 1.

    ``mass`` is the share of the model's distribution that fell on candidates at all, in [0, 1];
    little of it means that the model did not answer the question.
    """

    probabilities: tuple[float, ...]
    mass: float = 1.0


class NoAnswer(Exception):  # noqa: N818  (a reason, not an error: tickets go on without it)
    """There is no usable answer.

    Attributes:
        reason: a short fixed text for people, such as ``the LLM server is down``; it never holds
            anything of the ticket or of the server's reply.
        kind: one word for counters: ``late``, ``busy``, ``open`` (breaker), ``refused``,
            ``failed``, ``nonsense``, ``unsure`` or ``forbidden``.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


class Backend(Protocol):
    """Somebody who answers questions. Safe to call from several threads."""

    name: str
    """Which model answers, as it is kept in a bundle: the reader and its version, or the
    server's model and the dialect it is asked in."""

    def ask(self, question: Question, deadline: float) -> Answer:
        """Answer by ``deadline`` (of `time.monotonic`, in seconds).

        Raises:
            NoAnswer: why there is none.
        """
        ...
