"""The picture: what is drawn, and that it can be compared with the last one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from eval.reliability import Judged, draw, save


def judged(seed: int, sharpness: float = 1.0) -> Judged:
    """Tickets that are right as often as they say, or say more than they keep."""
    random = np.random.default_rng(seed)
    truth = random.uniform(0.4, 1, 800)
    return Judged(truth**sharpness, random.random(800) < truth)


@pytest.fixture(scope="module")
def figure() -> Figure:
    curves = {"linear": judged(1), "joined": judged(2)}
    return draw("a data set", judged(0, 0.3), judged(0), curves)


def panels(figure: Figure) -> tuple[Axes, Axes, Axes]:
    by_label = {axes.get_label(): axes for axes in figure.axes}
    return by_label["top"], by_label["under"], by_label["curves"]


def labels(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def test_before_and_after_are_told_with_their_error(figure: Figure) -> None:
    before, after = labels(panels(figure)[0])
    assert before.startswith("before: ECE 0.1") and after.startswith("after: ECE 0.0")


def test_the_histogram_shares_the_axis_of_confidence(figure: Figure) -> None:
    top, histogram, _ = panels(figure)
    assert top.get_xlim() == histogram.get_xlim()
    for steps in histogram.patches:
        assert isinstance(steps, StepPatch)
        assert np.sum(steps.get_data().values) == pytest.approx(1)
    assert len(histogram.patches) == 2


def test_each_curve_ends_at_its_error_rate(figure: Figure) -> None:
    axes = panels(figure)[2]
    assert labels(axes) == ["linear", "joined"]
    for line, its in zip(axes.get_lines(), (judged(1), judged(2)), strict=False):
        x, y = np.asarray(line.get_xydata())[-1]
        assert (x, y) == pytest.approx((100, 100 * (1 - its.right.mean())))


@pytest.mark.parametrize("name", ["picture.svg", "picture.png"])
def test_the_same_figures_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        save(draw("x", judged(0, 0.3), judged(0), {"a": judged(1)}), tmp_path / folder / name)
    first = (tmp_path / "one" / name).read_bytes()
    assert first == (tmp_path / "two" / name).read_bytes() and len(first) > 5_000


def test_a_handful_of_tickets_can_be_drawn(tmp_path: Path) -> None:
    few = Judged(np.asarray([0.9, 0.5, 0.5]), np.asarray([True, False, True]))
    save(draw("few", few, few, {"few": few}), tmp_path / "few.svg")
    assert "few" in (tmp_path / "few.svg").read_text()
