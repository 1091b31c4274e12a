"""The ways to compute the linear stage: one model, one answer; and what is told of their times."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cascade.stages.ngrams import WORD
from eval import linear_speed, linear_ways
from eval.datasets import Files
from eval.labelled import Labelled
from eval.linear_speed import FLOOR, SERVED, SKLEARN, measure, race, splits, table
from eval.linear_ways import Model
from tests.conftest import STARTER_COLUMNS
from train.linear import CHARACTERS, WORDS

BOTH = (WORDS, CHARACTERS)


@pytest.fixture(scope="module")
def tickets(starter_file: Path) -> tuple[Labelled, Labelled]:
    return splits(Files(starter_file, STARTER_COLUMNS), 300)


@pytest.fixture(scope="module")
def model(tickets: tuple[Labelled, Labelled]) -> Model:
    learned, _ = tickets
    return linear_ways.fit(learned.cleaned, learned.y, BOTH)


@pytest.fixture(scope="module")
def told(tickets: tuple[Labelled, Labelled]) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear_speed, "ROUNDS", 1)
        patch.setattr(linear_speed, "ALONE", 5)
        return measure(*tickets, BOTH)


def test_held_out_tickets_are_not_those_that_were_fitted(
    tickets: tuple[Labelled, Labelled],
) -> None:
    learned, held = tickets
    assert len(learned) == 300
    assert not set(learned.lines) & set(held.lines)


def test_ways_with_one_model_give_one_answer(
    model: Model, tickets: tuple[Labelled, Labelled]
) -> None:
    texts = tickets[1].cleaned
    expected = linear_speed.in_double(model, texts)
    for way in (
        linear_ways.served(model),
        linear_ways.one_by_one(model),
        linear_ways.looked_up(model, linear_ways.Sorted),
        linear_ways.looked_up(model, linear_ways.Dict),
        linear_ways.split_by(model, WORD.findall),
        linear_ways.served(linear_ways.pruned(model, 1.0)),
    ):
        assert np.abs(way(texts) - expected).max() < 1e-5


def test_pruning_keeps_the_ngrams_that_weigh_most(model: Model) -> None:
    less = linear_ways.pruned(model, 0.1)
    assert less.terms == round(0.1 * model.terms)
    assert np.ptp(less.coefficients, axis=1).mean() > 2 * np.ptp(model.coefficients, axis=1).mean()
    assert {its.ngrams for its in less.vectorizers} == set(BOTH)


@pytest.mark.parametrize(("kind", "most"), [("float32", 0), ("float16", 5e-3), ("int8", 5e-3)])
def test_narrower_weights_are_nearly_the_same(model: Model, kind: str, most: float) -> None:
    weights = linear_ways.rounded(model, kind).coefficients
    scale = np.abs(model.coefficients).max(axis=1, keepdims=True)
    assert (np.abs(weights - model.coefficients) <= most * scale + 1e-9).all()


def test_a_text_is_split_as_the_tokenizer_splits_it() -> None:
    content = """{"model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0, "vpn": 1}},
        "pre_tokenizer": {"type": "Whitespace"}}"""
    assert linear_ways.subwords(content)("vpn down vpn") == ["vpn", "?", "vpn"]


def test_who_works_longer_is_told_to_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(texts: Sequence[str], ms: float) -> None:
        end = time.process_time() + ms / 1000 * len(texts)
        while time.process_time() < end:
            pass

    monkeypatch.setattr(linear_speed, "ROUNDS", 2)
    rows = race(
        {FLOOR: lambda texts: busy(texts, 1), "other": lambda texts: busy(texts, 3)}, ["a"] * 5
    )
    assert rows["other"]["batch_floors"] == pytest.approx(3, rel=0.3)
    assert rows["other"]["alone_us"] >= 3000
    assert rows[FLOOR]["batch_floors"] == 1


def test_the_served_way_is_right_and_far_faster_than_scikit_learn(told: dict[str, Any]) -> None:
    rows = told["rows"]
    assert rows[SERVED]["differs"] < 1e-6
    assert rows[SERVED]["macro_f1"] == rows[SKLEARN]["macro_f1"]
    assert 3 * rows[SERVED]["alone_us"] < rows[SKLEARN]["alone_us"]


def test_the_table_has_a_line_for_each_way_and_fits_a_screen(told: dict[str, Any]) -> None:
    lines = table(told)
    assert len(lines) == 1 + len(told["rows"]) + len(told["gathers"]) + 1
    assert all(len(line) <= 100 for line in lines)
    assert any(
        SERVED in line and f"{told['rows'][SERVED]['macro_f1']:.4f}" in line for line in lines
    )
