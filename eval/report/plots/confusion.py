"""The picture of confusions: where the tickets of each queue end up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from eval.report.plots.style import BLUE, INK, VERMILION, WIDTH, canvas, styled

MOST = 20
"""More queues than this cannot be read in a report's column; the most confused ones are shown."""
LONGEST = 28
"""Characters of a queue's name."""
OTHERS = "all others"
_DARK = 0.75
"""Cells more opaque than this carry white type."""


@styled
def draw_confusion(matrix: NDArray[np.int64], queues: Sequence[str]) -> Figure:
    """Tickets of each queue (row) by the queue that was given (column), in tickets.

    Right ones are blue, wrong ones vermilion, both the stronger the greater their share of the
    row; wrong ones stronger than right ones of the same share, as they are looked for. Of more
    than `MOST` queues the ones in the most frequent confusions are shown; what was given to any
    of the others stands in a last column.

    Args:
        matrix: ``(k, k)`` numbers of tickets, rows true, columns given.
        queues: ``k`` names.
    """
    shown = most_confused(matrix)
    table = matrix[np.ix_(shown, shown)]
    columns = [_short(queues[at]) for at in shown]
    rows = [f"{name}  {matrix[at].sum():,}" for name, at in zip(columns, shown, strict=True)]
    if len(shown) < len(queues):
        table = np.column_stack([table, matrix[shown].sum(axis=1) - table.sum(axis=1)])
        columns.append(OTHERS)
    which = "Queues"
    if len(columns) > len(rows):
        which = f"The {len(shown)} most confused of {len(queues)} queues"
    figure = canvas(f"{which}, true against given", WIDTH * (0.5 + 0.025 * len(rows)))
    axes = figure.add_subplot()
    _cells(axes, table, matrix[shown].sum(axis=1))
    axes.set_xticks(
        np.arange(len(columns)), columns, rotation=60, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks(np.arange(len(rows)), rows)
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    axes.tick_params(length=0, labelsize=9 if len(rows) <= 10 else 8)
    axes.grid(alpha=0.08 if len(rows) > 10 else 0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("queue given")
    axes.set_ylabel("true queue, with its tickets")
    return figure


def most_confused(matrix: NDArray[np.int64], most: int = MOST) -> list[int]:
    """Numbers of the queues to show, rising: all, or those in the most frequent confusions."""
    if len(matrix) <= most:
        return list(range(len(matrix)))
    both = np.triu(matrix + matrix.T, 1)
    chosen: dict[int, None] = {}
    for cell in np.argsort(-both, axis=None, kind="stable"):
        pair = dict.fromkeys(int(at) for at in divmod(int(cell), len(matrix)))
        if len(chosen | pair) > most:
            break
        chosen |= pair
    return sorted(chosen)


def _cells(axes: Axes, table: NDArray[np.int64], totals: NDArray[np.int64]) -> None:
    """A square of each number that is not zero."""
    size = 9 if len(table) <= 10 else 7.5
    for row, column in np.argwhere(table):
        count, share = table[row, column], table[row, column] / totals[row]
        right, other = row == column, column >= len(table)
        strength = 0.08 + 0.92 * (share if right else min(1.0, 3 * share))
        colour = INK if other else BLUE if right else VERMILION
        if other:
            strength /= 3
        axes.add_patch(
            Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, color=colour, alpha=strength, lw=0)
        )
        axes.text(
            column, row, f"{count:,}", ha="center", va="center", fontsize=size,
            color="#ffffff" if strength > _DARK else INK,
        )  # fmt: skip


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
