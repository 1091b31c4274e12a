"""How rows of figures become a table: columns of words, and what is common to most tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eval.report.document import Table
from eval.report.wording import MISSING, milliseconds, score, scores

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Row], str]]
"""A heading, and what a row has in that column, in words."""


def field(key: str, told: Callable[[Any], str]) -> Callable[[Row], str]:
    """What a row has under a key, in words; a dash where it has nothing."""
    return lambda row: told(row.get(key))


def told_quality(row: Row) -> str:
    """Macro-F1 with its interval."""
    return scores(row.get("macro_f1"), row.get("macro_f1_95"))


QUALITY: list[Column] = [
    ("macro-F1 (95 % interval)", told_quality),
    ("accuracy", field("accuracy", score)),
]
TIMES: list[Column] = [
    ("p50 ms", field("ms_p50", milliseconds)),
    ("p95 ms", field("ms_p95", milliseconds)),
    ("p99 ms", field("ms_p99", milliseconds)),
]


def table(
    caption: str,
    rows: Sequence[Row],
    columns: Sequence[Column],
    *,
    words: int = 1,
    strong: Callable[[Row], bool] = lambda row: False,
    notes: Sequence[str] = (),
) -> Table:
    """Rows in words; columns of which nothing was measured are left out.

    Args:
        words: how many columns from the left are words, which always stay.
        strong: whether the eye should find a row.
        notes: below the table; what rows themselves have as ``note`` is added and referred to.
    """
    noted = [str(row["note"]) for row in rows if row.get("note")]
    distinct = list(dict.fromkeys(noted))
    cells = [[told(row) for _, told in columns] for row in rows]
    for row, its in zip(rows, cells, strict=True):
        if row.get("note"):
            its[0] += f" [{distinct.index(str(row['note'])) + 1}]"
    kept = [
        at for at in range(len(columns)) if at < words or any(its[at] != MISSING for its in cells)
    ]
    return Table(
        caption,
        [columns[at][0] for at in kept],
        [[its[at] for at in kept] for its in cells],
        words,
        frozenset(at for at, row in enumerate(rows) if strong(row)),
        [*notes, *(f"[{at}] {note}" for at, note in enumerate(distinct, 1))],
    )


def is_cascade(row: Row) -> bool:
    """Whether a row is the cascade's."""
    return row.get("kind") == "cascade"
