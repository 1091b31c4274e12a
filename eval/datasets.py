"""The public data sets that the figures are measured on, as files that `cascade train` reads."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cascade.bundle import Columns
from cascade.errors import InputError

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Files:
    """A training file, its columns, and a test file where the data set has an official split."""

    train: Path
    columns: Columns
    test: Path | None = None


def data_folder(named: Path | None) -> Path:
    """The folder of data sets: the one named, else CASCADE_DATA, else ../shared/data.

    Raises:
        InputError: it does not exist.
    """
    folder = named or Path(os.environ.get("CASCADE_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        raise InputError(f"{folder}: no folder of data sets; set CASCADE_DATA or pass --data")
    return folder


def _it_service_topics(data: Path, work: Path) -> Files:
    file = data / "it_service_topics" / "it_service_topics.csv.gz"
    return Files(file, Columns(text=("text",), label="label", id="id"))


def _banking77(data: Path, work: Path) -> Files:
    """The official split, as two files."""
    source = data / "banking77" / "banking77.csv.gz"
    return Files(
        _part(source, "train", work / "banking77_train.csv.gz"),
        Columns(text=("text",), label="label", id="id"),
        _part(source, "test", work / "banking77_test.csv.gz"),
    )


def _nlbse2024(data: Path, work: Path) -> Files:
    """The official split; long issues with logs, 1,500 to train on."""
    source = data / "nlbse2024_issues" / "nlbse2024_issues.csv.gz"
    return Files(
        _part(source, "train", work / "nlbse2024_train.csv.gz"),
        Columns(text=("title", "body"), label="label", id="id"),
        _part(source, "test", work / "nlbse2024_test.csv.gz"),
    )


def _starter(data: Path, work: Path) -> Files:
    """Generated tickets: for times on long texts, never to claim quality."""
    from train.starter import write

    file = work / "starter.csv.gz"
    if not file.is_file():
        write(file, 20_000, seed=1)
    columns = Columns(
        text=("subject", "body"), label="queue", also=("urgency", "sentiment"), id="id"
    )
    return Files(file, columns)


DATASETS: dict[str, Callable[[Path, Path], Files]] = {
    "it_service_topics": _it_service_topics,
    "banking77": _banking77,
    "nlbse2024": _nlbse2024,
    "starter": _starter,
}
"""Each takes the folder of data sets and a folder to write to."""


def _part(source: Path, split: str, target: Path) -> Path:
    """The rows of one official split, as a file of its own."""
    if not source.is_file():
        raise InputError(f"{source}: no such file")
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        gzip.open(source, "rt", encoding="utf-8", newline="") as rows,
        gzip.open(target, "wt", encoding="utf-8", newline="") as out,
    ):
        csv.field_size_limit(2**24)
        reader = csv.DictReader(rows)
        writer = csv.DictWriter(out, reader.fieldnames or [])
        writer.writeheader()
        writer.writerows(row for row in reader if row["split"] == split)
    return target
