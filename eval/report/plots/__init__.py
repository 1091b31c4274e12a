"""The pictures of a report: each a function from plain figures to a matplotlib figure."""

from eval.report.plots.confidence import draw_frontier, draw_reliability, draw_risk_coverage
from eval.report.plots.confusion import draw_confusion
from eval.report.plots.label_curve import draw_label_curve
from eval.report.plots.speed import draw_cost, draw_latency
from eval.report.plots.style import as_plot, to_svg

__all__ = [
    "as_plot",
    "draw_confusion",
    "draw_cost",
    "draw_frontier",
    "draw_label_curve",
    "draw_latency",
    "draw_reliability",
    "draw_risk_coverage",
    "to_svg",
]
