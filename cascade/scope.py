"""None of the above: tickets that seem to belong to none of the queues.

Probabilities add up to 1 over the queues, so they cannot say that none fits. What a stage saw
besides can: how loudly its logits speak for any queue, how many of the words it knows, how far the
encoder's features lie from those of past tickets. For each stage that was fitted (`train.scope`)
that evidence is made one score, a weighted sum of standardised parts, which has a threshold.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from cascade.errors import BundleError
from cascade.stages.base import MALFORMED

FOLDER = "scope"
CONFIG, ARRAYS = "config.json", "scope.safetensors"
LEAST = 1e-6
"""Bounds probabilities away from 0 and 1 before their odds are taken."""
LARGEST = 1e9
"""Bound of a loaded part's numbers: none can overflow."""


@dataclass(frozen=True, slots=True)
class Space:
    """The space of an encoder's features, and where the tickets of each queue lie in it.

    Distances in it are Mahalanobis distances (Lee et al. 2018).

    Attributes:
        axes: ``(d, r)``; features times these spread evenly within each queue.
        places: ``(k, r)``: the middle of each queue.
    """

    axes: NDArray[np.float32]
    places: NDArray[np.float32]

    def distances(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Squared distances to all places, ``(m, k)`` for ``(m, d)`` features.

        Row by row and without BLAS, so that no other ticket of the call changes a bit of it.
        """
        out = np.empty((len(features), len(self.places)), dtype=np.float32)
        for at, row in enumerate(features):
            apart = self.places - np.einsum("d,dr->r", row, self.axes)
            out[at] = np.einsum("pr,pr->p", apart, apart)
        return out


@dataclass(frozen=True, slots=True)
class Evidence:
    """How one stage's signals become a score; higher means that a ticket belongs more.

    Attributes:
        means, scales, weights: ``(e,)``, of the parts: see `gather`.
        bias: added to their weighted sum.
        threshold: scores below it are outside.
        space: of the stage's features, where it has some.
    """

    means: NDArray[np.float32]
    scales: NDArray[np.float32]
    weights: NDArray[np.float32]
    bias: float
    threshold: float
    space: Space | None = None

    def score(
        self, signals: NDArray[np.float32], joined: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """``(m,)`` scores of ``(m, d)`` signals and ``(m, k)`` joined queue probabilities."""
        return self.weigh(gather(signals, joined, self.space))

    def weigh(self, parts: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(m,)`` scores of ``(m, e)`` parts."""
        weighted = (parts - self.means) / self.scales * self.weights
        return np.asarray(np.add.reduce(weighted, axis=1) + np.float32(self.bias))


def gather(
    signals: NDArray[np.float32], joined: NDArray[np.float32], space: Space | None
) -> NDArray[np.float32]:
    """The parts of the evidence, ``(m, e)``: higher means that a ticket belongs more.

    The log-odds of the joined confidence; then the signals, but where there is a space only the
    first of them, which is the energy, and how near the features come to the next queue.
    """
    odds = log_odds(joined.max(axis=1))[:, None]
    if space is None:
        return np.concatenate([odds, signals], axis=1, dtype=np.float32)
    near = -space.distances(signals[:, 1:]).min(axis=1)[:, None]
    return np.concatenate([odds, signals[:, :1], near], axis=1, dtype=np.float32)


def log_odds(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-odds, finite for 0 and 1 too."""
    sure = np.clip(probabilities, LEAST, 1 - LEAST)
    return np.asarray(np.log(sure / (1 - sure)), dtype=np.float32)


class Scope:
    """Which tickets are outside, by stage.

    Args:
        evidence: by the name of the stage; stages that are not in it say nothing.
    """

    def __init__(self, evidence: Mapping[str, Evidence]) -> None:
        self.evidence = dict(evidence)

    def score(
        self, stage: str, signals: NDArray[np.float32], joined: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """How much tickets seem to belong to some queue, ``(m,)``; higher is more.

        Args:
            stage: the name of a stage that was fitted.
            signals: ``(m, d)``, what it saw: see `cascade.stages.base.SIGNALS`.
            joined: ``(m, k)`` queue probabilities of the stages up to this one, joined.
        """
        return self.evidence[stage].score(signals, joined)

    def outside(
        self, stage: str, signals: NDArray[np.float32], joined: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Which tickets seem to belong to no queue, ``(m,)``; none at a stage not fitted.

        Args:
            stage, signals, joined: see `score`.
        """
        if stage not in self.evidence:
            return np.zeros(len(joined), dtype=np.bool_)
        threshold = np.float32(self.evidence[stage].threshold)
        return np.asarray(self.score(stage, signals, joined) < threshold)

    def to_files(self) -> dict[str, bytes]:
        """The files of the bundle's folder ``scope/``."""
        config: dict[str, object] = {}
        arrays: dict[str, NDArray[np.float32]] = {}
        for stage, its in self.evidence.items():
            config[stage] = {"bias": its.bias, "threshold": its.threshold, "space": bool(its.space)}
            named = {"means": its.means, "scales": its.scales, "weights": its.weights}
            if its.space:
                named |= {"axes": its.space.axes, "places": its.space.places}
            arrays |= {f"{stage}.{name}": np.ascontiguousarray(a) for name, a in named.items()}
        return {CONFIG: json.dumps(config, indent=2).encode(), ARRAYS: save(arrays)}

    @classmethod
    def from_files(cls, read: Callable[[str], bytes]) -> Scope:
        """Load from a bundle; ``read`` gives a file's checked bytes.

        Raises:
            BundleError: a file does not hold what it should.
        """
        try:
            arrays = load(read(ARRAYS))
            config = json.loads(read(CONFIG))
            return cls({str(stage): _evidence(stage, its, arrays) for stage, its in config.items()})
        except MALFORMED as error:
            raise BundleError(f"scope: damaged ({type(error).__name__}: {error})") from None


def _evidence(stage: str, config: Any, arrays: Mapping[str, Any]) -> Evidence:
    """One stage's part of the files, checked."""

    def array(name: str, *shape: int) -> NDArray[np.float32]:
        found = arrays[f"{stage}.{name}"]
        known = tuple(its or now for its, now in zip(shape, found.shape, strict=True))
        if found.dtype != np.float32 or found.shape != known or not found.size:
            raise ValueError(f"{stage}.{name} has another shape")
        if not np.all(np.abs(found) < LARGEST):
            raise ValueError(f"{stage}.{name} holds something else than numbers")
        return np.asarray(found)

    space = None
    if config["space"]:
        axes = array("axes", 0, 0)
        space = Space(axes, array("places", 0, axes.shape[1]))
    means = array("means", 0)
    scales, weights = array("scales", len(means)), array("weights", len(means))
    if not np.all(scales > 0):
        raise ValueError(f"{stage}.scales are not above 0")
    bias, threshold = float(config["bias"]), float(config["threshold"])
    if not (abs(bias) < LARGEST and abs(threshold) < LARGEST):
        raise ValueError(f"{stage} has a bias or a threshold that is no number")
    return Evidence(means, scales, weights, bias, threshold, space)
