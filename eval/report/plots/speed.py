"""Pictures of what tickets take: their time, and what is paid for quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from eval.reliability import COLOURS
from eval.report.plots.labels import label_points
from eval.report.plots.style import (
    BLUE,
    GREEN,
    INK,
    PURPLE,
    SKY,
    VERMILION,
    canvas,
    styled,
)

BUDGET_MS = 150.0
"""The deadline of a request that names none."""
KINDS = {
    "cascade": (BLUE, "o"),
    "stage": (SKY, "s"),
    "baseline": (PURPLE, "^"),
    "llm": (VERMILION, "D"),
    "peer": (GREEN, "v"),
}
"""Colour and marker of each kind of approach: none is told by colour alone."""
SHORTEST = 0.005
"""Milliseconds; shorter times are rounded to 0, and have no place on a log scale."""
SMOOTH = np.asarray([1, 2, 3, 4, 3, 2, 1]) / 16
DEEPEST = 0.4
"""Macro-F1 below the best that is drawn to scale."""


class Point(TypedDict):
    """An approach: what it costs, and its quality."""

    name: str
    kind: str
    cost: float
    macro_f1: float
    macro_f1_95: NotRequired[list[float] | None]


@styled
def draw_latency(percentiles: Mapping[str, Sequence[float]], budget: float = BUDGET_MS) -> Figure:
    """How the times of single tickets spread, an approach a row, with the budget drawn in.

    Args:
        percentiles: the 101 from 0 to 100 by approach, in milliseconds.
        budget: in milliseconds.
    """
    ms = {name: _spread(its) for name, its in percentiles.items()}
    figure = canvas("Time a ticket takes", 1.1 + 0.62 * len(ms))
    axes = figure.add_subplot()
    least = min(its.min() for its in ms.values())
    most = max(budget * 1.6, *(its.max() for its in ms.values()))
    edges = np.geomspace(least * 0.8, most * 1.1, 120)
    for row, ((name, its), colour) in enumerate(zip(ms.items(), COLOURS * 4, strict=False)):
        floor = len(ms) - 1 - row
        heights = np.convolve(np.histogram(its, edges)[0], SMOOTH, "same")
        axes.stairs(
            floor + 0.68 * heights / heights.max(), edges, baseline=floor, fill=True,
            color=colour, alpha=0.75,
        )  # fmt: skip
        p50, p95, p99 = np.percentile(its, [50, 95, 99])
        axes.plot([p50, p95, p99], [floor] * 3, "|", color=INK, markersize=9, markeredgewidth=1.5)
        over = 100 * float((its > budget).mean())
        late = f", {over:.2g} % late" if over else ""
        axes.annotate(
            f"{name}: p50 {brief(p50)}, p95 {brief(p95)}, p99 {brief(p99)}" + late,
            (0, floor), (0, -6), xycoords=("axes fraction", "data"), textcoords="offset points",
            va="top", fontsize=9,
        )  # fmt: skip
    axes.axvline(budget, color=INK, linewidth=1.2, linestyle="--", alpha=0.8)
    axes.annotate(
        f"budget {budget:g} ms", (budget, len(ms) - 0.12), (4, 0), textcoords="offset points",
        fontsize=9,
    )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: brief(value)))
    axes.set(xlim=(edges[0], edges[-1]), ylim=(-0.35, len(ms) + 0.15))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("time of a ticket, log scale; marks at p50, p95, p99")
    return figure


def _spread(percentiles: Sequence[float]) -> NDArray[np.float64]:
    """Many times with these percentiles, evenly between each two; 0 is below any clock."""
    at = np.linspace(0, 100, 5001)
    return np.maximum(np.interp(at, np.arange(101), percentiles), SHORTEST)


@styled
def draw_cost(points: Sequence[Point], unit: str) -> Figure:
    """What each approach costs against its macro-F1, with 95 % intervals.

    One far below the best stands at the lower edge, its macro-F1 in words, so that the others
    are told apart.

    Args:
        points: with a cost above 0.
        unit: of the cost, for the axis.
    """
    figure = canvas("Cost against quality", 5)
    axes = figure.add_subplot()
    floor = max(0.0, max(point["macro_f1"] for point in points) - DEEPEST)
    names, bars = [], []
    for point in points:
        colour, marker = KINDS[point["kind"]]
        below = point["macro_f1"] < floor
        if not below and (ends := point.get("macro_f1_95")):
            axes.plot([point["cost"]] * 2, ends, color=colour, linewidth=1.2)
            bars.append((point["cost"], ends))
        y = floor if below else point["macro_f1"]
        axes.plot(point["cost"], y, marker, color=colour, markersize=8)
        told = f", {point['macro_f1']:.2f} ↓" if below else ""
        names.append((point["cost"], y, point["name"] + told))
    costs = [point["cost"] for point in points]
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlim(min(costs) / 2.5, max(costs) * 2.5)
    axes.set(xlabel=f"{unit}, log scale", ylabel="macro-F1, all tickets answered")
    axes.margins(y=0.12)
    for kind in dict.fromkeys(point["kind"] for point in points):
        colour, marker = KINDS[kind]
        axes.plot([], [], marker, color=colour, label=kind)
    figure.legend(loc="outside lower center", ncols=len(KINDS), columnspacing=1, handletextpad=0)
    label_points(axes, names, bars)
    return figure


def brief(ms: float) -> str:
    """Milliseconds in as few characters as tell them."""
    if ms >= 1000:
        return f"{ms / 1000:.3g} s"
    return f"{ms:.2g} ms" if ms < 10 else f"{ms:.0f} ms"
