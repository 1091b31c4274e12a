"""Joining the stages' probabilities, and deciding which tickets are settled.

Two imperfect witnesses beat either one, so what an earlier stage knew is not thrown away: the
stages' log-probabilities are added with weights that were fitted on the gate split
(`train.gates`), a log-linear opinion pool (Genest and Zidek 1986). With one stage the weight is
an inverse temperature, so the same fit calibrates (Guo et al. 2017, section 4.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.errors import BundleError
from cascade.stages.base import softmax

FLOOR = 1e-6
"""Least probability that a stage may give a class: none has a veto."""


NEVER = 1.01
"""A threshold that no confidence reaches."""


def join(
    probabilities: Sequence[NDArray[np.float32]], weights: Sequence[float]
) -> NDArray[np.float32]:
    """Log-linear pool of the stages' probabilities.

    Args:
        probabilities: one ``(n, k)`` array a stage.
        weights: one a stage, >= 0.

    Returns:
        ``(n, k)`` float32, rows summing to 1.
    """
    total = np.zeros(probabilities[0].shape, dtype=np.float32)
    for array, weight in zip(probabilities, weights, strict=True):
        total += np.float32(weight) * np.log(np.maximum(array, np.float32(FLOOR)))
    return softmax(total)


@dataclass(frozen=True, slots=True)
class Gate:
    """One stage's gate.

    Attributes:
        stage: its name.
        weights: for each head the weights of the stages up to this one, in order.
        threshold: least joined confidence in the best queue that settles a ticket; above 1 where
            no threshold keeps the target, so that nothing is settled.
        coverage: share of the tickets that reached this stage in the gate split and were settled.
        precision: share of those that were right.
    """

    stage: str
    weights: Mapping[str, tuple[float, ...]]
    threshold: float
    coverage: float = 0.0
    precision: float = 0.0

    def settles(self, confidence: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which of ``(n,)`` joined confidences are settled here."""
        return np.asarray(confidence >= np.float32(self.threshold))


@dataclass(frozen=True, slots=True)
class Gates:
    """The gates of all stages, and the precision that they were chosen for."""

    target: float
    gates: tuple[Gate, ...]

    def to_dict(self) -> dict[str, Any]:
        """The content of ``gates.json``."""
        return {"target_precision": self.target, "gates": [asdict(gate) for gate in self.gates]}

    @classmethod
    def from_dict(cls, plain: Any) -> Gates:
        """Read the content of ``gates.json``.

        Raises:
            BundleError: something is missing or out of range.
        """
        try:
            gates = tuple(
                Gate(
                    str(entry["stage"]),
                    {name: tuple(map(float, ws)) for name, ws in entry["weights"].items()},
                    float(entry["threshold"]),
                    float(entry["coverage"]),
                    float(entry["precision"]),
                )
                for entry in plain["gates"]
            )
            target = float(plain["target_precision"])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise BundleError(f"gates.json: damaged ({type(error).__name__}: {error})") from None
        for number, gate in enumerate(gates, start=1):
            if not gate.threshold >= 0:
                raise BundleError(f"gates.json: the threshold of {gate.stage} is not >= 0")
            for name, ws in gate.weights.items():
                if len(ws) != number or not all(0 <= w < 1e3 for w in ws):
                    raise BundleError(f"gates.json: bad weights of {gate.stage} for {name!r}")
        return cls(target, gates)
