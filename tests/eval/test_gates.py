"""Promised against observed: what is fitted on what, and what is written down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from cascade.bundle import Bundle
from cascade.errors import InputError
from eval import gates
from eval.answers import Answers, Split
from eval.datasets import DATASETS, Files
from eval.gates import cut, draws, main, promised, refuted, summary, table
from train.promise import Promise

QUEUES = ("Access", "Billing", "Network")
SIZES = {"fitting": 400, "testing": 400}


def split(seed: int, n: int, truth: float = 0.95) -> Split:
    """Two stages that are the surer the oftener they are right; the second is the better one."""
    random = np.random.default_rng(seed)
    y = random.integers(0, len(QUEUES), n)
    seen = {}
    for name, noise in (("linear", 1.2), ("encoder", 0.8)):
        logits = 3.0 * np.eye(len(QUEUES))[y] * (random.random((n, 1)) < truth)
        logits = logits + random.normal(0, noise, logits.shape)
        seen[name] = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    return Split(y, seen)


@pytest.fixture(scope="module")
def said() -> Answers:
    return Answers(split(0, 2000), split(1, 3000))


def test_what_gates_are_fitted_on(said: Answers) -> None:
    drawn = draws(said, seed=0)
    assert drawn["whole"] == (said.gate, said.test)
    half, test = drawn["half"]
    assert len(half.y) == 1000 and test is said.test
    sample, population = drawn["drawn"]
    assert len(sample.y) == 2000 and len(population.y) == 5000


def test_each_seed_draws_anew_and_always_the_same(said: Answers) -> None:
    for way in ("half", "drawn"):
        one, again, other = (draws(said, seed)[way][0].y for seed in (0, 0, 1))
        assert (one == again).all() and (one != other).any()


def test_a_half_has_each_ticket_once(said: Answers) -> None:
    half, _ = draws(said, seed=3)["half"]
    rows = half.seen["linear"]
    assert len(np.unique(rows, axis=0)) == len(np.unique(said.gate.seen["linear"], axis=0)) // 2


def test_the_router_decides_on_tickets_that_fitted_nothing(said: Answers) -> None:
    run = promised(said.gate, said.test, QUEUES, Promise(0.95, 0.9), seed=0)
    assert run["settled"] == pytest.approx(run["coverage"] * 3000, abs=1)
    assert run["precision"] == pytest.approx(run["right"] / run["settled"], abs=1e-4)
    assert 0.3 < run["coverage"] <= 1 and run["precision"] > 0.93
    assert run["coverage"] == pytest.approx(run["expected"]["coverage"], abs=0.05)
    assert run["asked"]["linear"] == 1 and 0 < run["asked"]["encoder"] < 1


def test_what_cannot_be_promised_is_not_settled() -> None:
    few = split(2, 40)
    run = promised(few, split(3, 200), QUEUES, Promise(0.98, 0.9), seed=0)
    assert run["coverage"] == 0 and run["precision"] is None and not refuted(run, 0.98)
    assert 0 < run["macro_f1"] <= 1  # each ticket still has a best queue


def run(right: int, settled: int) -> dict[str, Any]:
    precision = right / settled if settled else None
    told = {"right": right, "settled": settled, "precision": precision, "macro_f1": 0.8}
    return {**told, "coverage": settled / 1000, "expected": {"tickets": SIZES, "coverage": 0.7}}


def test_a_summary_counts_what_was_kept() -> None:
    told = summary([run(960, 1000), run(475, 500), run(940, 1000), run(0, 0)], 0.95)
    assert (told["seeds"], told["kept"], told["settled_something"]) == (4, 3, 3)
    assert told["precision"] == [0.94, 0.95, 0.96]
    assert told["tickets"] == SIZES
    assert told["coverage"] == 0.625 and told["expected_coverage"] == 0.7


def test_where_nothing_is_settled_there_is_no_precision() -> None:
    told = summary([run(0, 0)], 0.95)
    assert told["precision"] is None and told["kept"] == 1


@pytest.mark.parametrize(("right", "gone"), [(960, False), (940, False), (930, True)])
def test_a_little_less_than_promised_may_be_chance(right: int, gone: bool) -> None:
    assert refuted(run(right, 1000), 0.95) is gone


@pytest.fixture
def few(linear_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The bundle's own data as a data set."""
    files = Files(linear_bundle.parent / "few.csv", Bundle.open(linear_bundle).manifest.columns)
    monkeypatch.setitem(DATASETS, "few.csv", lambda data, work: files)
    monkeypatch.setattr(gates, "WANTED", ("few.csv", "another"))
    return "few.csv"


def test_the_command(linear_bundle: Path, few: str, tmp_path: Path) -> None:
    work = tmp_path / "work"
    folders = ["--data", str(tmp_path), "--work", str(work), "--results", str(tmp_path)]
    done = CliRunner().invoke(main, [str(linear_bundle), *folders, "--seeds", "1", "--draws", "2"])
    assert done.exit_code == 0, done.output
    assert "no bundle was given for another" in done.output
    assert done.output.count(f"| {few} |") == 6 + 1
    plain = json.loads((tmp_path / "gates.json").read_text())
    assert plain["missing"] == ["another"]
    its = plain["results"][few]
    assert its["stages"] == ["linear"] and its["left_out"] == []
    assert [row["seeds"] for row in its["promises"]] == [1, 1, 2] * 2
    assert 0 <= its["calibration"]["linear"]["after"]["ece"] <= 1
    assert (tmp_path / f"gates_{few}.svg").stat().st_size > 5_000
    assert str(tmp_path) not in (tmp_path / "gates.json").read_text()
    whole = json.loads((work / "gates.json").read_text())
    assert [len(row["runs"]) for row in whole["results"][few]["promises"]] == [1, 1, 2] * 2
    assert cut(whole) == plain, "no single fits, but all else"
    assert table(plain["results"]) == table(whole["results"])


def test_a_data_set_is_measured_once(linear_bundle: Path, few: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [str(linear_bundle)] * 2 + ["--data", str(tmp_path)])
    assert isinstance(done.exception, InputError) and "same data set" in str(done.exception)


def test_a_bundle_of_other_data_is_named(linear_bundle: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [str(linear_bundle), "--data", str(tmp_path)])
    assert isinstance(done.exception, InputError)
    assert f"{linear_bundle}: trained on few.csv, which is of none of" in str(done.exception)
