"""What errors, looks and machines cost: ``costs.toml``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.errors import InputError
from cascade.toml import read_toml
from train.course import Course, Run

EXAMPLE = """\
currency = "EUR"
review = 4.0                  # a person's look at one ticket

[misroute]                    # a ticket that is acted on in the wrong queue
default = 15.0
out_of_scope = 8.0            # that belongs to none of the queues: spam, private mail

[misroute.true]               # by the queue where it belongs
"Security" = 200.0

[misroute.chosen]             # by the queue where it ended up; the dearer of the two counts
"Purchase" = 40.0

[misroute.pairs."Security"]   # by both: belongs to Security, ended up in ...
"Miscellaneous" = 500.0

[cpu_second]                  # a second of a stage's work; 0 if it is not said
encoder = 0.00002

[call]                        # one ticket asked of a stage; 0 if it is not said
llm = 0.002
"""

TOP = ("currency", "review", "misroute", "cpu_second", "call")
MISROUTE = ("default", "out_of_scope", "true", "chosen", "pairs")


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """What errors, looks and machines cost, in one currency.

    Attributes:
        misroute: ``(k + 1, k)`` cost of acting on a ticket, by true and by chosen queue; the last
            row is of tickets that belong to no queue. 0 where the chosen queue is the true one.
        review: of a person's look at one ticket.
        second: of a second of a stage's work, by name; 0 for others.
        call: of asking a stage about one ticket, by name; 0 for others.
        currency: its name, for people.
    """

    misroute: NDArray[np.float64]
    review: float
    second: Mapping[str, float] = field(default_factory=dict)
    call: Mapping[str, float] = field(default_factory=dict)
    currency: str = ""

    def asking(self, run: Run) -> NDArray[np.float64]:
        """``(stages, n)`` cost of asking each stage about each ticket."""
        return np.stack(
            [
                self.call.get(name, 0.0) + self.second.get(name, 0.0) / 1000 * np.asarray(ms)
                for name, ms in zip(run.names, run.ms, strict=True)
            ]
        )

    def doubts(self, queues: Sequence[str]) -> list[str]:
        """In words, for people: what of these costs is hardly meant so."""
        dearest = self.misroute.max(axis=0)
        never = [queue for queue, most in zip(queues, dearest, strict=True) if most <= self.review]
        if not never:
            return []
        which = "any ticket" if len(never) == len(queues) else "one that looks like " + some(never)
        return [
            f"a person's look costs {self.review:g}, no less than any misroute there, so it never "
            f"pays to send {which} to review"
        ]


@dataclass(frozen=True, slots=True)
class Bill:
    """What tickets cost on average.

    Attributes:
        misroutes: of those acted on in a wrong queue.
        reviews: of people's looks.
        stages: of each stage's work and calls.
    """

    misroutes: float
    reviews: float
    stages: tuple[float, ...]

    @property
    def total(self) -> float:
        """All of it, per ticket."""
        return self.misroutes + self.reviews + sum(self.stages)


def bill(run: Run, course: Course, costs: Costs) -> Bill:
    """What the tickets of a run cost on average, as they turned out."""
    wrong = costs.misroute[run.y, course.queue] * course.settled
    asked = course.stage >= np.arange(len(run.names))[:, None]
    return Bill(
        float(wrong.mean()),
        float(costs.review * (~course.settled).mean()),
        tuple((costs.asking(run) * asked).mean(axis=1).tolist()),
    )


def read_costs(path: Path, queues: Sequence[str], stages: Sequence[str]) -> Costs:
    """Read ``costs.toml``, which looks like `EXAMPLE`.

    Args:
        queues: of the bundle, in its order.
        stages: names of the bundle's stages.

    Raises:
        InputError: it cannot be read, misses a cost, or has one that makes no sense; the message
            names the file, the key and what was likely meant.
    """
    plain = read_toml(path)
    file = _File(path)
    file.check(plain, TOP, "key")
    currency = plain.get("currency", "")
    if not isinstance(currency, str):
        raise InputError(f'{path}: currency should be a name in quotes, such as "EUR"')
    return Costs(
        _misroute(file, file.table(plain, "misroute"), queues),
        file.number(plain, "review"),
        file.numbers(plain, "cpu_second", stages, "stage"),
        file.numbers(plain, "call", stages, "stage"),
        currency,
    )


def _misroute(file: _File, plain: Mapping[str, Any], queues: Sequence[str]) -> NDArray[np.float64]:
    """The ``(k + 1, k)`` table; where true and chosen queue both have a cost, the dearer counts."""
    file.check(plain, MISROUTE, "key", "misroute.")
    default = file.number(plain, "default", "misroute.")
    true = file.numbers(plain, "true", queues, "queue", "misroute.")
    chosen = file.numbers(plain, "chosen", queues, "queue", "misroute.")
    by_true = np.asarray([true.get(queue, np.nan) for queue in queues] + [np.nan])
    if "out_of_scope" in plain:
        by_true[-1] = file.number(plain, "out_of_scope", "misroute.")
    by_chosen = np.asarray([chosen.get(queue, np.nan) for queue in queues])
    table = np.fmax(by_true[:, None], by_chosen[None, :])
    table[np.isnan(table)] = default
    number = {queue: i for i, queue in enumerate(queues)}
    pairs = file.table(plain, "pairs", "misroute.")
    file.check(pairs, queues, "queue", "misroute.pairs.")
    for queue in pairs:
        for other, cost in file.numbers(pairs, queue, queues, "queue", "misroute.pairs.").items():
            if other == queue:
                raise InputError(
                    f"{file.path}: misroute.pairs.{queue}.{queue} is no misroute; remove it"
                )
            table[number[queue], number[other]] = cost
    table[range(len(queues)), range(len(queues))] = 0
    return np.asarray(table, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _File:
    """Takes tables and numbers out of the file, and names file and key where they are none."""

    path: Path

    def check(self, plain: Iterable[str], known: Sequence[str], what: str, where: str = "") -> None:
        """Raise unless each key is known."""
        for key in plain:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise InputError(f"{self.path}: there is no {what} {where + key!r}{hint}")

    def table(self, plain: Mapping[str, Any], key: str, where: str = "") -> Mapping[str, Any]:
        """The table at a key; an empty one where there is none."""
        found = plain.get(key, {})
        if not isinstance(found, dict):
            raise InputError(f"{self.path}: {where}{key} should be a table, [{where}{key}]")
        return found

    def number(self, plain: Mapping[str, Any], key: str, where: str = "") -> float:
        """The cost at a key, >= 0."""
        if key not in plain:
            raise InputError(f"{self.path}: {where}{key} is missing; add a line {key} = 10.0")
        found = plain[key]
        if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < np.inf:
            raise InputError(
                f"{self.path}: {where}{key} is {found!r}; a cost is a number from 0 up"
            )
        return float(found)

    def numbers(
        self, plain: Mapping[str, Any], key: str, known: Sequence[str], what: str, where: str = ""
    ) -> dict[str, float]:
        """The table of costs at a key, by queue or by stage."""
        found = self.table(plain, key, where)
        inside = f"{where}{key}."
        self.check(found, known, what, inside)
        return {name: self.number(found, name, inside) for name in found}


def some(names: Sequence[str], most: int = 3) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
