"""Dates of tickets, as text whose alphabetical order is that of time."""

from __future__ import annotations

import re
from datetime import UTC, datetime

EXAMPLES = "2024-03-31 or 2024-03-31T14:05:00+02:00"

_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
_OTHER_DATE = re.compile(r"\d{1,4}([/.-])\d{1,2}\1\d{1,4}(?!\d)")


def in_order(value: str) -> str:
    """An ISO 8601 date, with or without a time, in a form that sorts as text.

    Times with a zone are converted to UTC; those without one are taken to be UTC, as nothing says
    otherwise and one help desk seldom writes both.

    Raises:
        ValueError: it is none; the message says what kind of thing it is, never the value.
    """
    try:
        # Python would read milliseconds since 1970 as a day in the year 1711.
        if _NUMBER.fullmatch(value) and len(value) != len("20240331"):
            raise ValueError
        moment = datetime.fromisoformat(value)
        if moment.tzinfo:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise ValueError(_kind(value)) from None
    return moment.isoformat().removesuffix("T00:00:00")


def _kind(value: str) -> str:
    if _NUMBER.fullmatch(value):
        return "a number"
    if match := _OTHER_DATE.match(value):
        return f"a date such as {match[1].join(('31', '03', '2024'))}"
    return "text that is no date"
