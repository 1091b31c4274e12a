"""Finding out what a language-model server can do.

A server says with a 200 that it did what was asked, whether it did or not. So it is asked
questions with known answers in each dialect; and a constraint is trusted only if it holds where
the prompt asks for something quite different.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from cascade.errors import InputError
from cascade.llm.base import Answer, Example, NoAnswer, Question
from cascade.llm.breaker import Breaker
from cascade.llm.client import BadStatus, Limits, Server
from cascade.llm.dialects import DIALECTS, Constrained, Dialect, dialect_named
from cascade.llm.prompt import DEFAULT_BUDGET, fit

PATIENCE = 60.0
"""Seconds that a call may take."""

WARM_UP = 300.0
"""Seconds that the first call may take. Half a minute was seen after vLLM said that it was ready,
and minutes on a busy machine, where it compiles first."""

AT_ONCE = 4
"""Calls at the same time, to see if the answers stay the same."""

_BORNE = 10_000
"""Failures in a row before the server is left alone: it may fail at each dialect but one."""

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


@dataclass(frozen=True, slots=True)
class Report:
    """What was found out about a server.

    Attributes:
        url: its base URL.
        models: what it lists; empty if it lists nothing.
        model: the one that was asked.
        warm_up_s: seconds until the first answer of any kind.
        dialect: the one to use; empty if none works.
        trials: one a dialect, in the order in which they were tried.
    """

    url: str
    models: tuple[str, ...]
    model: str
    warm_up_s: float
    dialect: str
    trials: tuple[Trial, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and scalars, ready for JSON."""
        return asdict(self)


def probe(
    url: str,
    *,
    api_key: str | None = None,
    allow_public: bool = False,
    model: str = "",
    dialect: str = "",
    budget: int = DEFAULT_BUDGET,
    say: Callable[[str], None] = lambda line: None,
) -> Report:
    """Find out what a server can do, and which dialect to use.

    Probabilities are worth more than none, so a constrained answer is the last resort. Among the
    dialects with probabilities the one with more right answers is taken, and of equals the first.

    Args:
        url: the server's base URL, such as ``http://10.0.0.5:8000/v1``.
        api_key, allow_public: as for `Server`.
        model: its name there; may be left out if the server lists just one.
        dialect: try this one only.
        budget: of tokens, for a prompt of full length.
        say: is told what goes on.

    Raises:
        InputError: the address is not allowed; the model was left out, and the server does not
            list exactly one; there is no such dialect.
        NoAnswer: the server cannot be reached.
    """
    tried = [dialect_named(dialect)] if dialect else list(DIALECTS.values())
    limits = Limits(connect=10.0, first_byte=WARM_UP, total=WARM_UP, in_flight=AT_ONCE)
    breaker = Breaker(failures=_BORNE)
    server = Server(url, api_key=api_key, allow_public=allow_public, limits=limits, breaker=breaker)
    with closing(server):
        return _probe(server, url, model, tried, budget, say)


def _probe(
    server: Server,
    url: str,
    model: str,
    tried: Sequence[Dialect],
    budget: int,
    say: Callable[[str], None],
) -> Report:
    models = list_models(server)
    model = model or _only(models, url)
    say(f"waiting for the first answer of {model}")
    started = time.monotonic()
    _warm_up(server, tried, model)
    warm_up = time.monotonic() - started
    trials: list[Trial] = []
    for each in tried:
        say(f"trying {each.name}")
        trials.append(_trial(server, each, model, budget, trials))
    return Report(url, models, model, round(warm_up, 3), _choose(trials), tuple(trials))


def list_models(server: Server) -> tuple[str, ...]:
    """The models that a server lists, in OpenAI's shape or in that of typed decisions.

    Raises:
        NoAnswer: the server cannot be reached. One that cannot tell gives an empty list
            (transformers answers 500 where the machine has no model cache).
    """
    try:
        reply = server.get("models", time.monotonic() + PATIENCE)
    except BadStatus:
        return ()
    except NoAnswer as reason:
        if reason.kind == "nonsense":
            return ()
        raise
    listed = reply.get("data", reply.get("models"))
    entries = (
        [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    )
    names = (entry.get("id", entry.get("name")) for entry in entries)
    return tuple(name for name in names if isinstance(name, str) and name.isprintable())


def _only(models: Sequence[str], url: str) -> str:
    if len(models) == 1:
        return models[0]
    listed = f"has several models ({', '.join(models)})" if models else "lists no models"
    raise InputError(f"{url} {listed}: name one with --model or CASCADE_LLM_MODEL")


def _warm_up(server: Server, tried: Sequence[Dialect], model: str) -> None:
    """Ask until a dialect is understood; what it answers is no matter here."""
    for dialect in tried:
        path, payload = dialect.request(KNOWN[0][0], model)
        try:
            server.post(path, payload, time.monotonic() + WARM_UP)
        except NoAnswer as reason:
            if reason.kind not in ("refused", "failed", "nonsense"):
                raise
        else:
            return


def _trial(
    server: Server, dialect: Dialect, model: str, budget: int, before: Sequence[Trial]
) -> Trial:
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


def _choose(trials: Sequence[Trial]) -> str:
    usable = [trial for trial in trials if trial.asked]
    telling = [t for t in usable if not isinstance(DIALECTS[t.dialect], Constrained)]
    best = max(telling or usable, key=lambda trial: trial.right, default=None)
    return best.dialect if best else ""
