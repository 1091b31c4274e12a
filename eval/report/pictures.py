"""The pictures of a record, drawn from what every approach said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cascade.gate import Gates
from eval.frontier import frontier
from eval.labelled import Labelled
from eval.reliability import Judged
from eval.report.plots import (
    as_plot,
    draw_confusion,
    draw_cost,
    draw_frontier,
    draw_label_curve,
    draw_latency,
    draw_reliability,
    draw_risk_coverage,
)
from eval.report.plots.speed import Point
from eval.report.record import LabelCurve, Plot
from eval.verdicts import CASCADE, Verdicts

MOST_CURVES = 5


def pictures(
    labelled: Labelled,
    said: Sequence[Verdicts],
    rows: Sequence[Mapping[str, Any]],
    gates: Gates,
) -> dict[str, Plot]:
    """By the names under which the report places them.

    Args:
        said: by each approach, the cascade's first.
        rows: of the table.
        gates: the cascade's, with what they promise.
    """
    cascade, k = said[0], len(labelled.queues)
    targets = [gates.plan["promise"]["target"]] if gates.plan.get("promise") else []
    own = [its for its in said if its.kind in ("cascade", "stage")][:MOST_CURVES]
    judged = {its.name: Judged(its.confidence, its.right(labelled)) for its in own}
    matrix = np.bincount(labelled.y * k + cascade.guess, minlength=k * k).reshape(k, k)
    curves = {its.name: frontier(its.confidence, its.guess, labelled.y, k) for its in own}
    people = None if cascade.settled is None else float(1 - cascade.settled.mean())
    points: list[Point] = [
        {
            "name": row["name"],
            "kind": row["kind"],
            "cost": row["cpu_ms"],
            "macro_f1": row["macro_f1"],
            "macro_f1_95": row["macro_f1_95"],
        }
        for row in rows
        if row.get("cpu_ms")
    ]
    times = {its.name: its.times["ms_percentiles"] for its in own if its.times}
    drawn = {
        "confusion": (
            "Rows are the true queues, columns the queues given; numbers are tickets.",
            draw_confusion(matrix, labelled.queues),
        ),
        "reliability": (
            "How often the cascade is right, by its confidence: on the diagonal it means what it "
            "says.",
            draw_reliability(judged[CASCADE]),
        ),
        "risk_coverage": (
            "Share of wrong ones among the tickets settled, the surest first.",
            draw_risk_coverage(judged, targets),
        ),
        "frontier": (
            "Each point of a line is a threshold on confidence: what is left to people, and the "
            "quality of what is answered.",
            draw_frontier(curves, people),
        ),
    }
    if times:
        drawn["latency"] = (
            "How long single tickets take, with the budget drawn in.",
            draw_latency(times),
        )
    if points:
        drawn["cost"] = (
            "CPU milliseconds of a ticket against macro-F1 when every ticket is answered.",
            draw_cost(points, "CPU milliseconds a ticket"),
        )
    return {name: as_plot(name, alt, figure) for name, (alt, figure) in drawn.items()}


def curve_picture(curve: LabelCurve) -> Plot:
    """The label curve."""
    alt = "Macro-F1 by labels a queue, a line an approach; the band is the spread over seeds."
    return as_plot("label_curve", alt, draw_label_curve(curve))
