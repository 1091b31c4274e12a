"""What each part of a training took: the parts add up to the whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from train.took import FINE_TUNING, Took


def ticking(*seconds: float) -> Iterator[float]:
    return iter(seconds)


@pytest.fixture
def took() -> Took:
    """Half a minute of reading, then an hour of fine-tuning on two cores."""
    times, cpu_times = ticking(100.0, 130.0, 3_730.0), ticking(5.0, 35.0, 7_235.0)
    took = Took(lambda: next(times), lambda: next(cpu_times))
    took.lap("reading")
    took.lap(FINE_TUNING)
    return took


def test_a_part_lasts_from_the_end_of_the_one_before(took: Took) -> None:
    assert [part.minutes for part in took.parts.values()] == [0.5, 60.0]
    assert [part.cpu_minutes for part in took.parts.values()] == [0.5, 120.0]
    assert took.to_plain()["reading"]["minutes"] == 0.5
    assert took.to_plain()["reading"]["memory_mib"] > 10


def test_the_table_tells_the_parts_their_budget_and_the_whole(took: Took) -> None:
    header, reading, tuning, whole = took.lines(budget=75)
    assert header.split() == ["part", "minutes", "of", "CPU", "MiB", "so", "far"]
    assert reading.split()[:3] == ["reading", "0.5", "0.5"]
    assert tuning.endswith("  of 75 minutes that it may take")
    assert whole.split()[:4] == ["in", "all", "60.5", "120.5"]


def test_before_the_first_part_there_is_nothing(took: Took) -> None:
    assert Took().to_plain() == {}
