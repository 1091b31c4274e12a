"""One dialect tried on a server: questions with known answers, how fast, and how steadily.

A server says with a 200 that it did what was asked, whether it did or not. So a constraint is
trusted only if it holds where the prompt asks for something quite different.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from cascade.llm.base import Answer, Example, NoAnswer, Question
from cascade.llm.client import Server
from cascade.llm.dialects import Constrained, Dialect
from cascade.llm.prompt import fit

PATIENCE = 60.0
"""Seconds that a call may take."""

AT_ONCE = 4
"""Calls at the same time, to see if the answers stay the same."""

_QUEUES = {
    "Billing": "invoices, payments, refunds, prices",
    "Access": "passwords, accounts, logging in, permissions",
    "Hardware": "printers, laptops, screens, cables",
    "Network": "wifi, vpn, internet connection",
}
_EXAMPLES = (
    Example("my monitor stays black", "Hardware"),
    Example("please reset my password", "Access"),
    Example("the vpn disconnects every hour", "Network"),
    Example("where is my refund", "Billing"),
)
_TICKETS = (
    ("the invoice charges us twice for the same month, please refund it", "Billing"),
    ("I forgot my password and my account is locked now", "Access"),
    ("the printer on the second floor has a paper jam", "Hardware"),
    ("no wifi in the meeting room, the internet connection is down", "Network"),
)
KNOWN: tuple[tuple[Question, str], ...] = tuple(
    (Question(ticket, tuple(_QUEUES), _EXAMPLES, _QUEUES), queue) for ticket, queue in _TICKETS
)
"""Questions that any useful model answers, and the answers; each letter is right once."""

_TRAP = [{"role": "user", "content": "Write a short poem about the sea."}]


@dataclass(frozen=True, slots=True)
class Trial:
    """How a server did in one dialect.

    Attributes:
        dialect: its name.
        problem: why it cannot be used; empty if it can.
        asked: how many of the `KNOWN` questions were asked; none if a better dialect works.
        right: how many of them were answered rightly.
        mass: least share of the distribution that fell on the codes.
        p50_ms, p95_ms: milliseconds of a call with a short prompt, one after the other.
        full_ms: milliseconds of a call whose prompt fills the token budget.
        full_problem: why such a call got no answer; empty if it did.
        drift: largest difference of a probability when a question is asked again.
        parallel_drift: the same for several calls at once.
    """

    dialect: str
    problem: str = ""
    asked: int = 0
    right: int = 0
    mass: float = 0.0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    full_ms: float = 0.0
    full_problem: str = ""
    drift: float = 0.0
    parallel_drift: float = 0.0


def put_to_trial(
    server: Server, dialect: Dialect, model: str, budget: int, before: Sequence[Trial]
) -> Trial:
    """Try a dialect on a server; a constraint is not measured where a better dialect works.

    Args:
        budget: of tokens, for a prompt of full length.
        before: the trials of the dialects that are better.
    """
    try:
        if isinstance(dialect, Constrained):
            _spring_trap(server, dialect, model)
        _ask(server, dialect, model, KNOWN[0][0])
    except NoAnswer as reason:
        return Trial(dialect.name, problem=reason.reason)
    if isinstance(dialect, Constrained) and any(not trial.problem for trial in before):
        return Trial(dialect.name)
    try:
        return _measure(server, dialect, model, budget)
    except NoAnswer as reason:
        return Trial(dialect.name, problem=f"not every time: {reason.reason}")


def _spring_trap(server: Server, dialect: Constrained, model: str) -> None:
    path, payload = dialect.request(KNOWN[0][0], model)
    payload["messages"] = _TRAP
    reply = server.post(path, payload, time.monotonic() + PATIENCE)
    try:
        dialect.read(KNOWN[0][0], reply)
    except NoAnswer:
        raise NoAnswer("nonsense", "the answer does not keep the constraint") from None


def _ask(server: Server, dialect: Dialect, model: str, question: Question) -> tuple[Answer, float]:
    path, payload = dialect.request(question, model)
    started = time.monotonic()
    answer = dialect.read(question, server.post(path, payload, started + PATIENCE))
    return answer, (time.monotonic() - started) * 1000


def _measure(server: Server, dialect: Dialect, model: str, budget: int) -> Trial:
    questions = [question for question, _ in KNOWN]

    def ask(question: Question) -> tuple[Answer, float]:
        return _ask(server, dialect, model, question)

    first = [ask(question) for question in questions]
    second = [ask(question) for question in questions]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        parallel = list(threads.map(ask, questions))
    times = [ms for _, ms in (*first, *second)]
    right = [
        question.candidates[int(np.argmax(answer.probabilities))] == queue
        for (question, queue), (answer, _) in zip(KNOWN, first, strict=True)
    ]
    full_ms, full_problem = _full(ask, budget)
    return Trial(
        dialect.name,
        asked=len(right),
        right=sum(right),
        mass=min(answer.mass for answer, _ in first),
        p50_ms=round(float(np.percentile(times, 50)), 1),
        p95_ms=round(float(np.percentile(times, 95)), 1),
        full_ms=round(full_ms, 1),
        full_problem=full_problem,
        drift=_drift(first, second),
        parallel_drift=_drift(first, parallel),
    )


def _full(ask: Callable[[Question], tuple[Answer, float]], budget: int) -> tuple[float, str]:
    """A prompt as long as prompts may get: servers have a context of their own."""
    question = KNOWN[0][0]
    long = replace(question, ticket=f"{question.ticket}. It happened again today. " * budget)
    try:
        return ask(fit(long, budget))[1], ""
    except NoAnswer as reason:
        return 0.0, reason.reason


def _drift(some: Sequence[tuple[Answer, float]], others: Sequence[tuple[Answer, float]]) -> float:
    pairs = zip(some, others, strict=True)
    return max(
        float(np.abs(np.subtract(a.probabilities, b.probabilities)).max())
        for (a, _), (b, _) in pairs
    )
