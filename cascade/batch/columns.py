"""The columns of a file of decisions."""

from __future__ import annotations

from collections.abc import Iterable

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
    labels: Types = {}
    for name in heads:
        if name != QUEUE:
            labels |= {name: str, f"{name}{CONFIDENCE}": float}
    return {**COLUMNS, **labels, **LAST}


def output_columns(heads: Iterable[str]) -> list[str]:
    """Names of the output's columns for a bundle of these heads."""
    return list(output_types(heads))
