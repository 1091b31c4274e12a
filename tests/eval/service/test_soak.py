"""A service that is watched for long."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.service.soak import soak
from eval.service.watch import Sight, slope


@given(st.floats(-50, 50), st.integers(4, 60), st.floats(0, 300))
def test_the_slope_is_that_of_the_later_half(growth: float, looks: int, before: float) -> None:
    sights = []
    for at in range(looks):
        grown = growth * at / 60  # a look a minute
        full = before if at >= looks // 2 else 0.0
        sights.append(Sight(60.0 * at, 100.0, full + grown, 10, 0.0))
    assert slope(sights) == pytest.approx(growth, abs=0.02)


def test_one_look_shows_no_growth() -> None:
    assert slope([Sight(0.0, 100.0, 300.0, 10, 0.0)]) == 0.0


def test_a_real_service_is_looked_at(quick: None, linear_bundle: Path) -> None:
    texts = [f"vpn ☎ is down since this morning, {number}" for number in range(50)]
    told = soak(linear_bundle, texts, workers=1, minutes=0.02, measuring=0.3)
    assert told["rate"] > 0 and told["requests"] == round(told["rate"] * 1.2)
    assert told["errors"] == 0
    columns = [told[name] for name in ("minute", "master_mib", "workers_mib", "files")]
    assert len({len(column) for column in (*columns, told["database_mib"])}) == 1
    assert min(min(column) for column in columns[1:]) > 0
    assert max(told["database_mib"]) > 0
