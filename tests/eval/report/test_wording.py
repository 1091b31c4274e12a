"""Figures as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.report.wording import (
    MISSING,
    milliseconds,
    money,
    named,
    number,
    percent,
    percents,
    plain,
    precise,
    score,
    scores,
    times,
)


@pytest.mark.parametrize(
    "told", [score, percent, precise, milliseconds, money, number, plain, times]
)
def test_what_is_missing_is_a_dash(told) -> None:  # type: ignore[no-untyped-def]
    assert told(None) == MISSING == "–"


@pytest.mark.parametrize(
    ("told", "read"),
    [
        (score(0.87372), "0.874"),
        (score(-0.0112), "−0.011"),
        (score(-0.0001), "0.000"),
        (scores(0.8737, [0.8623, 0.8856]), "0.874 (0.862–0.886)"),
        (scores(-0.001, [-0.004, 0.002]), "−0.001 (−0.004 to 0.002)"),
        (scores(0.8737, None), "0.874"),
        (percent(0.63124), "63 %"),
        (percent(1.0), "100 %"),
        (percent(0.0025), "0.2 %"),
        (percent(0.998), "99.8 %"),
        (percent(0.9997), ">99.9 %"),
        (precise(0.9513), "95.1 %"),
        (percents(0.9513, [0.9436, 0.9583]), "95.1 % (94.4–95.8)"),
        (milliseconds(0.54), "0.54"),
        (milliseconds(12.53), "12.5"),
        (milliseconds(1720.9), "1,721"),
        (money(105.5), "105.50"),
        (money(0.00123), "0.0012"),
        (money(0.0), "0.00"),
        (money(0.0000023), "<0.0001"),
        (money(12345.6), "12,346"),
        (number(41460), "41,460"),
        (number(4.25), "4.2"),
        (number(8), "8"),
        (times(22.703), "22.7 ×"),
        (times(0.222), "0.22 ×"),
        (times(1234.5), "1,234 ×"),
        (named("memory_gib"), "memory GiB"),
        (plain({"file": "a.csv", "rows": 41460}), "file a.csv, rows 41,460"),
        (plain(True), "yes"),
        (plain([1, 0.5]), "1, 0.5"),
        (plain(list(range(77))), "77, named in report.json"),
    ],
)
def test_as_people_read_them(told: str, read: str) -> None:
    assert told == read


@given(st.floats(0, 1))
def test_neither_all_nor_none_is_told_of_a_share_that_is_not(share: float) -> None:
    told = percent(share)
    assert (told in ("100 %", "100.0 %")) == (share == 1)
    assert (told in ("0 %", "0.0 %")) == (share == 0)
