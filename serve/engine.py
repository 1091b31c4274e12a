"""The cascade of a worker process: which one, and how deep it may go.

The cascade can be changed for another at any moment. A request keeps the one that it began with;
when the last of them has ended, the old one is gone.

Under load depth is given up first, and only then requests: where too many wait, or somebody for
too long, a ticket is asked of the first stage alone. That stage's gate holds as ever, so load
settles no ticket that would not be settled without it; whoever the gate does not let pass is
answered as late, and finished later.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import quote

from cascade.decision import Decision
from cascade.explain import Explainable, Explanation, explain
from cascade.opinions import Opinion, opinions
from cascade.stages.base import Heads, Probabilities
from cascade.ticket import Ticket
from serve.problems import NOT_READY, Problem
from serve.turns import Place, Turns

LONGEST_WAIT = 30.0
"""Seconds that a request without a deadline waits for its turn."""
LONG_MS = 1000.0
"""A request with more time than that, or any, may spend it on a language model: see `Turns`."""
TOO_LONG = 1 / 3
"""Share of somebody's patience, spent waiting, from which on depth is given up. The time that a
queue costs tells a crowd from a burst better than its length does (Nichols and Jacobson,
"Controlling Queue Delay", 2012): a few slow tickets are a crowd, too."""
LONGEST_QUIET = 30.0
"""Seconds that work for later waits for a moment in which nobody else does."""
OPINION_SECONDS = 10.0
"""Seconds that a language model has to say what it thinks of a ticket alone."""
NO_TIME = 1e-3
"""Milliseconds of a deadline that lets the first stage run, which always does, and no other."""
CROWDED = "so many tickets waited that only the first stage was asked"
BUNDLE = "Cascade-Bundle"
"""Header that names the bundle in a reply."""


class Router(Explainable, Protocol):
    """What the service needs of ``cascade.Cascade``."""

    @property
    def stage_names(self) -> tuple[str, ...]: ...
    @property
    def advisers(self) -> dict[str, dict[str, Any]]: ...

    @property
    def heads(self) -> Heads: ...

    def warm_up(self) -> None: ...
    def route(
        self, tickets: Sequence[Ticket], *, deadline_ms: float | None = None
    ) -> list[Decision]: ...
    def weigh(
        self, tickets: Sequence[Ticket], *, deadline_ms: float | None = None
    ) -> tuple[list[Decision], Probabilities]: ...


@dataclass(frozen=True, slots=True)
class Serving:
    """What is in service: a cascade, and the number of its deployment; None for the settings'."""

    router: Router
    deployment: int | None


@dataclass(frozen=True, slots=True)
class Turn:
    """A request's turn, all of it with one cascade.

    Attributes:
        router: the cascade.
        deadline_ms: what is left of it; None for no limit.
        crowded: only the first stage is asked.
    """

    router: Router
    deadline_ms: float | None
    crowded: bool

    def route(self, tickets: Sequence[Ticket]) -> list[Decision]:
        """Decisions for the tickets, in their order."""
        if not self.crowded:
            return self.router.route(tickets, deadline_ms=self.deadline_ms)
        decided = self.router.route(tickets, deadline_ms=NO_TIME)
        return [replace(its, reason=CROWDED) if its.late else its for its in decided]

    def weigh(self, tickets: Sequence[Ticket]) -> tuple[list[Decision], Probabilities]:
        """Decisions, and how likely each class of each label is."""
        return self.router.weigh(tickets, deadline_ms=NO_TIME if self.crowded else self.deadline_ms)

    def explain(self, ticket: Ticket, decision: Decision) -> Explanation | None:
        """Why this ticket was decided so; in a crowd None, as others wait."""
        return None if self.crowded else explain(self.router, ticket, decision)

    def opinions(self, ticket: Ticket) -> tuple[Opinion, ...]:
        """What each stage says of a ticket alone; in a crowd that it was not asked."""
        if self.crowded:
            return tuple(Opinion(it, None, None, 0.0, CROWDED) for it in self.router.stage_names)
        return opinions(self.router, ticket, OPINION_SECONDS)


class Engine:
    """Holds the cascade and lets requests in. Safe to use from threads.

    Args:
        threads: requests that route at once.
        waiting: requests that may wait for their turn.
        shallow_from: with so many waiting, tickets are asked of the first stage only; whoever
            brings more time than `LONG_MS` does not count.
    """

    def __init__(self, threads: int, waiting: int, shallow_from: int) -> None:
        self.turns = Turns(threads, waiting)
        self.draining = False
        """Whether the process is about to end; requests are still answered."""
        self._shallow_from = shallow_from
        self._serving: Serving | None = None

    def serve(self, router: Router, deployment: int | None = None) -> None:
        """Put a cascade into service, in place of the one before it."""
        self._serving = Serving(router, deployment)

    @property
    def bundle_id(self) -> str:
        """Id of the bundle in service, ``none`` before there is one."""
        serving = self._serving
        return serving.router.bundle_id if serving else "none"

    @property
    def header(self) -> dict[str, str]:
        """Names the bundle in a reply."""
        return named(self.bundle_id)

    def serving(self) -> Serving:
        """The cascade in service.

        Raises:
            Problem: 503, there is none yet.
        """
        serving = self._serving
        if serving is None:
            raise Problem(NOT_READY, "Ask again in a moment.", headers={"Retry-After": "1"})
        return serving

    def router(self) -> Router:
        """The cascade in service.

        Raises:
            Problem: 503, there is none yet.
        """
        return self.serving().router

    @contextmanager
    def turn(self, deadline_ms: float | None, *, long: bool = False) -> Iterator[Turn]:
        """Take a turn; waiting for it counts against the deadline.

        Args:
            deadline_ms: None for no limit.
            long: it may take much longer than its deadline says.

        Raises:
            Problem: 503, no bundle is in service yet or too many wait.
        """
        self.serving()
        arrived = time.perf_counter()
        patience = LONGEST_WAIT if deadline_ms is None else deadline_ms / 1000
        long = long or deadline_ms is None or deadline_ms > LONG_MS
        with self.turns.take(patience, long=long) as place:
            waited_ms = (time.perf_counter() - arrived) * 1000
            if deadline_ms is not None and waited_ms >= 1:  # decisions quote a round number
                deadline_ms = max(deadline_ms - waited_ms, NO_TIME)
            yield Turn(self.router(), deadline_ms, self._crowded(place))

    def _crowded(self, mine: Place) -> bool:
        crowd = self.turns.crowd()
        if len(crowd) >= self._shallow_from:
            return True
        return any(place.spent > TOO_LONG for place in (mine, *crowd))

    def later(self, tickets: Sequence[Ticket]) -> list[Decision]:
        """Decisions without a deadline, from every stage they need.

        For work in the background. It begins when no request waits for its turn, or after
        `LONGEST_QUIET`, and takes none away; how much of it runs at a time is the caller's affair.

        Raises:
            Problem: 503, no bundle is in service yet.
        """
        self.serving()
        self.turns.wait_for_quiet(LONGEST_QUIET)
        return self.router().route(tickets)


def named(bundle_id: str) -> dict[str, str]:
    """The header for a bundle, whose id holds a name that a stranger may have chosen."""
    return {BUNDLE: quote(bundle_id)}
