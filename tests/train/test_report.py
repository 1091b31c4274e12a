"""The figures: computed as everybody else computes them, and consistent with the decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from cascade.bundle import Columns, Manifest
from cascade.router import Cascade
from train.report import evaluate, model_card, table

Build = Callable[..., Cascade]


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
