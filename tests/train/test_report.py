"""The figures: computed as everybody else computes them, and consistent with the decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from cascade.bundle import Columns, Manifest
from cascade.router import Cascade
from train.measures import interval, macro_f1
from train.report import evaluate, model_card, table

Build = Callable[..., Cascade]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_macro_f1_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    y, guess = np.asarray(pairs).T
    ours = macro_f1(y, guess, 5)
    assert ours == pytest.approx(f1_score(y, guess, average="macro", zero_division=0))


def draw(random: np.random.Generator, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tickets of three classes, guessed right at rates of 90, 80 and 60 %."""
    y = random.choice(3, n, p=[0.5, 0.3, 0.2])
    right = random.random(n) < np.asarray([0.9, 0.8, 0.6])[y]
    return y, np.where(right, y, (y + 1) % 3)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    truth = macro_f1(*draw(random, 500_000), 3)
    covered = 0
    for seed in range(200):
        low, high = interval(*(pair := draw(random, 400)), 3, seed)
        assert low < macro_f1(*pair, 3) < high
        covered += low <= truth <= high
    assert 0.90 <= covered / 200 <= 0.99


def test_the_interval_narrows_with_more_tickets_and_does_not_jump() -> None:
    random = np.random.default_rng(1)
    few, many = draw(random, 100), draw(random, 10_000)
    (low, high), (lower, higher) = interval(*few, 3), interval(*many, 3)
    assert higher - lower < (high - low) / 5
    assert interval(*few, 3) == (low, high)


def test_the_interval_of_a_perfect_guess_is_a_point() -> None:
    y = np.arange(30) % 3
    assert interval(y, y, 3) == (1, 1)


TEXTS = ["bug", "high bug", "access", "billing", "?", "billing high", "bug"]
TARGETS = {
    "queue": np.asarray([2, 2, 0, 1, 1, 0, 0]),
    "urgency": np.asarray([0, 1, -1, 0, 0, 1, -1]),
}


@pytest.fixture
def cascade(fake_cascade: Build) -> Cascade:
    return fake_cascade(("linear", 0.8, 1.01), ("encoder", 0.9, 0.85))


def test_the_figures_are_those_of_the_decisions(cascade: Cascade) -> None:
    figures = evaluate(cascade, TEXTS, TARGETS)
    decisions = cascade.route(TEXTS)
    guess = np.asarray([cascade.queues.index(d.queue) for d in decisions])
    y = TARGETS["queue"]
    assert figures["tickets"] == len(TEXTS)
    assert figures["cascade"]["accuracy"] == pytest.approx((guess == y).mean(), abs=1e-4)
    f1 = f1_score(y, guess, average="macro")
    assert figures["cascade"]["macro_f1"] == pytest.approx(f1, abs=1e-4)
    low, high = figures["cascade"]["macro_f1_95"]
    assert low <= figures["cascade"]["macro_f1"] <= high
    shares = {stage: part["share"] for stage, part in figures["cascade"]["settled"].items()}
    counts = Counter(d.stage for d in decisions)
    assert shares == {s: pytest.approx(n / len(TEXTS), abs=1e-4) for s, n in counts.items()}
    assert sum(shares.values()) == pytest.approx(1, abs=1e-3)


def test_every_stage_is_also_measured_alone(cascade: Cascade) -> None:
    figures = evaluate(cascade, TEXTS, TARGETS)
    assert list(figures["stages"]) == ["linear", "encoder"]
    for figure in [*figures["stages"].values(), figures["cascade"]]:
        assert 0 <= figure["ms_p50"] <= figure["ms_p95"]
    assert figures["joined"]["macro_f1"] == figures["cascade"]["macro_f1"]


def test_further_labels_count_only_where_they_are_known(cascade: Cascade) -> None:
    figures = evaluate(cascade, TEXTS, TARGETS)
    assert figures["labels"] == {"urgency": {"cascade": 1.0, "linear": 1.0, "encoder": 1.0}}
    nowhere = {**TARGETS, "urgency": np.full(len(TEXTS), -1)}
    assert evaluate(cascade, TEXTS, nowhere)["labels"] == {}


def test_one_stage_has_nothing_to_be_joined_with(fake_cascade: Build) -> None:
    figures = evaluate(fake_cascade(("linear", 0.8, 0.7)), TEXTS, TARGETS)
    assert "joined" not in figures
    assert not any("joined" in line for line in table(figures))


def test_every_ticket_is_asked_on_its_own(
    cascade: Cascade, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    route = cascade.route

    def count(tickets: Any) -> Any:
        sizes.append(len(tickets))
        return route(tickets)

    monkeypatch.setattr(cascade, "route", count)
    evaluate(cascade, TEXTS, TARGETS)
    assert sizes == [1] * len(TEXTS)


def test_the_table_shows_every_figure(cascade: Cascade) -> None:
    figures = evaluate(cascade, TEXTS, TARGETS)
    text = "\n".join(table(figures))
    for name in ("linear alone", "encoder alone", "joined, no gates", "**cascade**", "urgency"):
        assert f"| {name}" in text
    assert f"{figures['cascade']['macro_f1']:.4f}" in text
    widths = [line.count("|") for line in table(figures) if line.startswith("| ")]
    assert widths[:5] == [7] * 5, "every row of the first table has all of its cells"


def test_the_card_tells_what_the_bundle_is(cascade: Cascade) -> None:
    manifest = Manifest(
        name="it",
        created="2026-01-01",
        heads=cascade.heads,
        stages=("linear", "encoder"),
        columns=Columns(("text",), "queue"),
        clean_version=1,
        data={
            "file": "tickets.csv",
            "sha256": "0123456789abcdef" * 4,
            "rows": 1234,
            "train": 1000,
            "gate": 117,
            "test": 117,
            "split": "by time",
        },
        versions={"scikit-learn": "1.6"},
        seed=7,
        figures=evaluate(cascade, TEXTS, TARGETS),
    )
    card = model_card(manifest, {"linear": {"C": 3.0}})
    for part in (
        "# it",
        "3 queues: access, billing, bug",
        "`tickets.csv` (1,234 tickets",
        "seed 7",
        "Split by time: 1,000 train, 117 gate, 117 test",
        "| **cascade** |",
        "- linear: {'C': 3.0}",
        "- scikit-learn 1.6",
    ):
        assert part in card
