"""Finding out what a language-model server can do, by trying each dialect (`cascade.llm.trial`)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from cascade.errors import InputError
from cascade.llm.base import NoAnswer
from cascade.llm.breaker import Breaker
from cascade.llm.client import BadStatus, Limits, Server
from cascade.llm.dialects import DIALECTS, Constrained, Dialect, dialect_named
from cascade.llm.prompt import DEFAULT_BUDGET
from cascade.llm.trial import AT_ONCE, KNOWN, PATIENCE, Trial, put_to_trial

WARM_UP = 300.0
"""Seconds that the first call may take. Half a minute was seen after vLLM said that it was ready,
and minutes on a busy machine, where it compiles first."""

_BORNE = 10_000
"""Failures in a row before the server is left alone: it may fail at each dialect but one."""


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
    breaker = Breaker(failures=_BORNE, waste=math.inf)
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
        trials.append(put_to_trial(server, each, model, budget, trials))
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


def _choose(trials: Sequence[Trial]) -> str:
    usable = [trial for trial in trials if trial.asked]
    telling = [t for t in usable if not isinstance(DIALECTS[t.dialect], Constrained)]
    best = max(telling or usable, key=lambda trial: trial.right, default=None)
    return best.dialect if best else ""
