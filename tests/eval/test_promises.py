"""Trainings are repeated, and what each promised is held against its own test split."""

from __future__ import annotations

from pathlib import Path

import pytest

from cascade.bundle import Columns
from eval import promises
from eval.datasets import Files
from eval.promises import measure
from train.promise import Promise
from train.starter import write


def test_each_seed_is_a_training_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "starter.csv", 300, seed=2)
    columns = Columns(text=("subject", "body"), label="queue")
    files = Files(tmp_path / "starter.csv", columns)
    monkeypatch.setitem(promises.DATASETS, "few", lambda data, work: files)
    told = measure("few", tmp_path, 2, 0.0, Promise(0.6, 0.6))
    assert told["seeds"] == 2 and [run["seed"] for run in told["runs"]] == [0, 1]
    for run in told["runs"]:
        assert run["tickets"] == 30
        assert 0 < run["right"] <= run["settled"] <= run["tickets"]
        assert run["held"] == (run["precision"] >= 0.6)
    assert told["held"] >= told["seeds"] - told["refuted"] - 1
    first, second = told["runs"]
    assert (first["settled"], first["right"]) != (second["settled"], second["right"])
