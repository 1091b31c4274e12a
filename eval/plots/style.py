"""How all pictures look, and how a figure becomes SVG that fits a light and a dark page.

Text, axes and grid are drawn in one ink, fainter ones in the same ink with less opacity; in the
SVG it becomes the colour of the text around it. The background stays transparent. Data has the
colours of Okabe and Ito (2008), which colour-blind people tell apart and which stand out from
white and from near-black. Text stays text, in the reader's own font.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from html import escape
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox, offset_copy

from eval.record import Plot
from eval.reliability import COLOURS

BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = COLOURS
INK, PALE = "#1b1f24", "#e6e8eb"
"""Of text on light and on dark pages."""
FAINT = 0.45
"""Opacity of what stands behind the data."""
WIDTH = 5.4
"""Inches of every picture: a point of type is 1.6 pixels in a column of 640, 0.9 on a phone."""
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.alpha": 0.15,
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    ),
    "grid.color": INK,
    # A queue may be named with dollars.
    "text.parse_math": False,
    "svg.hashsalt": "cascade",
    "svg.fonttype": "none",
}
_PLACES = ((7, 0), (-7, 0), (0, 8), (0, -8), (7, 9), (7, -9), (-7, 9), (-7, -9), (0, 20), (0, -20))
"""Where a point's name may stand, in points from it, the best first."""
_COLOURS_IN_SVG = (
    f"<style>svg.plot{{color:{INK};--blue:{BLUE}}}"
    f"@media screen and (prefers-color-scheme:dark){{svg.plot{{color:{PALE};--blue:#3d9fdc}}}}"
    "</style>"
)
"""Blue is the one colour of data that is too dark for a dark page."""


styled = rc_context(STYLE)
"""Decorates a function that draws."""


def canvas(title: str, height: float) -> Figure:
    """An empty picture, that many inches high."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def as_plot(name: str, alt: str, figure: Figure) -> Plot:
    """The picture for the record.

    Args:
        name: its key in the record.
        alt: what it shows, in words, for who cannot see it; it stands beneath the picture.
    """
    title = figure.get_suptitle()
    return {"title": title, "alt": alt, "svg": to_svg(figure, name, title)}


def to_svg(figure: Figure, name: str, label: str) -> str:
    """SVG for a page or a file of its own; the same figure gives the same bytes.

    Args:
        name: put before every id, so that several pictures can stand in one page.
        label: what it is a picture of, for who cannot see it.
    """
    out = io.StringIO()
    with rc_context(STYLE):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = svg.replace(INK, "currentColor").replace("'DejaVu Sans'", "system-ui")
    svg = svg.replace(BLUE, f"var(--blue, {BLUE})")
    width, height = re.findall(r'(?:width|height)="([\d.]+)pt"', svg)[:2]
    opening = (
        f'<svg class="plot" role="img" aria-label="{escape(label)}" viewBox="0 0 {width} {height}" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return opening + _COLOURS_IN_SVG + svg[svg.index(">") + 1 :]


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


def label_points(axes: Axes, points: Sequence[tuple[float, float, str]]) -> None:
    """Name points beside them, each where it covers no other name and no point."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    at = [axes.transData.transform((x, y)) for x, y, _ in points]
    taken = [Bbox.from_bounds(px - 4, py - 4, 8, 8) for px, py in at]
    room = axes.get_window_extent()
    for x, y, name in points:
        label = axes.annotate(name, (x, y), (0, 0), textcoords="offset points", fontsize=9)
        taken.append(_placed(label, taken, room))


def _placed(label: Annotation, taken: Sequence[Bbox], room: Bbox) -> Bbox:
    """Move a label to its first free place, or leave it at the last one."""
    for right, up in _PLACES:
        label.set_position((right, up))
        label.set_horizontalalignment("left" if right > 0 else "right" if right else "center")
        label.set_verticalalignment("center" if abs(up) < 8 else "bottom" if up > 0 else "top")
        box = label.get_window_extent()
        inside = room.x0 <= box.x0 and box.x1 <= room.x1 and room.y0 <= box.y0 <= box.y1 <= room.y1
        if inside and not any(box.overlaps(other) for other in taken):
            break
    return box
