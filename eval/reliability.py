"""The picture of a classifier's confidence: is it true, and what does a threshold on it buy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eval.metrics import Bools, Floats, expected_calibration_error, reliability, risk_coverage

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Told apart by colour-blind people too (Okabe and Ito 2008)."""
BEFORE, AFTER = COLOURS[1], COLOURS[0]
STEPS = np.linspace(0, 1, 26)
FEWEST = 20
"""Fewer tickets than this make a share too noisy to draw."""


@dataclass(frozen=True, slots=True)
class Judged:
    """``(n,)`` confidences, and whether the best class was the true one."""

    confidence: Floats
    right: Bools


def draw(title: str, before: Judged, after: Judged, curves: Mapping[str, Judged]) -> Figure:
    """Reliability before and after calibration over a histogram, and risk-coverage curves.

    Args:
        before, after: of the same tickets.
        curves: by the name that the legend gives.
    """
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplot_mosaic([["top", "curves"], ["under", "curves"]], height_ratios=(3, 1))
    axes["under"].sharex(axes["top"])
    axes["top"].tick_params(labelbottom=False)
    both = {"before": before, "after": after}
    _reliability(axes["top"], both)
    _histogram(axes["under"], both)
    _risk_coverage(axes["curves"], curves)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write the picture; the name tells the format. The same figures give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"Date": None} if path.suffix == ".svg" else {}
    with rc_context({"svg.hashsalt": "cascade", "svg.fonttype": "none"}):
        figure.savefig(path, metadata=metadata, dpi=110)


def _reliability(axes: Axes, both: Mapping[str, Judged]) -> None:
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle=":")
    lowest = 1.0
    for (name, its), colour in zip(both.items(), (BEFORE, AFTER), strict=True):
        bins = reliability(its.confidence, its.right)
        error = np.sqrt(bins.accuracy * (1 - bins.accuracy) / bins.counts)
        label = f"{name}: ECE {expected_calibration_error(its.confidence, its.right):.3f}"
        axes.errorbar(
            bins.confidence,
            bins.accuracy,
            error,
            label=label,
            color=colour,
            marker="o",
            markersize=4,
            linewidth=1,
            elinewidth=0.8,
        )
        lowest = min(lowest, bins.confidence.min(), bins.accuracy.min())
    low = max(lowest - 0.05, 0)
    axes.set(xlim=(low, 1.01), ylim=(low, 1.01), ylabel="share that is right")
    axes.legend(loc="upper left", frameon=False)


def _histogram(axes: Axes, both: Mapping[str, Judged]) -> None:
    for its, colour in zip(both.values(), (BEFORE, AFTER), strict=True):
        counts, _ = np.histogram(its.confidence, STEPS)
        axes.stairs(counts / len(its.confidence), STEPS, color=colour)
    axes.set(xlabel="confidence in the best queue", ylabel="share of tickets")


def _risk_coverage(axes: Axes, curves: Mapping[str, Judged]) -> None:
    highest = 0.0
    for at, (name, its) in enumerate(curves.items()):
        curve = risk_coverage(its.confidence, its.right)
        drawn = curve.coverage * len(its.right) >= FEWEST
        axes.plot(
            100 * curve.coverage[drawn],
            100 * curve.risk[drawn],
            label=name,
            color=COLOURS[at % len(COLOURS)],
            linewidth=1.4,
        )
        highest = max(highest, 100 * curve.risk[drawn].max(initial=0))
    for target in (2, 5):
        axes.axhline(target, color="0.6", linewidth=1, linestyle=":")
        axes.annotate(f"{100 - target} % right", (0.5, target), va="bottom", color="0.4")
    axes.set(xlim=(0, 100), ylim=(0, 1.05 * max(highest, 6)))
    axes.set(xlabel="tickets settled (%)", ylabel="of these wrong (%)")
    axes.legend(loc="upper left", bbox_to_anchor=(0, 0.97), frameon=False)
