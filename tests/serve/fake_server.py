"""A cascade that needs no bundle, and (run as a script) a real server around it.

Usage: python fake_server.py [broken-check | broken-load | slow-load | store-away | hasty]

A "bundle" of the fake is a folder with the files ``id`` and ``seconds``, that it takes to load.
The one of the settings need not be there: it is fake-1.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cascade.decision import Choice, Decision, Label, StageTrace
from cascade.errors import BundleError, CascadeError
from cascade.examples import Pool
from cascade.gate import Gate, Gates
from cascade.stages.base import QUEUE, Adviser, Heads, Probabilities, Stage
from cascade.stages.linear import LinearStage, NGrams, Vectorizer
from cascade.stages.neighbours import NeighboursStage, Vote
from cascade.ticket import Ticket

SECRET = "my password is hunter2"
HEADS: Heads = {QUEUE: ("Billing", "Network")}


def linear() -> LinearStage:
    """Knows three words."""
    words = Vectorizer(NGrams("word", 1, 1), ("hunter2", "invoice", "vpn"), np.ones(3, np.float32))
    coefficients = np.asarray([[-1, 1], [2, -2], [-3, 3]], dtype=np.float32)
    return LinearStage(HEADS, [words], {QUEUE: coefficients}, {QUEUE: np.zeros(2, np.float32)})


class All:
    """Finds every example for every ticket, and needs no time to start."""

    def index(self, texts: Sequence[str]) -> None:
        """Remember how many there are."""
        self.size = len(texts)

    def search(self, text: str, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """All of them, with equal scores."""
        return np.arange(self.size)[:k], np.ones(self.size, dtype=np.float32)[:k]


def neighbours() -> NeighboursStage:
    """Knows two past tickets."""
    texts = ["Invoice came twice, says <name>", "My vpn drops every hour"]
    pool = Pool(HEADS, texts, {QUEUE: np.arange(2)}, All())
    return NeighboursStage(pool, Vote(1, 1.0, 1.0, 1.0))


class FakeCascade:
    """Answers every ticket alike, but for texts that ask for trouble."""

    heads: ClassVar[Heads] = {
        **HEADS,
        "urgency": ("high", "low"),
        "impact": ("high", "low", "none"),
    }
    queues = HEADS[QUEUE]
    stages: tuple[Stage | Adviser, ...] = (linear(), neighbours())
    gates = Gates(
        tuple(Gate(name, {}, (0.8, 0.8), (0.8, 0.8)) for name in ("linear", "encoder", "llm"))
    )
    stage_names = ("linear", "encoder", "llm")
    advisers: ClassVar[dict[str, dict[str, Any]]] = {
        "llm": {"backend": "qwen3:4b (logprobs)", "fitted": True, "counts": {"answered": 7}}
    }

    def __init__(self, bundle_id: str = "fake-1") -> None:
        self.bundle_id = bundle_id
        self.deadlines: list[float | None] = []

    def warm_up(self) -> None:
        """Nothing to warm."""

    def route(
        self, tickets: Sequence[Ticket], *, deadline_ms: float | None = None
    ) -> list[Decision]:
        self.deadlines.append(deadline_ms)
        return [self._decide(ticket) for ticket in tickets]

    def weigh(
        self, tickets: Sequence[Ticket], *, deadline_ms: float | None = None
    ) -> tuple[list[Decision], Probabilities]:
        decisions = self.route(tickets, deadline_ms=deadline_ms)
        even = {
            name: np.full((len(tickets), len(classes)), 1 / len(classes), np.float32)
            for name, classes in self.heads.items()
        }
        return decisions, even | {QUEUE: np.tile(np.float32([0.1, 0.9]), (len(tickets), 1))}

    def _decide(self, ticket: Ticket) -> Decision:
        ticket.text.encode("utf-8")  # as a tokeniser would: half a surrogate pair is an error
        if "explode" in ticket.text:
            raise RuntimeError(ticket.text)
        if "sleep" in ticket.text:
            time.sleep(1.0)
        unsure = "unsure" in ticket.text
        return Decision(
            id=ticket.id,
            queue="Network",
            confidence=0.9,
            stage="human" if unsure else "encoder",
            action="review" if unsure else "route",
            reason="no stage is sure enough" if unsure else "",
            alternatives=(Choice("Billing", 0.1),),
            labels={"urgency": Label("high", 0.7)},
            stages=(
                StageTrace("linear", "Billing", 0.6, 0.3),
                StageTrace("encoder", "Network", 0.9, 9.5),
            ),
            bundle=self.bundle_id,
        )


def take_away_the_store() -> None:
    """From a worker twice when it starts, and always from who changes the bundle."""
    from sqlalchemy.exc import OperationalError

    from serve.store import deployments

    away = OperationalError("", None, Exception())
    report, failures = deployments.report, iter((away, away))

    def late(*given: Any) -> None:
        for failure in failures:
            raise failure
        report(*given)

    def never(*given: Any) -> int | None:
        raise away

    deployments.report, deployments.begin = late, never


def main(mode: str) -> None:
    """Serve the fake with the settings of the environment."""
    from serve import patience, server
    from serve.settings import read_settings

    if mode == "hasty":
        patience.PATIENCE = 0.2
        listen = server.listen

        def with_little_room(host: str, port: int) -> socket.socket:
            """What a client does not read is soon more than its connection holds."""
            bound = listen(host, port)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            return bound

        server.listen = with_little_room

    if mode == "store-away":
        take_away_the_store()
        server.RETRY = 0.1

    def check() -> None:
        if mode == "broken-check":
            raise BundleError("bundle.json: no such file")

    def load(path: Path) -> FakeCascade:
        if mode == "broken-load":
            raise BundleError("encoder/model.onnx: damaged")
        if mode == "slow-load":
            time.sleep(2.0)
        if path == Path("bundles/starter").absolute():
            return FakeCascade()
        if not os.path.isdir(path):  # noqa: PTH112  (a name that is too long is no folder)
            raise BundleError(f"{path}: no such folder")
        time.sleep(float((path / "seconds").read_text()))
        bundle_id = (path / "id").read_text()
        if bundle_id == "damaged":
            raise BundleError(f"{path}: damaged")
        return FakeCascade(bundle_id)

    try:
        started = server.Server(read_settings(), check, load)
        print(started.url, flush=True)
        started.run()
    except CascadeError as error:  # as the front door does
        print(f"cascade: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
