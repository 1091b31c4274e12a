"""What a training learned from and was tested on is found again, raw."""

from __future__ import annotations

from pathlib import Path

import pytest

from cascade.bundle import Bundle, Columns
from cascade.errors import InputError
from cascade.stages.base import QUEUE
from eval.datasets import Files
from eval.splits import raw_splits, splits_of
from train.options import Options
from train.starter import write

COLUMNS = Columns(text=("subject", "body"), label="queue")
OPTIONS = Options(COLUMNS)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("splits") / "starter.csv"
    write(path, 200, seed=6)
    return path


def test_the_splits_are_those_of_the_training_and_share_no_ticket(
    linear_bundle: Path,
) -> None:
    bundle = Bundle.open(linear_bundle)
    its = bundle.manifest
    files = Files(linear_bundle.parent / str(its.data["file"]), its.columns)
    learned, test = splits_of(bundle, files, Options(its.columns, seed=its.seed))
    assert (len(learned), len(test)) == (its.data["train"], its.data["test"])
    assert not set(learned.lines) & set(test.lines)
    assert learned.queues == its.heads[QUEUE]


def test_a_bundle_of_other_data_is_named(linear_bundle: Path, file: Path) -> None:
    with pytest.raises(InputError, match=r"other data than .*starter\.csv"):
        splits_of(Bundle.open(linear_bundle), Files(file, COLUMNS), OPTIONS)


def test_who_has_no_gates_learns_from_the_gate_split_as_well(file: Path) -> None:
    learned, test, _ = raw_splits(Files(file, COLUMNS), OPTIONS)
    more, same, _ = raw_splits(Files(file, COLUMNS), OPTIONS, with_gate=True)
    assert same.lines == test.lines and set(learned.lines) < set(more.lines)
    assert len({*more.lines, *test.lines}) == 200, "all of the file"


def test_an_official_split_is_tested_on(file: Path, tmp_path: Path) -> None:
    write(tmp_path / "held.csv", 30, seed=8)
    files = Files(file, COLUMNS, tmp_path / "held.csv")
    learned, test, _ = raw_splits(files, OPTIONS, with_gate=True)
    assert (len(learned), len(test), test.name) == (200, 30, "held.csv")
