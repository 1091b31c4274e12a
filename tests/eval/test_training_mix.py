"""Teaching the encoder with other mixes: the same splits and minutes, compared ticket by ticket."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from cascade.bundle import Columns
from cascade.errors import CascadeError
from eval import training_mix
from eval.datasets import Files
from eval.training_mix import CHOICE, GATE, MIXES, TEST, TRAIN, Data, judge, learn, main, prepare
from train.recipe import Recipe
from train.starter import write

Folder = Callable[[str], Path]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    path = tmp_path_factory.mktemp("mix") / "tickets.csv"
    write(path, 600, seed=7)
    return Files(path, Columns(("subject",), "queue"))


@pytest.fixture(scope="module")
def data(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Data:
    return prepare(files, tmp_path_factory.mktemp("work"), quiet=True)


def test_the_splits_share_no_ticket(files: Files, data: Data) -> None:
    assert list(data.texts) == [TRAIN, GATE, CHOICE, TEST]
    # Shorter ones can be equal once they are cleaned.
    texts = [{text for text in its if len(text.split()) > 4} for its in data.texts.values()]
    assert len(set().union(*texts)) == sum(map(len, texts))
    assert len(data.texts[CHOICE]) == pytest.approx(len(data.texts[GATE]), rel=0.2)
    for name, y in data.y.items():
        assert data.linear[name].shape == (len(y), len(data.queues))


def test_what_the_linear_stage_says_is_fitted_once(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(files, tmp_path, quiet=True)
    monkeypatch.setattr(training_mix, "fit_linear", None)
    again = prepare(files, tmp_path, quiet=True)
    for name, said in first.linear.items():
        assert np.array_equal(said, again.linear[name])


def test_what_was_learned_is_kept_and_not_learned_again(
    data: Data, tmp_path: Path, encoder_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, encoder = tmp_path / "mix.npz", str(encoder_folder("bert"))
    said = learn(data, Recipe(0.01), kept, encoder=encoder, quiet=True)
    assert {GATE, CHOICE, TEST, "passes"} == set(said)
    assert said[CHOICE].sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert [file.name for file in tmp_path.iterdir()] == ["mix.npz"], "the checkpoint is gone"
    monkeypatch.setattr(training_mix, "fit_encoder", None)
    again = learn(data, Recipe(0.01), kept, encoder=encoder, quiet=True)
    assert np.array_equal(again[TEST], said[TEST])


def knowing(data: Data, share: float) -> dict[str, Any]:
    """What an encoder says that is right in such a share of the tickets, and sure of all."""
    said = {}
    for name in (GATE, CHOICE):
        y = data.y[name]
        wrong = np.random.default_rng(len(y)).random(len(y)) >= share
        guess = np.where(wrong, (y + 1) % len(data.queues), y)
        said[name] = np.full((len(y), len(data.queues)), 0.01, dtype=np.float32)
        said[name][np.arange(len(y)), guess] = 0.9
    return said


def test_the_better_encoder_gains_on_the_tickets_that_reach_it(data: Data) -> None:
    good, poor = knowing(data, 0.97), knowing(data, 0.5)
    its = judge(data, good, poor, CHOICE)
    assert its["against_mix"]["drop"] < 0, "it loses less than nothing"
    assert its["cascade"]["macro_f1"] > 0.8
    assert its["unsure"]["tickets"] == (~data.easy(CHOICE)).sum()
    assert its["unsure"]["encoder"] > its["unsure"]["linear"]
    assert 0 < its["reached"]["tickets"] <= len(data.y[CHOICE])
    same = judge(data, good, good, CHOICE)
    assert same["against_mix"] == {"drop": 0.0, "drop_95": [0.0, 0.0]}


def test_the_results_are_written_mix_by_mix(
    files: Files, tmp_path: Path, encoder_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_mix, "RESULTS", tmp_path)
    monkeypatch.setitem(training_mix.DATASETS, "starter", lambda folder, work: files)
    encoder = str(encoder_folder("bert"))
    bert = training_mix.pretrained

    def tiny(source: str | None) -> Any:
        return bert(encoder)

    monkeypatch.setattr(training_mix, "pretrained", tiny)
    arguments = ["starter", "--data", str(tmp_path), "--work", str(tmp_path / "work"), "--quiet"]
    arguments += ["--minutes", "0.01", "--test"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "training_mix.json").read_text())
    assert found["command"] == "python -m eval.training_mix starter --minutes 0.01 --seeds 1 --test"
    assert [row["mix"] for row in found["rows"]] == list(MIXES)
    passes = {row["mix"]: row["tickets_a_pass"] for row in found["rows"]}
    assert passes["unsure"] <= passes["mix"] <= passes["all"] == found["tickets"][TRAIN]
    assert {CHOICE, TEST} < set(found["rows"][0])

    def lost(*given: object, **named: object) -> None:
        raise CascadeError("no encoder today")

    monkeypatch.setattr(training_mix, "learn", lost)
    before = (tmp_path / "training_mix.json").read_text()
    assert CliRunner().invoke(main, arguments).exit_code != 0
    assert (tmp_path / "training_mix.json").read_text() == before
