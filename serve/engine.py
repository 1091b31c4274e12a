"""The one cascade of a worker process: loaded once, and never crowded.

Routing is bound by the CPU, so only ``threads`` requests route at once and ``waiting`` more may
wait; the next one is told to come back. That keeps threads free for ``/healthz`` under any load,
and keeps a request from waiting longer than its answer is worth.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any, Protocol
from urllib.parse import quote

from cascade.decision import Decision
from cascade.explain import Explainable, Explanation, explain
from cascade.opinions import Opinion, opinions
from cascade.ticket import Ticket
from serve.problems import BUSY, NOT_READY, Problem

LONGEST_WAIT = 30.0
"""Seconds that a request without a deadline waits for its turn."""

RETRY_AFTER = {"Retry-After": "1"}


class Router(Explainable, Protocol):
    """What the service needs of ``cascade.Cascade``."""

    @property
    def stage_names(self) -> tuple[str, ...]: ...
    @property
    def advisers(self) -> dict[str, dict[str, Any]]: ...

    def warm_up(self) -> None: ...
    def route(
        self, tickets: Sequence[Ticket], *, deadline_ms: float | None = None
    ) -> list[Decision]: ...


class Engine:
    """Holds the cascade and lets requests in.

    Args:
        load: makes the cascade; called once, by `load`.
        threads: requests that route at once.
        waiting: requests that may wait for their turn.
    """

    def __init__(self, load: Callable[[], Router], threads: int, waiting: int) -> None:
        self._load = load
        self._router: Router | None = None
        self._room = BoundedSemaphore(threads + waiting)
        self._turns = BoundedSemaphore(threads)

    def load(self) -> None:
        """Load the cascade and warm it up; until this returns, the engine is not ready.

        Raises:
            BundleError: the bundle cannot be loaded.
        """
        router = self._load()
        router.warm_up()
        self._router = router

    @property
    def bundle_id(self) -> str:
        """Id of the loaded bundle, ``none`` before it is loaded."""
        return self._router.bundle_id if self._router else "none"

    @property
    def header(self) -> dict[str, str]:
        """Names the bundle in a reply. Its id holds a name that a stranger may have chosen."""
        return {"Cascade-Bundle": quote(self.bundle_id)}

    def router(self) -> Router:
        """The cascade.

        Raises:
            Problem: 503, it is not loaded yet.
        """
        if self._router is None:
            raise Problem(NOT_READY, "Ask again in a moment.", headers=RETRY_AFTER)
        return self._router

    def route(self, tickets: Sequence[Ticket], deadline_ms: float | None) -> list[Decision]:
        """Decisions for the tickets, in their order; waiting counts against the deadline.

        Raises:
            Problem: 503, not loaded yet or too busy.
        """
        router = self.router()
        arrived = time.perf_counter()
        with self._turn(LONGEST_WAIT if deadline_ms is None else deadline_ms / 1000):
            waited_ms = (time.perf_counter() - arrived) * 1000
            if deadline_ms is not None and waited_ms >= 1:  # decisions quote a round number
                deadline_ms = max(deadline_ms - waited_ms, 0.001)
            return router.route(tickets, deadline_ms=deadline_ms)

    def explain(
        self, tickets: Sequence[Ticket], decisions: Sequence[Decision]
    ) -> list[Explanation]:
        """Why these tickets were decided so. It takes its turn, as routing does.

        Raises:
            Problem: 503, too busy.
        """
        router = self.router()
        with self._turn(LONGEST_WAIT):
            pairs = zip(tickets, decisions, strict=True)
            return [explain(router, ticket, decision) for ticket, decision in pairs]

    def opinions(self, ticket: Ticket) -> tuple[Opinion, ...]:
        """What each stage says of a ticket alone. It takes its turn, as routing does.

        Raises:
            Problem: 503, too busy.
        """
        router = self.router()
        with self._turn(LONGEST_WAIT):
            return opinions(router, ticket)

    @contextmanager
    def _turn(self, patience: float) -> Iterator[None]:
        if not self._room.acquire(blocking=False):
            raise Problem(BUSY, "The waiting room is full.", headers=RETRY_AFTER)
        try:
            if not self._turns.acquire(timeout=patience):
                raise Problem(BUSY, "No turn came up in time.", headers=RETRY_AFTER)
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._room.release()
