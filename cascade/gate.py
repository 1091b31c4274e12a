"""Joining the stages' probabilities, and deciding which tickets stop where and which are settled.

Two imperfect witnesses beat either one, so what an earlier stage knew is not thrown away: the
stages' log-probabilities are added with weights, and a bias a class where it pays, fitted on the
gate split (`train.joining`): a log-linear opinion pool (Genest and Zidek 1986). With one stage the
weight is an inverse temperature, so the same fit calibrates (Guo et al. 2017, section 4.2; with
the bias: Alexandari et al. 2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.errors import BundleError
from cascade.stages.base import QUEUE, Heads, softmax

FLOOR = 1e-6
"""Least probability that a stage may give a class: none has a veto."""

NEVER = 1.01
"""A threshold that no confidence reaches."""

LARGEST = 1e3
"""Bound of weights and biases, far above any that fitting finds."""


def join(
    probabilities: Sequence[NDArray[np.float32]],
    weights: Sequence[float],
    bias: Sequence[float] = (),
) -> NDArray[np.float32]:
    """Log-linear pool of the stages' probabilities.

    Args:
        probabilities: one ``(n, k)`` array a stage.
        weights: one a stage, >= 0.
        bias: ``(k,)``, added to the log-probabilities; empty for none.

    Returns:
        ``(n, k)`` float32, rows summing to 1.
    """
    total = np.zeros(probabilities[0].shape, dtype=np.float32)
    for array, weight in zip(probabilities, weights, strict=True):
        if weight:
            total += np.float32(weight) * np.log(np.maximum(array, np.float32(FLOOR)))
    if len(bias):
        total += np.asarray(bias, dtype=np.float32)
    return softmax(total)


@dataclass(frozen=True, slots=True)
class Join:
    """How the stages up to one are joined for one head: see `join`."""

    weights: tuple[float, ...]
    bias: tuple[float, ...] = ()

    def __call__(self, probabilities: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """The joined ``(n, k)`` probabilities."""
        return join(probabilities, self.weights, self.bias)


@dataclass(frozen=True, slots=True)
class Gate:
    """One stage's gate. All confidences are joined ones, in a ticket's best queue.

    Attributes:
        stage: its name.
        joins: for each head how the stages up to this one are joined.
        stop: for each queue the least confidence from which on no further stage is asked: more
            work would not pay. The last stage that is asked stops every ticket, whatever it says.
        settle: for each queue the least confidence at which a ticket that stops here is acted on;
            one that does not reach it goes to review. Above 1 where nothing is settled.
        give_up: below this no further stage is asked either, as none is likely to help.
    """

    stage: str
    joins: Mapping[str, Join]
    stop: tuple[float, ...]
    settle: tuple[float, ...]
    give_up: float = 0.0

    @classmethod
    def even(cls, stage: str, joins: Mapping[str, Join], threshold: float, queues: int) -> Gate:
        """A gate with one threshold for all queues, which settles all that it stops."""
        thresholds = (threshold,) * queues
        return cls(stage, joins, thresholds, thresholds)

    def check(self, heads: Heads) -> None:
        """Raise `BundleError` unless it was fitted for these classes."""
        if set(self.joins) != set(heads):
            raise BundleError(f"gates.json: {self.stage} does not weigh each head")
        if len(self.stop) != len(heads[QUEUE]) or any(
            len(its.bias) not in (0, len(heads[name])) for name, its in self.joins.items()
        ):
            raise BundleError(f"gates.json: {self.stage} was fitted for other queues")

    def stops(self, confidence: NDArray[np.float32], best: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which tickets of ``(n,)`` confidences in their ``(n,)`` best queues stop here."""
        stop = np.asarray(self.stop, dtype=np.float32)[best]
        return np.asarray((confidence >= stop) | (confidence < np.float32(self.give_up)))

    def settles(
        self, confidence: NDArray[np.float32], best: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Which of those that stop here are acted on."""
        return np.asarray(confidence >= np.asarray(self.settle, dtype=np.float32)[best])


@dataclass(frozen=True, slots=True)
class Gates:
    """The gates of all stages.

    Attributes:
        gates: one a stage, in order.
        plan: what was asked of them and what was expected of them when they were fitted, for
            people: see `train.gates`.
    """

    gates: tuple[Gate, ...]
    plan: dict[str, Any] = field(default_factory=dict)

    @property
    def asked(self) -> tuple[bool, ...]:
        """Which stages are asked at all: those that bear on their own gate or on a later one."""
        heard = [
            any(later.joins[head].weights[at] for later in self.gates[at:] for head in later.joins)
            for at in range(len(self.gates))
        ]
        return (True, *heard[1:]) if heard else ()

    def to_dict(self) -> dict[str, Any]:
        """The content of ``gates.json``."""
        return {"gates": [asdict(gate) for gate in self.gates], "plan": self.plan}

    @classmethod
    def from_dict(cls, plain: Any) -> Gates:
        """Read the content of ``gates.json``.

        Raises:
            BundleError: something is missing or out of range.
        """
        try:
            if "target_precision" in plain:
                raise BundleError(
                    "gates.json: of an older version; fit the gates anew with cascade gate"
                )
            gates = tuple(_gate(entry) for entry in plain["gates"])
            plan = dict(plain["plan"])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise BundleError(f"gates.json: damaged ({type(error).__name__}: {error})") from None
        for number, gate in enumerate(gates, start=1):
            _check(gate, number)
        return cls(gates, plan)


def _gate(entry: Any) -> Gate:
    joins = {
        str(head): Join(tuple(map(float, its["weights"])), tuple(map(float, its["bias"])))
        for head, its in entry["joins"].items()
    }
    stop, settle = (tuple(map(float, entry[name])) for name in ("stop", "settle"))
    return Gate(str(entry["stage"]), joins, stop, settle, float(entry["give_up"]))


def _check(gate: Gate, number: int) -> None:
    """Raise `BundleError` unless the numbers of the ``number``-th gate make sense."""
    if not all(value >= 0 for value in (*gate.stop, *gate.settle, gate.give_up)):
        raise BundleError(f"gates.json: a threshold of {gate.stage} is not >= 0")
    if not len(gate.stop) == len(gate.settle):
        raise BundleError(f"gates.json: {gate.stage} has not two thresholds for each queue")
    for head, its in gate.joins.items():
        if len(its.weights) != number or not all(0 <= w < LARGEST for w in its.weights):
            raise BundleError(f"gates.json: bad weights of {gate.stage} for {head!r}")
        if not all(abs(b) < LARGEST for b in its.bias):
            raise BundleError(f"gates.json: bad biases of {gate.stage} for {head!r}")
