"""What a bundle's stages say of its own gate and test split, asked once and kept in a file.

The splits are made anew as in training and compared with what the bundle says of them, so that
nothing is measured on tickets that a stage was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cascade.bundle import Bundle
from cascade.errors import InputError
from cascade.loading import load_stages
from cascade.machine import cores
from cascade.stages.base import QUEUE, Adviser, Stage
from eval.datasets import Files
from train.fit import read_split
from train.options import Options
from train.read import Table, encode

TRUTH = "(truth)"
"""The array of true queues in the file, beside those of the stages."""


@dataclass(frozen=True, slots=True)
class Split:
    """One split of ``n`` tickets: true queues ``(n,)``, and each stage's ``(n, k)`` answers."""

    y: NDArray[np.int64]
    seen: dict[str, NDArray[np.float32]]

    def take(self, rows: NDArray[np.int64]) -> Split:
        """Some of the tickets, in that order; a row may come more than once."""
        return Split(self.y[rows], {name: array[rows] for name, array in self.seen.items()})

    def __add__(self, other: Split) -> Split:
        """The tickets of both."""
        both = {name: np.concatenate([its, other.seen[name]]) for name, its in self.seen.items()}
        return Split(np.concatenate([self.y, other.y]), both)


@dataclass(frozen=True, slots=True)
class Answers:
    """Of the two splits that no stage was trained on.

    Advisers are left out: their answers depend on the gates before them, and may cost seconds.
    """

    gate: Split
    test: Split

    @property
    def stages(self) -> list[str]:
        """Names of the stages that were asked, in order."""
        return list(self.gate.seen)


def answers(bundle: Bundle, files: Files, work: Path) -> Answers:
    """Ask the bundle's stages, or read what they said the last time.

    Args:
        files: those that the bundle was trained on.
        work: folder of the kept answers.

    Raises:
        InputError: the bundle was trained on other data, or on another split of it.
        BundleError: the bundle cannot be used.
    """
    file = work / f"{bundle.id}.npz"
    if not file.is_file():
        _keep(file, _ask(bundle, files))
    with np.load(file) as kept:
        return Answers(*(_split(kept, part) for part in ("gate", "test")))


def _ask(bundle: Bundle, files: Files) -> Answers:
    tables = _tables(bundle, files)
    stages = [s for s in load_stages(bundle, cores(), None) if not isinstance(s, Adviser)]
    return Answers(*(_said(stages, table, bundle) for table in tables))


def _tables(bundle: Bundle, files: Files) -> tuple[Table, Table]:
    """The tickets of the gate and of the test split."""
    options = Options(
        files.columns,
        test_file=files.test,
        min_rows=files.min_rows,
        seed=bundle.manifest.seed,
        quiet=True,
    )
    tickets, held, split = read_split(files.train, options, lambda line: None)
    test = held if held is not None else tickets.take(split.test)
    expected = {key: bundle.manifest.data.get(key) for key in ("sha256", "rows", "gate", "test")}
    found = {
        "sha256": tickets.fingerprint,
        "rows": len(tickets),
        "gate": len(split.gate),
        "test": len(test),
    }
    if found != expected:
        key = next(key for key in expected if found[key] != expected[key])
        raise InputError(
            f"{bundle.path}: was trained on other data than {files.train}: {key} is "
            f"{found[key]} there and {expected[key]} in {bundle.path / 'bundle.json'}"
        )
    return tickets.take(split.gate), test


def _said(stages: list[Stage], table: Table, bundle: Bundle) -> Split:
    y = encode(table, bundle.manifest.heads)[QUEUE]
    return Split(y, {stage.name: stage.predict(table.texts)[QUEUE] for stage in stages})


def _keep(file: Path, said: Answers) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[np.generic]] = {}
    for part, split in (("gate", said.gate), ("test", said.test)):
        arrays |= {f"{part} {TRUTH}": split.y}
        arrays |= {f"{part} {name}": array for name, array in split.seen.items()}
    # Renamed once it is whole: a half-written file would be taken for kept answers.
    half = file.with_suffix(".part.npz")
    np.savez_compressed(half, **arrays)  # type: ignore[arg-type]
    half.replace(file)


def _split(kept: np.lib.npyio.NpzFile, part: str) -> Split:
    names = [name.removeprefix(f"{part} ") for name in kept.files if name.startswith(f"{part} ")]
    arrays = {name: kept[f"{part} {name}"] for name in names}
    return Split(arrays.pop(TRUTH), arrays)
