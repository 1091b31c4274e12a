"""Dates: in the order of time as text, or a word on what they are instead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.dates import in_order

ZONES = st.none() | st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=ZONES)


@given(st.lists(MOMENTS, max_size=20))
def test_the_order_of_the_text_is_that_of_time(moments: list[datetime]) -> None:
    def instant(moment: datetime) -> datetime:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment

    by_text = sorted(moments, key=lambda moment: in_order(moment.isoformat()))
    instants = [instant(moment) for moment in by_text]
    assert instants == sorted(instants)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2024-03-31", "2024-03-31"),
        ("20240331", "2024-03-31"),
        ("2024-03-31 14:05", "2024-03-31T14:05:00"),
        ("2024-03-31T14:05:00Z", "2024-03-31T14:05:00"),
        ("2024-03-31T00:30:00+02:00", "2024-03-30T22:30:00"),
        ("2024-03-31 14:05:00.25", "2024-03-31T14:05:00.250000"),
    ],
)
def test_what_files_hold(value: str, text: str) -> None:
    assert in_order(value) == text


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("31/12/2024", "a date such as 31/03/2024"),
        ("2024/12/31 10:00", "a date such as 31/03/2024"),
        ("31.12.24", "a date such as 31.03.2024"),
        ("31-12-2024", "a date such as 31-03-2024"),
        ("1711843200", "a number"),
        ("1712010100000", "a number"),
        ("45382.5", "a number"),
        ("31 March 2024", "text that is no date"),
        ("n/a", "text that is no date"),
        ("2024-13-01", "a date such as 31-03-2024"),
        ("0001-01-01T00:00:00+10:00", "a date such as 31-03-2024"),
        ("my secret ticket", "text that is no date"),
    ],
)
def test_what_is_no_such_date_is_told_by_its_kind(value: str, kind: str) -> None:
    with pytest.raises(ValueError, match=r"^(a|text) ") as caught:
        in_order(value)
    assert str(caught.value) == kind
