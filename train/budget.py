"""Budgets: how many tickets may reach a stage, and how long an answer may take."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cascade.errors import InputError
from train.course import Run

HOW = "write llm<=4% (tickets that reach a stage) or p95<=150ms (time of the stages asked)"
BUDGET = re.compile(r"\s*(?P<what>[^<>=%]*?)\s*<=\s*(?P<number>[\d.]+)\s*(?P<unit>%|ms|s)\s*")
SPEED = re.compile(r"p(50|90|95|99)")
DECIDED = ("review", "human", "coverage")
"""What no budget can decide, as it follows from the promise or the costs."""


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `share` of the tickets may reach a stage, or may take longer than `ms`.

    Attributes:
        text: as the operator wrote it.
        share: in [0, 1].
        stage: name of a stage; empty where it is about time.
        ms: milliseconds, where it is about time.
    """

    text: str
    share: float
    stage: str = ""
    ms: float = 0.0

    def counts(self, run: Run) -> NDArray[np.bool_]:
        """``(stages, n)`` whether a ticket that stops at a stage is one of the few."""
        if not self.stage:
            return np.asarray(run.spent() > self.ms)
        names = list(run.names)
        first = names.index(self.stage) if self.stage in names else len(names)
        reached = np.arange(len(names)) >= first
        return np.repeat(reached[:, None], len(run.y), axis=1)

    def allowed(self, n: int) -> int:
        """How many of ``n`` tickets may be among the few."""
        return int(np.floor(self.share * n + 1e-9))

    def check(self, run: Run) -> None:
        """Raise `InputError` where not even asking as few stages as can be keeps it."""
        earliest = run.earliest()
        at_least = self.counts(run)[earliest, np.arange(len(run.y))]
        if at_least.sum() <= self.allowed(len(run.y)):
            return
        first = run.names[0]
        if self.stage == first:
            raise InputError(
                f"budget {self.text}: cannot be kept, as {first} comes first and is asked about "
                "every ticket"
            )
        if self.stage:
            raise InputError(
                f"budget {self.text}: cannot be kept, as {at_least.mean():.1%} of the tickets look "
                "as if they belonged to no queue, and it tells better than the stages before"
            )
        spent = run.spent()[earliest, np.arange(len(run.y))]
        least = np.quantile(spent, 1 - self.share, method="inverted_cdf")
        alone = f"with {first} alone" if not earliest.any() else "with as few stages as can be"
        raise InputError(f"budget {self.text}: cannot be kept; {alone} it is {least:.3g} ms")


def read_budgets(texts: Sequence[str], stages: Sequence[str]) -> list[Budget]:
    """From texts such as ``llm<=4%`` and ``p95<=150ms``.

    Args:
        stages: names of the bundle's stages.

    Raises:
        InputError: a text says something else, or names a stage that there is not.
    """
    return [_budget(text, stages) for text in texts]


def _budget(text: str, stages: Sequence[str]) -> Budget:
    found = BUDGET.fullmatch(text)
    if not found:
        raise InputError(f"budget {text!r}: {HOW}")
    what, unit, text = found["what"], found["unit"], text.strip()
    try:
        number = float(found["number"])
    except ValueError:
        raise InputError(f"budget {text}: {found['number']!r} is no number; {HOW}") from None
    if what in DECIDED:
        raise InputError(
            f"budget {text}: how many go to review follows from the promise or the costs; ask for "
            "a lower --target, or make a look dearer in costs.toml"
        )
    speed = SPEED.fullmatch(what)
    if speed and unit != "%":
        ms = number * (1000 if unit == "s" else 1)
        return Budget(text, (100 - int(speed[1])) / 100, ms=ms)
    if speed or (what in stages and unit != "%"):
        raise InputError(f"budget {text}: a stage has a share and a percentile a time; {HOW}")
    if what not in stages:
        near = difflib.get_close_matches(what, [*stages, "p50", "p90", "p95", "p99"], 1, cutoff=0)
        raise InputError(f"budget {text}: there is no stage {what!r}; did you mean {near[0]!r}?")
    if number > 100:
        raise InputError(f"budget {text}: a share is at most 100%")
    return Budget(text, number / 100, stage=what)
