"""How true confidences are, before and after the gates' fitting: each stage alone, and joined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from cascade.gate import Join
from eval.answers import Answers, Split
from eval.metrics import (
    aurc,
    auroc,
    brier,
    coverage_at,
    debiased_calibration_error,
    excess_aurc,
    expected_calibration_error,
)
from train.joining import fit_join
from train.measures import macro_f1
from train.witnesses import halves

JOINED = "joined"
PRECISIONS = (0.95, 0.98)

Row = dict[str, dict[str, float]]
"""Figures ``before`` and ``after``, and the ``weights`` of the stages."""


def calibration(said: Answers, seeds: int) -> dict[str, Row]:
    """Each stage alone and all joined, on the test split, before and after fitting.

    Before: a stage's own probabilities, or the stages' geometric mean. After: as `train.joining`
    calibrates or joins them on the half of the gate split that gates are fitted on, a mean over
    seeds. All tickets are answered and all stages are asked.
    """
    pools = {name: [name] for name in said.stages}
    if len(said.stages) > 1:
        pools[JOINED] = said.stages
    out: dict[str, Row] = {}
    for pool, names in pools.items():
        test = [said.test.seen[name] for name in names]
        before = Join((1 / len(names),) * len(names))
        fitted = [fitted_join(said.gate, names, seed) for seed in range(seeds)]
        after = [figures(join(test), said.test.y) for join in fitted]
        weights = np.mean([join.weights for join in fitted], axis=0)
        out[pool] = {
            "before": figures(before(test), said.test.y),
            "after": {key: round(fmean(its[key] for its in after), 4) for key in after[0]},
            "weights": dict(zip(names, weights.round(4).tolist(), strict=True)),
        }
    return out


def fitted_join(gate: Split, names: Sequence[str], seed: int = 0) -> Join:
    """The join of some stages, fitted on the half of the gate split that `fit_gates` fits on."""
    fitting, _ = halves(len(gate.y), seed)
    return fit_join([gate.seen[name][fitting] for name in names], gate.y[fitting], seed)


def figures(probabilities: NDArray[np.float32], y: NDArray[np.int64]) -> dict[str, float]:
    """Figures of ``(n, k)`` probabilities; coverages as hindsight has them, off the curve."""
    confidence, best = probabilities.max(axis=1), probabilities.argmax(axis=1)
    right = best == y
    values = {
        "macro_f1": macro_f1(y, best, probabilities.shape[1]),
        "accuracy": right.mean(),
        "ece": expected_calibration_error(confidence, right),
        "ece_debiased": debiased_calibration_error(confidence, right),
        "brier": brier(probabilities, y),
        "aurc": aurc(confidence, right),
        "excess_aurc": excess_aurc(confidence, right),
        "auroc": auroc(confidence[right], confidence[~right]) if 0 < right.sum() < len(y) else 1.0,
        **{f"coverage_at_{t:.0%}": coverage_at(t, confidence, right) for t in PRECISIONS},
    }
    return {key: round(float(value), 4) for key, value in values.items()}


def picture(name: str, said: Answers, file: Path) -> None:
    """Reliability of all stages joined before and after fitting, and risk-coverage of each."""
    from eval.reliability import Judged, draw, save

    def judged(probabilities: NDArray[np.float32]) -> Judged:
        return Judged(probabilities.max(axis=1), probabilities.argmax(axis=1) == said.test.y)

    seen = list(said.test.seen.values())
    before = judged(Join((1 / len(seen),) * len(seen))(seen))
    after = judged(fitted_join(said.gate, said.stages)(seen))
    alone = {stage: judged(array) for stage, array in said.test.seen.items()}
    save(draw(f"{name}, test split", before, after, {**alone, JOINED: after}), file)
