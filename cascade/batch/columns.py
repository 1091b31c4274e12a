"""The columns of a file of decisions."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle

from cascade.stages.base import QUEUE

COLUMNS = {
    "id": str,
    "line": int,
    "queue": str,
    "confidence": float,
    "action": str,
    "stage": str,
    "alternative": str,
    "alternative_confidence": float,
}
"""The first ones, and their types; further labels with their confidence follow, `LAST` ends."""
LAST = {"reason": str, "bundle": str}
CONFIDENCE = "_confidence"
"""Added to a label's name, it names the column of its confidence."""

Types = dict[str, type]


def output_types(heads: Iterable[str]) -> Types:
    """The output's columns for a bundle of these heads, in order, and their types."""
    labels = dict(zip(_of_labels(heads), cycle((str, float))))
    return {**COLUMNS, **labels, **LAST}


def output_columns(heads: Iterable[str]) -> list[str]:
    """Names of the output's columns; one stands twice where a label is called like another."""
    return [*COLUMNS, *_of_labels(heads), *LAST]


def _of_labels(heads: Iterable[str]) -> list[str]:
    return [f"{name}{end}" for name in heads if name != QUEUE for end in ("", CONFIDENCE)]
