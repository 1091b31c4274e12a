"""Promises: thresholds from which on settled tickets are right as often as was asked for.

The stages and their stops make one classifier that names a queue and how sure it is. A promise
"at least 95 % of what is settled is right, with 90 % confidence" asks for a threshold on that
confidence. Reading it off a curve breaks the promise about half of the time, as the best-looking
point was lucky. Learn-then-Test (Angelopoulos et al. 2021, sections 2 and 4: fixed sequence
testing) keeps it: on tickets that fitted nothing else, thresholds are tested one after the other,
each by an exact binomial test of "more errors than allowed", in an order that was fixed before on
other tickets, down to the first that cannot be shown to hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom

from cascade.errors import InputError
from cascade.gate import NEVER

GRID = 100
"""Thresholds in a sequence."""
MOST_TICKETS = 1_000_000
"""Beyond so many labelled tickets a promise counts as one that cannot be kept."""
LIKELY = 0.9
"""How likely a promise should be kept with the number of tickets that it is said to need."""
TARGET = re.compile(
    r"\s*precision\s*(?:\[(?P<queue>[^\]]+)\])?\s*>=\s*(?P<share>[\d.]+)\s*(?P<percent>%?)\s*"
)

Per = Literal["all", "stage", "queue"]


@dataclass(frozen=True, slots=True)
class Promise:
    """What an operator asks of the settled tickets.

    Attributes:
        target: least share of them that is right.
        confidence: how sure that must be, over the draw of the tickets that it is tested on.
        queues: targets of single queues, for tickets settled to them; `target` is then for the
            others together.
        per: whether `target` holds for all settled tickets together, for those of each stage, or
            for those of each queue.
    """

    target: float = 0.95
    confidence: float = 0.9
    queues: Mapping[str, float] = field(default_factory=dict)
    per: Per = "all"

    @classmethod
    def read(cls, texts: Sequence[str], confidence: float, per: Per = "all") -> Promise:
        """From texts such as ``precision>=0.95`` and ``precision[Access]>=99%``.

        Raises:
            InputError: a text says something else, or asks for what nobody can promise.
        """
        if not 0.5 <= confidence < 1:
            raise InputError(f"a confidence of {confidence:g}: from 0.5 to below 1, such as 0.9")
        shares: dict[str, float] = {}
        for text in texts:
            found = TARGET.fullmatch(text)
            if not found:
                raise InputError(
                    f"target {text!r}: write precision>=0.95, or precision[Some queue]>=0.99"
                )
            queue = (found["queue"] or "").strip()
            if queue in shares:
                raise InputError(f"target {text!r}: there is another one for the same tickets")
            shares[queue] = _share(text, found["share"], bool(found["percent"]))
        target = shares.pop("", cls().target)
        return cls(target, confidence, shares, per)

    def check(self, queues: Sequence[str]) -> None:
        """Raise `InputError` where a target is for a queue that is none."""
        for queue in self.queues:
            if queue not in queues:
                raise InputError(
                    f"target precision[{queue}]: no such queue; there are {', '.join(queues)}"
                )

    def of(self, queue: str) -> float:
        """The target for tickets that are settled to a queue."""
        return self.queues.get(queue, self.target)

    def targets(self, queues: Sequence[str]) -> NDArray[np.float64]:
        """``(k,)`` target of each queue."""
        return np.asarray([self.of(queue) for queue in queues])

    def __str__(self) -> str:
        whole = "" if self.per == "all" else f" in each {self.per}"
        parts = [f"precision >= {self.target:g}{whole}"]
        parts += [f"precision[{queue}] >= {share:g}" for queue, share in self.queues.items()]
        return ", ".join(parts)


def _share(text: str, number: str, percent: bool) -> float:
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError:
        raise InputError(f"target {text!r}: {number!r} is no number") from None
    if share == 1:
        raise InputError(
            f"target {text!r}: no number of tickets proves that none will ever be wrong; "
            "0.99 is a strict target"
        )
    if not 0 < share < 1:
        raise InputError(f"target {text!r}: a share between 0 and 1, or 95%")
    return share


@dataclass(frozen=True, slots=True)
class Stopped:
    """Tickets that stopped in the cascade, and what was believed of them there.

    Attributes:
        confidence: ``(n,)`` in the best queue.
        right: ``(n,)`` whether it is the right one.
        tickets: of how many these are a part, to tell how many more a promise would take.
    """

    confidence: NDArray[np.float32]
    right: NDArray[np.bool_]
    tickets: int

    def where(self, these: NDArray[np.bool_]) -> Stopped:
        """Some of them."""
        return Stopped(self.confidence[these], self.right[these], self.tickets)


@dataclass(frozen=True, slots=True)
class Kept:
    """The outcome of one promise.

    Attributes:
        threshold: least confidence that is settled; above 1 where the promise cannot be kept.
        settled, right: of the tickets that it was tested on.
        bound: share that is right at least, at the confidence asked for.
        needs: about how many labelled tickets it would take; 0 where it is kept, None where no
            number would do, as even the surest tickets are wrong too often.
    """

    threshold: float
    settled: int = 0
    right: int = 0
    bound: float = 0.0
    needs: int | None = 0


def keep(before: Stopped, tested: Stopped, target: float, confidence: float) -> Kept:
    """The lowest threshold for which the promise can be shown to hold.

    Args:
        before: tickets that fix the sequence of thresholds.
        tested: other tickets, on which nothing was fitted or chosen.
        target: least share of right ones among the settled, below 1.
        confidence: that the promise must hold with, over draws of `tested`.
    """
    error, doubt = 1 - target, 1 - confidence
    grid = _grid(before)
    if not len(grid):
        return Kept(NEVER, needs=None)
    scale = tested.tickets / max(before.tickets, 1)
    start = int(_expected_p(before, grid, scale, error).argmin())
    threshold, settled, wrong = NEVER, 0, 0
    for t in grid[start:]:
        n, errors = _count(tested, t)
        if binom.cdf(errors, n, error) > doubt:
            break
        threshold, settled, wrong = float(t), n, errors
    if threshold == NEVER:
        return Kept(NEVER, needs=_needs(before, tested, grid, error, doubt))
    return Kept(
        threshold, settled, settled - wrong, lower_bound(settled - wrong, settled, confidence)
    )


def likely(before: Stopped, tickets: int, target: float, confidence: float) -> bool:
    """Whether a promise tested on so many other tickets stands a chance, by the tickets before."""
    scale, error = tickets / max(before.tickets, 1), 1 - target
    return bool((_expected_p(before, _grid(before), scale, error) <= 1 - confidence).any())


def lower_bound(right: int, settled: int, confidence: float) -> float:
    """One-sided lower bound of a share (Clopper and Pearson 1934)."""
    return float(beta.ppf(1 - confidence, right, settled - right + 1)) if right else 0.0


def fewest_tickets(target: float, confidence: float) -> int:
    """How many tickets must be settled, all rightly, before a promise can be shown to hold."""
    return int(np.ceil(np.log(1 - confidence) / np.log(target)))


def _grid(before: Stopped) -> NDArray[np.float32]:
    """Thresholds from the surest tickets down."""
    if not len(before.confidence):
        return before.confidence
    quantiles = np.quantile(before.confidence, np.linspace(0, 1, GRID), method="lower")
    return np.asarray(np.unique(quantiles)[::-1], dtype=np.float32)


def _count(tickets: Stopped, threshold: np.float32) -> tuple[int, int]:
    """How many are settled, and how many of these wrongly."""
    settled = tickets.confidence >= threshold
    return int(settled.sum()), int((~tickets.right[settled]).sum())


def _expected_p(
    before: Stopped, grid: NDArray[np.float32], scale: float, error: float
) -> NDArray[np.float64]:
    """``(m,)`` p-values that tests at thresholds are likely to have, by the tickets before."""
    counts = np.asarray([_count(before, t) for t in grid]).reshape(-1, 2)
    settled, errors = np.floor(counts * scale).T
    return np.asarray(binom.cdf(errors, settled, error))


def _needs(
    before: Stopped,
    tested: Stopped,
    grid: NDArray[np.float32],
    error: float,
    doubt: float,
) -> int | None:
    """The fewest labelled tickets, such as these, with which some threshold is likely to pass.

    More than there are, always: with so many it has just failed.
    """
    tickets = before.tickets + tested.tickets
    best: int | None = None
    for t in grid:
        (n, wrong), (m, also_wrong) = _count(before, t), _count(tested, t)
        settled, mistakes = n + m, wrong + also_wrong
        rate = (mistakes + 0.5) / (settled + 1)
        if not mistakes:  # a handful without a mistake says nothing against the target
            rate = min(rate, error / 2)
        if rate >= error:
            continue
        sizes = np.unique(np.geomspace(1, MOST_TICKETS, 400).astype(np.int64))
        unlucky = binom.ppf(LIKELY, sizes, rate)
        enough = sizes[binom.cdf(unlucky, sizes, error) <= doubt]
        if len(enough):
            # Half of the tickets fix the sequence, the other half is tested.
            needed = int(np.ceil(2 * enough[0] * tickets / settled))
            best = needed if best is None else min(best, needed)
    return None if best is None or best > MOST_TICKETS else max(best, tickets + 1)
