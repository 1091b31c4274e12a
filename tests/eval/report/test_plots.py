"""The pictures: what is drawn, what is left out, and that it is SVG fit for any page."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from eval.frontier import Frontier, frontier
from eval.reliability import Judged
from eval.report.plots import (
    as_plot,
    draw_confusion,
    draw_cost,
    draw_frontier,
    draw_label_curve,
    draw_latency,
    draw_reliability,
    draw_risk_coverage,
    to_svg,
)
from eval.report.plots.confusion import MOST, most_confused
from eval.report.plots.labels import label_points, spread
from eval.report.plots.speed import Point, brief
from eval.report.plots.style import INK, canvas
from eval.report.record import CurvePoint

SVG = "{http://www.w3.org/2000/svg}"


def judged(seed: int = 0, tickets: int = 600) -> Judged:
    random = np.random.default_rng(seed)
    truth = random.uniform(0.4, 1, tickets)
    return Judged(truth, random.random(tickets) < truth)


def texts(figure: Figure) -> str:
    """All that is written in the picture."""
    root = ElementTree.fromstring(to_svg(figure, "x", "x"))
    return "\n".join(element.text or "" for element in root.iter(f"{SVG}text"))


def points() -> list[Point]:
    return [
        {"name": "cascade", "kind": "cascade", "cost": 0.02, "macro_f1": 0.87},
        {"name": "linear", "kind": "stage", "cost": 0.001, "macro_f1": 0.85},
        {"name": "majority", "kind": "baseline", "cost": 0.0005, "macro_f1": 0.05},
    ]


def curve() -> list[CurvePoint]:
    return [
        {"size": 1, "mean": 0.3, "least": 0.25, "most": 0.4},
        {"size": 8, "mean": 0.6, "least": 0.58, "most": 0.61},
        {"size": None, "mean": 0.8, "least": 0.8, "most": 0.8},
    ]


def a_frontier() -> Frontier:
    its = judged()
    return frontier(its.confidence, (~its.right).astype(np.int64), np.zeros(600, np.int64), 2)


FIGURES = {
    "confusion": lambda: draw_confusion(np.asarray([[9, 1], [0, 5]]), ["mail", "vpn"]),
    "reliability": lambda: draw_reliability(judged()),
    "risk_coverage": lambda: draw_risk_coverage({"cascade": judged()}, [0.95]),
    "frontier": lambda: draw_frontier({"cascade": a_frontier()}, chosen=0.2),
    "latency": lambda: draw_latency({"cascade": np.linspace(0, 400, 101).tolist()}),
    "cost": lambda: draw_cost(points(), "EUR"),
    "label_curve": lambda: draw_label_curve({"approaches": {"linear": curve()}}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_picture_is_svg_for_a_light_and_a_dark_page(name: str) -> None:
    svg = to_svg(FIGURES[name](), name, 'a "picture" of <all>')
    root = ElementTree.fromstring(svg)
    assert root.attrib["role"] == "img" and root.attrib["aria-label"] == 'a "picture" of <all>'
    assert "prefers-color-scheme:dark" in svg
    # Ink is the page's; no white card lies beneath.
    assert INK not in svg.split("</style>", 1)[1] and 'fill: #ffffff"/>' not in svg
    assert max(map(float, re.findall(r"font: ([\d.]+)px", svg)), default=0) <= 12
    assert min(map(float, re.findall(r"([\d.]+)px", svg.split("</style>", 1)[1]))) >= 7.5


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_figures_give_the_same_bytes(name: str) -> None:
    assert to_svg(FIGURES[name](), name, "") == to_svg(FIGURES[name](), name, "")


def test_two_pictures_in_one_page_share_no_id() -> None:
    ids = [set(re.findall(r'id="([^"]+)"', to_svg(FIGURES["cost"](), name, ""))) for name in "ab"]
    assert ids[0] and not ids[0] & ids[1]
    one = to_svg(FIGURES["confusion"](), "a", "")
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', one)) <= set(
        re.findall(r'id="([^"]+)"', one)
    )


def test_markup_in_the_name_of_a_queue_stays_text() -> None:
    figure = draw_confusion(np.eye(2, dtype=np.int64), ["<script>alert(1)</script>", "$x_1$ & co"])
    svg = to_svg(figure, "confusion", "<b>")
    assert "<script" not in svg and 'aria-label="&lt;b&gt;"' in svg
    assert "<script>alert(1)</script>  1" in texts(figure) and "$x_1$ & co" in texts(figure)


def test_a_picture_for_the_record_has_its_title_and_its_words() -> None:
    plot = as_plot("cost", "The cascade costs least.", FIGURES["cost"]())
    assert plot["title"] == "Cost against quality" and plot["alt"] == "The cascade costs least."
    assert 'aria-label="Cost against quality"' in plot["svg"]


class TestConfusion:
    def test_each_number_of_tickets_stands_in_its_cell(self) -> None:
        words = texts(draw_confusion(np.asarray([[1200, 3], [0, 5]]), ["mail", "vpn"])).split("\n")
        assert {"1,200", "3", "5"} <= set(words) and "0" not in words
        assert "mail  1,203" in words

    def test_of_many_queues_the_most_confused_are_shown(self) -> None:
        matrix = np.eye(77, dtype=np.int64) * 40
        matrix[30, 31], matrix[70, 5], matrix[6, 70] = 9, 4, 1
        assert {30, 31, 70, 5} <= set(most_confused(matrix))
        words = texts(draw_confusion(matrix, [f"q{at}" for at in range(77)]))
        assert "most confused of 77" in words and "all others" in words and "q70" in words

    def test_what_was_given_to_queues_not_shown_is_counted(self) -> None:
        matrix = np.zeros((MOST + 2, MOST + 2), dtype=np.int64)
        matrix[0, 1:] = 1
        matrix[0, 1] = 50
        shown = most_confused(matrix)
        left = matrix[0].sum() - matrix[0, shown].sum()
        words = texts(draw_confusion(matrix, [f"q{at}" for at in range(MOST + 2)])).split("\n")
        assert left > 0 and str(left) in words

    @given(st.integers(1, 40), st.integers(0, 5))
    def test_no_more_than_can_be_read(self, queues: int, seed: int) -> None:
        matrix = np.random.default_rng(seed).integers(0, 9, (queues, queues))
        shown = most_confused(matrix)
        assert shown == sorted(set(shown)) and len(shown) <= MOST
        assert len(shown) == queues or len(shown) >= MOST - 1


class TestLatency:
    def test_the_budget_and_what_is_late_are_told(self) -> None:
        words = texts(draw_latency({"cascade": np.linspace(0, 200, 101).tolist()}, budget=150))
        assert "cascade: p50 100 ms, p95 190 ms, p99 198 ms, 25 % late" in words
        assert "budget 150 ms" in words

    @pytest.mark.parametrize(
        ("ms", "told"), [(0.06, "0.06 ms"), (9.96, "10 ms"), (152.4, "152 ms"), (1720, "1.72 s")]
    )
    def test_times_are_brief(self, ms: float, told: str) -> None:
        assert brief(ms) == told


class TestCost:
    def test_every_approach_is_named(self) -> None:
        words = texts(draw_cost(points(), "EUR for 1,000 tickets"))
        assert {"cascade", "linear"} <= set(words.split("\n"))
        assert "EUR for 1,000 tickets, log scale" in words

    def test_one_far_below_stands_at_the_edge_with_its_figure(self) -> None:
        figure = draw_cost(points(), "EUR")
        assert "majority, 0.05 ↓" in texts(figure)
        assert figure.axes[0].get_ylim()[0] > 0.3


def test_the_label_curve_ends_with_all_labels() -> None:
    figure = draw_label_curve({"approaches": {"linear": curve(), "LLM": curve()[:2]}})
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["1", "8", "all"]
    assert figure.axes[0].get_xscale() == "log"
    assert {"linear", "LLM"} <= set(texts(figure).split("\n"))


def test_the_risk_coverage_line_ends_at_the_error_rate() -> None:
    its = judged()
    line = draw_risk_coverage({"cascade": its}).axes[0].get_lines()[0]
    assert np.asarray(line.get_xydata())[-1] == pytest.approx((100, 100 * (1 - its.right.mean())))


def test_the_frontier_marks_where_the_cascade_works() -> None:
    words = texts(FIGURES["frontier"]())
    assert "as it works now: 20 % to people" in words and "cascade, share right" in words


@given(st.lists(st.floats(0, 1), max_size=8).map(sorted), st.floats(0.01, 0.1))
def test_names_stand_apart_and_below_the_top(ends: list[float], gap: float) -> None:
    heights = spread(ends, gap, 1.0)
    assert len(heights) == len(ends) and all(height <= 1 for height in heights)
    assert all(b - a >= gap - 1e-9 for a, b in pairwise(heights))


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 1), st.sampled_from(["linear", "encoder", "LLM"])),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=20)
def test_the_names_of_a_few_points_cover_none_of_each_other(
    points: list[tuple[float, float, str]],
) -> None:
    figure = canvas("x", 5)
    axes = figure.add_subplot()
    axes.set(xlim=(-0.2, 1.2), ylim=(-0.2, 1.2))
    label_points(axes, points)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
    assert len(boxes) == len(points)
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_few_tickets_can_be_drawn() -> None:
    one = Judged(np.asarray([0.9]), np.asarray([True]))
    zero = np.zeros(1, dtype=np.int64)
    draw_reliability(one)
    draw_risk_coverage({"cascade": one}, [0.95])
    draw_frontier({"cascade": frontier(one.confidence, zero, zero, 2)}, chosen=0.9)
    draw_latency({"none": [0.0] * 101})
    draw_label_curve({"approaches": {"linear": curve()[2:]}})
    assert "1" in texts(draw_confusion(np.asarray([[1, 0], [0, 0]]), ["mail", "vpn"]))
