"""How all pictures look, and how a figure becomes SVG that fits a light and a dark page.

Text, axes and grid are drawn in one ink, fainter ones in the same ink with less opacity; in the
SVG it becomes the colour of the text around it. The background stays transparent. Data has the
colours of Okabe and Ito (2008), which colour-blind people tell apart and which stand out from
white and from near-black. Text stays text, in the reader's own font.
"""

from __future__ import annotations

import io
import re
from html import escape
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from eval.reliability import COLOURS
from eval.report.record import Plot

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
