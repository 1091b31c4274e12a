"""The service around a cascade whose second stage is slow, for `eval.service.kill`.

Usage: python -m eval.service.kill_server [LEASE FIRST_PAUSE]

A ticket says by a word of its own how it ends: ``easy`` is settled by the first stage, ``clear``
by the second one, and everything else by a person.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cascade.gate import Gate, Gates, Join
from cascade.router import Cascade
from cascade.stages.base import QUEUE, Heads, Probabilities
from serve import worker
from serve.server import Server
from serve.settings import read_settings

HEADS: Heads = {QUEUE: ("Billing", "Network")}
SURE, UNSURE = 0.95, 0.6
QUICK, SLOW = "linear", "encoder"
SECONDS = 0.01
"""That the slow stage takes for a ticket."""


class Words:
    """A stage that is sure of tickets with one of its words.

    Args:
        name: of the stage.
        words: that it knows.
        seconds: that a ticket takes.
    """

    def __init__(self, name: str, words: Sequence[str], seconds: float) -> None:
        self.name, self._words, self._seconds = name, words, seconds

    def predict(self, texts: Sequence[str]) -> Probabilities:
        """See `cascade.stages.base.Stage`."""
        time.sleep(self._seconds * len(texts))
        sure = [SURE if any(word in text for word in self._words) else UNSURE for text in texts]
        return {QUEUE: np.asarray([[1 - p, p] for p in sure], dtype=np.float32)}


def slow_cascade() -> Cascade:
    """Two stages, each with a gate that lets through what it is sure of."""
    stages = [Words(QUICK, ["easy"], 0.0), Words(SLOW, ["easy", "clear"], SECONDS)]
    gates = [
        Gate.even(stage.name, {QUEUE: Join((0.0,) * at + (1.0,))}, 0.9, len(HEADS[QUEUE]))
        for at, stage in enumerate(stages)
    ]
    return Cascade(stages, Gates(tuple(gates)), HEADS, "slow-1")


def load(_: Path) -> Cascade:
    """A bundle that needs no folder."""
    return slow_cascade()


def main() -> None:
    """Serve with the settings of the environment."""
    if len(sys.argv) > 1:  # in tests, which have no time for the usual pauses
        worker.LEASE, worker.FIRST_PAUSE = map(float, sys.argv[1:])
    server = Server(read_settings(), lambda: None, load)
    print(server.url, flush=True)
    server.run()


if __name__ == "__main__":
    main()
