"""The picture of the label curve: how many labels does each approach need."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from eval.reliability import COLOURS
from eval.report.plots.labels import label_ends
from eval.report.plots.style import canvas, styled
from eval.report.record import LabelCurve

PAD = 1.1
"""Room left and right of the points, as a factor."""
MARKERS = "osD^v*P"
"""As many as share no factor with the colours, so that no two lines have both in common."""


@styled
def draw_label_curve(curve: LabelCurve) -> Figure:
    """Macro-F1 by labels a queue, one line an approach, the range over seeds behind it.

    A point whose size is None (all labels) stands one
    step right of the largest size.
    """
    figure = canvas("What few labels are enough for", 4.2)
    axes = figure.add_subplot()
    sizes = sorted({p["size"] for its in curve["approaches"].values() for p in its if p["size"]})
    everything = 2 * max(sizes, default=1)
    ends, lowest, highest, all_there = [], 1.0, 0.0, False
    for at, (name, its) in enumerate(curve["approaches"].items()):
        colour = COLOURS[at % len(COLOURS)]
        x = [point["size"] or everything for point in its]
        all_there |= everything in x
        axes.fill_between(
            x, [p["least"] for p in its], [p["most"] for p in its], color=colour, alpha=0.15, lw=0
        )
        means = [point["mean"] for point in its]
        marker = MARKERS[at % len(MARKERS)]
        axes.plot(x, means, color=colour, marker=marker, markersize=5, clip_on=False, zorder=3)
        ends.append((its[-1]["mean"], name, colour))
        lowest = min(lowest, *(p["least"] for p in its))
        highest = max(highest, *(p["most"] for p in its))
    axes.set_xscale("log", base=2)
    ticks = [*sizes, everything] if all_there else sizes
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([*map(str, sizes), "all"][: len(ticks)])
    margin = max(0.04 * (highest - lowest), 0.01)
    axes.set(
        xlim=(ticks[0] / PAD, ticks[-1] * PAD), ylim=(max(0, lowest - margin), highest + margin)
    )
    axes.set(xlabel="labelled tickets a queue, log scale", ylabel="macro-F1")
    label_ends(axes, ends, ticks[-1])
    return figure
