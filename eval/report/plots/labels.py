"""Names beside what they name: no legend to look up, and none covers another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox, offset_copy

from eval.report.plots.style import FAINT, INK

RINGS = (8, 16, 28, 42, 58)
"""Distances of a name from its point, in points of type."""
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (0.8, 0.8), (0.8, -0.8), (-0.8, 0.8), (-0.8, -0.8))
"""From a point to its name, the best first."""
CLEAR = 6
"""Pixels around a point that no name covers."""


def label_ends(axes: Axes, ends: Sequence[tuple[float, str, str]], x: float) -> None:
    """Name lines at their right end: no legend to look up, and no name on another.

    Args:
        ends: height, name and colour of each.
        x: of the ends.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    low, high = axes.get_ylim()
    # A line of type, as a share of the axes' height.
    gap = (high - low) * 14 / (72 * 0.68 * figure.get_figheight())
    heights = spread([y for y, _, _ in sorted(ends)], gap, high)
    # In ink, as orange type could not be read on white; a stroke in its colour leads to each.
    to_the_name = offset_copy(axes.transData, figure, 14, 0, units="points")
    for height, (y, name, colour) in zip(heights, sorted(ends), strict=True):
        axes.annotate(
            name, (x, y), (x, height), textcoords=to_the_name, va="center", annotation_clip=False,
            arrowprops={
                "arrowstyle": "-", "color": colour, "lw": 2, "shrinkA": 2, "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )  # fmt: skip


def spread(rising: Sequence[float], gap: float, top: float) -> list[float]:
    """The heights moved up, and down from the top where there is no room, to be a gap apart."""
    up: list[float] = []
    for y in rising:
        up.append(max([y, *(below + gap for below in up[-1:])]))
    down: list[float] = []
    for y in reversed(up):
        down.append(min([y, top, *(above - gap for above in down[-1:])]))
    return down[::-1]


def label_points(
    axes: Axes,
    points: Sequence[tuple[float, float, str]],
    bars: Sequence[tuple[float, Sequence[float]]] = (),
) -> None:
    """Name points, each at the nearest place where its name covers nothing.

    Args:
        points: x, y and name.
        bars: x and both ends of intervals.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    at = [axes.transData.transform((x, y)) for x, y, _ in points]
    taken = [Bbox.from_extents(px - CLEAR, py - CLEAR, px + CLEAR, py + CLEAR) for px, py in at]
    for x, ends in bars:
        (px, low), (_, high) = (axes.transData.transform((x, end)) for end in ends)
        taken.append(Bbox.from_extents(px - 1, low, px + 1, high))
    room = axes.get_window_extent()
    for x, y, name in points:
        label = axes.annotate(name, (x, y), (0, 0), textcoords="offset points", fontsize=9)
        taken.append(_placed(label, taken, room))
        if np.hypot(*label.get_position()) > RINGS[1]:
            axes.annotate(
                "", (x, y), label.get_position(), textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": INK, "alpha": FAINT, "shrinkA": 1},
            )  # fmt: skip


def _placed(label: Annotation, taken: Sequence[Bbox], room: Bbox) -> Bbox:
    """Move a label to its first free place, or leave it at the last one."""
    for right, up in _places():
        label.set_position((right, up))
        label.set_horizontalalignment("left" if right > 0 else "right" if right < 0 else "center")
        label.set_verticalalignment("bottom" if up > 0 else "top" if up < 0 else "center")
        box = label.get_window_extent()
        inside = room.x0 <= box.x0 and box.x1 <= room.x1 and room.y0 <= box.y0 <= box.y1 <= room.y1
        if inside and not any(box.overlaps(other) for other in taken):
            break
    return box


def _places() -> Iterator[tuple[float, float]]:
    for ring in RINGS:
        for right, up in DIRECTIONS:
            yield ring * right, ring * up
