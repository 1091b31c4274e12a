"""Pictures of confidence: is it true, and what does a threshold on it buy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eval.frontier import Frontier
from eval.metrics import expected_calibration_error, reliability, risk_coverage
from eval.reliability import COLOURS, FEWEST, STEPS, Judged
from eval.report.plots.labels import label_ends
from eval.report.plots.style import BLUE, FAINT, INK, canvas, styled


@styled
def draw_reliability(judged: Judged) -> Figure:
    """How often the cascade is right at each confidence, over how many tickets have it."""
    off = expected_calibration_error(judged.confidence, judged.right)
    figure = canvas(f"Confidence against truth: {off:.3f} apart on average", 5)
    axes = figure.subplot_mosaic([["top"], ["under"]], height_ratios=(4, 1), sharex=True)
    top, under = axes["top"], axes["under"]
    bins = reliability(judged.confidence, judged.right)
    error = 1.96 * np.sqrt(bins.accuracy * (1 - bins.accuracy) / bins.counts)
    top.plot([0, 1], [0, 1], color=INK, alpha=FAINT, linewidth=1, linestyle="--")
    top.errorbar(
        bins.confidence, bins.accuracy, error, color=BLUE, marker="o", markersize=5,
        elinewidth=1, linewidth=1.5,
    )  # fmt: skip
    low = max(0.0, min(bins.confidence.min(), (bins.accuracy - error).min()) - 0.05)
    middle = (low + 1) / 2
    # On the side where the line is not.
    side = 1 if bins.shares @ (bins.accuracy - bins.confidence) < 0 else -1
    top.annotate(
        "as sure as right", (middle, middle), (-6 * side, 6 * side), textcoords="offset points",
        ha="right" if side > 0 else "left", va="center", alpha=0.7,
    )  # fmt: skip
    top.set(xlim=(low, 1.01), ylim=(low, 1.02), ylabel="share that is right")
    counts, edges = np.histogram(judged.confidence, STEPS)
    under.stairs(100 * counts / len(judged.confidence), edges, color=BLUE, alpha=0.7, fill=True)
    under.set(xlabel="confidence in the best queue", ylabel="tickets (%)")
    return figure


@styled
def draw_risk_coverage(curves: Mapping[str, Judged], promises: Sequence[float] = ()) -> Figure:
    """What is wrong among the tickets that a threshold settles, for each number of them.

    Args:
        curves: by the name that stands beside the line, at most six.
        promises: shares right that gates were fitted to, such as 0.95.
    """
    figure = canvas("What is wrong among the tickets settled", 4)
    axes = figure.add_subplot()
    ends = []
    for (name, its), colour in zip(curves.items(), COLOURS, strict=False):
        curve = risk_coverage(its.confidence, its.right)
        drawn = curve.coverage * len(its.right) >= FEWEST
        axes.plot(100 * curve.coverage[drawn], 100 * curve.risk[drawn], color=colour)
        ends.append((100 * float(curve.risk[-1]), name, colour))
    top = 1.08 * max([end for end, _, _ in ends] + [6])
    for promise in promises:
        wrong = 100 * (1 - promise)
        axes.axhline(wrong, color=INK, alpha=FAINT, linewidth=1, linestyle="--")
        axes.annotate(
            f"{100 * promise:g} % right", (1, wrong), (0, 2), textcoords="offset points", alpha=0.7
        )
    axes.set(xlim=(0, 100), ylim=(0, top), ylabel="of these wrong (%)")
    axes.set_xlabel("tickets settled without a person (%), the surest first")
    label_ends(axes, ends, 100)
    return figure


@styled
def draw_frontier(curves: Mapping[str, Frontier], chosen: float | None = None) -> Figure:
    """Quality of what is answered against the share that is left to people.

    Args:
        curves: by name, at most six; of the first, the cascade, the share right is drawn too.
        chosen: share to people at which the cascade works.
    """
    figure = canvas("What leaving tickets to people buys", 4)
    axes = figure.add_subplot()
    for (name, its), colour in zip(curves.items(), COLOURS, strict=False):
        people = 100 * np.asarray(its["review"])
        first = axes.get_legend_handles_labels()[0] == []
        axes.plot(people, its["macro_f1"], color=colour, lw=2.4 if first else 1.4, label=name)
        if first:
            axes.plot(
                people, its["right"], "--", color=colour, lw=1.4, label=f"{name}, share right"
            )
            _mark(axes, its, chosen)
    axes.set(xlim=(0, None), ylim=(None, 1.005), ylabel="macro-F1 of what is answered")
    axes.set_xlabel("tickets that go to people (%)")
    axes.legend(loc="lower right")
    return figure


def _mark(axes: Axes, its: Frontier, chosen: float | None) -> None:
    if chosen is None or chosen > its["review"][-1]:
        return
    at = int(np.abs(np.asarray(its["review"]) - chosen).argmin())
    point = 100 * its["review"][at], its["macro_f1"][at]
    label = f"as it works now: {100 * chosen:.0f} % to people"
    axes.plot(*point, "o", color=BLUE, markersize=9, label=label)
