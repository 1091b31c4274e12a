"""What a bundle's stages say of their own gate and test split."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cascade.bundle import Bundle, Columns
from cascade.errors import InputError
from cascade.stages.base import QUEUE
from eval.answers import Split, answers
from eval.datasets import Files
from train.starter import write


@pytest.fixture
def bundle(linear_bundle: Path) -> Bundle:
    return Bundle.open(linear_bundle)


@pytest.fixture
def files(bundle: Bundle, tmp_path: Path) -> Files:
    """A copy of what the bundle was trained on."""
    copy = shutil.copy(bundle.path.parent / "few.csv", tmp_path)
    return Files(Path(copy), bundle.manifest.columns)


def test_of_both_splits_and_all_queues(bundle: Bundle, files: Files, tmp_path: Path) -> None:
    said = answers(bundle, files, tmp_path)
    queues, data = bundle.manifest.heads[QUEUE], bundle.manifest.data
    assert said.stages == ["linear"]
    for split, size in ((said.gate, data["gate"]), (said.test, data["test"])):
        assert split.y.shape == (size,) and split.seen["linear"].shape == (size, len(queues))
        assert np.allclose(split.seen["linear"].sum(axis=1), 1, atol=1e-5)


def test_the_test_split_is_the_one_that_training_tested_on(
    bundle: Bundle, files: Files, tmp_path: Path
) -> None:
    test = answers(bundle, files, tmp_path).test
    accuracy = (test.seen["linear"].argmax(axis=1) == test.y).mean()
    figures = bundle.manifest.figures["stages"]["linear"]
    assert accuracy == pytest.approx(figures["accuracy"], abs=1e-4)


def test_they_are_asked_once(bundle: Bundle, files: Files, tmp_path: Path) -> None:
    first = answers(bundle, files, tmp_path / "work")
    files.train.unlink()
    again = answers(bundle, files, tmp_path / "work")
    assert (again.gate.y == first.gate.y).all()
    assert (again.test.seen["linear"] == first.test.seen["linear"]).all()


def test_another_test_file_stands_for_the_test_split(
    bundle: Bundle, files: Files, tmp_path: Path
) -> None:
    with_test = replace(files, test=files.train)
    with pytest.raises(InputError, match=r"few\.csv: test is 300 there and 30 in"):
        answers(bundle, with_test, tmp_path)


def test_other_data_is_refused(bundle: Bundle, files: Files, tmp_path: Path) -> None:
    write(files.train, 300, seed=5)
    with pytest.raises(InputError, match=r"other data than .*few\.csv: sha256 is"):
        answers(bundle, files, tmp_path)


def test_other_columns_are_other_data(bundle: Bundle, files: Files, tmp_path: Path) -> None:
    subject = Columns(("subject",), "queue", also=("urgency", "sentiment"))
    with pytest.raises(InputError, match="other data"):
        answers(bundle, replace(files, columns=subject), tmp_path)


def test_splits_can_be_drawn_from_and_put_together() -> None:
    one = Split(np.asarray([0, 1]), {"a": np.asarray([[1, 0], [0.5, 0.5]], dtype=np.float32)})
    both = one + one.take(np.asarray([1, 1, 0]))
    assert both.y.tolist() == [0, 1, 1, 1, 0]
    assert both.seen["a"][:, 0].tolist() == [1, 0.5, 0.5, 0.5, 1]
