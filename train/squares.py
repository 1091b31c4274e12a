"""The 2 by 2 of confidence and cost of error, for whoever leads the team.

Which tickets the cascade may act on alone, which it acts on and tells, which it asks about, and
which it asks about before anything else happens to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.costs import Costs, some
from train.course import Course

KINDS = (
    ("act alone", True, False),
    ("act and tell", True, True),
    ("ask", False, False),
    ("ask first", False, True),
)
"""Name, whether the cascade is sure, whether an error is dear."""
PRIOR = 10.0
"""Errors in a queue that count as much as what errors would cost if they were drawn at random."""


@dataclass(frozen=True, slots=True)
class Square:
    """One of the four kinds of tickets.

    Attributes:
        name: what to do with them.
        sure: whether the cascade settles them.
        dear: whether an error in their queue costs more than in most.
        share: of all tickets.
        error: what an error costs with them on average; 0 where there are none.
        queues: their best queues, the most frequent first.
    """

    name: str
    sure: bool
    dear: bool
    share: float
    error: float
    queues: tuple[str, ...]


def squares(
    y: NDArray[np.int64], course: Course, costs: Costs, queues: Sequence[str]
) -> list[Square]:
    """The four kinds of tickets.

    A queue is dear where an error costs more than the median over the tickets; where all cost
    the same, none is.

    Args:
        y: ``(n,)`` true queues, -1 where there is none.
    """
    error = error_costs(y, course, costs)[course.queue]
    dear = error > np.quantile(error, 0.5, method="inverted_cdf") + 1e-9 * error.max()
    out = []
    for name, sure, costly in KINDS:
        rows = (course.settled == sure) & (dear == costly)
        counts = np.bincount(course.queue[rows], minlength=len(queues))
        order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
        mean = float(error[rows].mean()) if rows.any() else 0.0
        named = tuple(queues[number] for number in order)
        out.append(Square(name, sure, costly, float(rows.mean()), mean, named))
    return out


def error_costs(y: NDArray[np.int64], course: Course, costs: Costs) -> NDArray[np.float64]:
    """``(k,)`` what a ticket costs, on average, that is acted on in a queue and belongs elsewhere.

    The mean over the tickets that were taken for that queue, and over `PRIOR` more that belong to
    the other queues as often as tickets do.
    """
    k = costs.misroute.shape[1]
    wrong = y != course.queue
    paid = np.bincount(course.queue, costs.misroute[y, course.queue], minlength=k)
    misses = np.bincount(course.queue[wrong], minlength=k)
    others = np.repeat(np.bincount(y % (k + 1), minlength=k + 1)[:, None], k, axis=1) + 1e-9
    others[range(k), range(k)] = 0
    usual = (others * costs.misroute).sum(axis=0) / others.sum(axis=0)
    return np.asarray((paid + PRIOR * usual) / (misses + PRIOR))


def table(found: Sequence[Square], currency: str = "") -> list[str]:
    """The squares as lines for people."""
    lines = [f"{'':<14}{'tickets':>8}  {'sure':<6}{'an error costs':<18}queues"]
    for square in found:
        money = f"{square.error:,.2f} {currency}".strip() if square.share else ""
        sure = "yes" if square.sure else "no"
        lines.append(
            f"{square.name:<14}{square.share:>8.1%}  {sure:<6}{money:<18}{some(square.queues)}"
        )
    return [line.rstrip() for line in lines]
