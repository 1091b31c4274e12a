"""Figures as people read them: 0.874, 12.5, 63 %, 1,720, and a dash for what was not measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

MISSING = "–"
TIMES = "×"
LEAST = 0.0001
"""Of money that is told."""
UNITS = {"gib": "GiB", "mib": "MiB", "cpu": "CPU"}
MOST = 15
"""Things that are named one by one in a line."""


def score(value: float | None) -> str:
    """A macro-F1 or an accuracy: 0.874."""
    return MISSING if value is None else signed(f"{value:.3f}")


def scores(value: float | None, ends: Sequence[float] | None) -> str:
    """One with its interval: 0.874 (0.862–0.886)."""
    return _with(score, value, ends)


def percent(value: float | None) -> str:
    """A share of tickets: 63 %; but 0.3 %, 99.8 % and >99.9 %, where none or all would be wrong."""
    if value is None:
        return MISSING
    if 0 < value < 0.001 or 0.999 < value < 1:
        return "<0.1 %" if value < 0.5 else ">99.9 %"
    whole = value in (0, 1) or 0.01 <= value <= 0.99
    return f"{100 * value:.{0 if whole else 1}f} %"


def precise(value: float | None) -> str:
    """A share where a tenth of a percent matters, as of right ones: 95.2 %."""
    return MISSING if value is None else f"{100 * value:.1f} %"


def percents(value: float | None, ends: Sequence[float] | None) -> str:
    """The same with its interval: 95.2 % (94.4–95.9)."""
    return _with(precise, value, ends)


def milliseconds(value: float | None) -> str:
    """Three significant digits, no more decimals than two: 0.54, 12.5, 1,720."""
    if value is None:
        return MISSING
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"


def money(value: float | None) -> str:
    """Cents and more: 12.40; less than that in two significant digits: 0.0012."""
    if value is None:
        return MISSING
    if 0 < value < LEAST:
        return f"<{LEAST}"
    if not value or value >= 0.1:
        return f"{value:,.2f}" if value < 1000 else f"{value:,.0f}"
    return f"{value:.{1 - math.floor(math.log10(value))}f}"


def number(value: float | None) -> str:
    """Tickets, MiB, tickets a second: 41,460; below 10 with a decimal, if it has one."""
    if value is None:
        return MISSING
    return f"{value:,.1f}" if value < 10 and value != int(value) else f"{value:,.0f}"


def times(value: float | None) -> str:
    """How many times another figure: 2.30 ×, 22.7 ×."""
    if value is None:
        return MISSING
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f} {TIMES}"


def plain(value: Any) -> str:
    """Anything of JSON types in a line of text."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping | list) and len(value) > MOST:
        return f"{len(value)}, named in report.json"
    if isinstance(value, Mapping):
        return ", ".join(f"{named(key)} {plain(its)}" for key, its in value.items())
    if isinstance(value, list):
        return ", ".join(map(plain, value))
    return str(value)


def named(key: str) -> str:
    """The name of a field as words, its unit as people write it."""
    return " ".join(UNITS.get(word, word) for word in key.split("_"))


def signed(text: str) -> str:
    """With a real minus, and none before a zero."""
    return text if not text.startswith("-") else text[1:] if not float(text) else f"−{text[1:]}"


def _with(
    told: Callable[[float | None], str], value: float | None, ends: Sequence[float] | None
) -> str:
    if value is None or ends is None:
        return told(value)
    # A dash beside a minus could be taken for one.
    between = " to " if ends[0] < 0 else "–"
    low, high = (told(end).removesuffix(" %") for end in ends)
    return f"{told(value)} ({low}{between}{high})"
