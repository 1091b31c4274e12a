"""The public data sets that the figures are measured on, as files that `cascade train` reads."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cascade.bundle import Bundle, Columns
from cascade.errors import InputError
from train.read import MIN_ROWS

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "eval" / "results"
"""Where figures are kept beside the code."""
TEXT_AND_LABEL = Columns(text=("text",), label="label", id="id")


@dataclass(frozen=True, slots=True)
class Files:
    """A data set as files that `cascade train` reads.

    Attributes:
        train: past tickets of known queues.
        columns: of all the files.
        test: where the data set has an official split.
        outside: by kind, test tickets that belong to none of the queues.
        min_rows: fewest rows that a queue needs; less than usual where the set is tiny.
    """

    train: Path
    columns: Columns
    test: Path | None = None
    outside: Mapping[str, Path] = field(default_factory=dict)
    min_rows: int = MIN_ROWS


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
    return Files(data / "it_service_topics" / "it_service_topics.csv.gz", TEXT_AND_LABEL)


def _banking77(data: Path, work: Path) -> Files:
    """The official split, as two files."""
    part = partial(_part, data / "banking77" / "banking77.csv.gz")
    return Files(
        part(work / "banking77_train.csv.gz", split="train"),
        TEXT_AND_LABEL,
        part(work / "banking77_test.csv.gz", split="test"),
    )


def _banking77_oos(data: Path, work: Path) -> Files:
    """50 of the 77 intents are queues; the other 27, and other questions, belong to none."""
    part = partial(_part, data / "banking77" / "banking77_oos.csv.gz")
    return Files(
        part(work / "banking77_oos_train.csv.gz", split="train valid", kind="in_scope"),
        TEXT_AND_LABEL,
        part(work / "banking77_oos_test.csv.gz", split="test", kind="in_scope"),
        outside={
            kind: part(work / f"banking77_oos_{kind}.csv.gz", split="test", kind=kind)
            for kind in ("id_oos", "ood_oos")
        },
    )


def _clinc150_oos(data: Path, work: Path) -> Files:
    """The official test split; train and validation together, for the gate split is taken of them.

    The few out-of-scope rows for training are left out.
    """
    part = partial(_part, data / "clinc150_oos" / "clinc150_full.csv.gz")
    return Files(
        part(work / "clinc150_oos_train.csv.gz", split="train val"),
        TEXT_AND_LABEL,
        part(work / "clinc150_oos_test.csv.gz", split="test"),
        outside={"oos": part(work / "clinc150_oos_oos.csv.gz", split="oos_test")},
    )


def _hint3(bot: str, data: Path, work: Path) -> Files:
    """One of three live bots: a few hundred rows that its builders wrote, tested on its users."""
    part = partial(_part, data / "hint3_real_bots" / "hint3_v2.csv.gz", bot=bot)
    return Files(
        part(work / f"hint3_{bot}_train.csv.gz", split="train"),
        TEXT_AND_LABEL,
        part(work / f"hint3_{bot}_test.csv.gz", split="test", is_oos="0"),
        outside={"oos": part(work / f"hint3_{bot}_oos.csv.gz", split="test", is_oos="1")},
        min_rows=1,
    )


def _nlbse2024(data: Path, work: Path) -> Files:
    """The official split; long issues with logs, 1,500 to train on."""
    part = partial(_part, data / "nlbse2024_issues" / "nlbse2024_issues.csv.gz")
    return Files(
        part(work / "nlbse2024_train.csv.gz", split="train"),
        Columns(text=("title", "body"), label="label", id="id"),
        part(work / "nlbse2024_test.csv.gz", split="test"),
    )


def _airline_tweets(data: Path, work: Path) -> Files:
    """Short and noisy, by sentiment: three classes that overlap."""
    columns = Columns(text=("text",), label="airline_sentiment", id="id")
    return Files(data / "airline_tweets_sentiment" / "airline_tweets.csv.gz", columns)


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
    "banking77_oos": _banking77_oos,
    "clinc150_oos": _clinc150_oos,
    "hint3_sofmattress": partial(_hint3, "sofmattress"),
    "hint3_curekart": partial(_hint3, "curekart"),
    "hint3_powerplay11": partial(_hint3, "powerplay11"),
    "nlbse2024": _nlbse2024,
    "airline_tweets": _airline_tweets,
    "starter": _starter,
}
"""Each takes the folder of data sets and a folder to write to."""


def dataset_of(bundle: Bundle) -> str:
    """The data set that a bundle was trained on, by the name of its training file.

    Raises:
        InputError: it is none of them.
    """
    file = str(bundle.manifest.data.get("file"))
    name = file.removesuffix(".csv.gz").removesuffix("_train")
    if name not in DATASETS:
        raise InputError(
            f"{bundle.path}: trained on {file}, which is of none of {', '.join(DATASETS)}"
        )
    return name


def _part(source: Path, target: Path, **where: str) -> Path:
    """The rows whose columns hold what is asked (one of several words), as a file of their own."""
    if not source.is_file():
        raise InputError(f"{source}: no such file")
    target.parent.mkdir(parents=True, exist_ok=True)
    wanted = {column: values.split() for column, values in where.items()}
    with (
        gzip.open(source, "rt", encoding="utf-8", newline="") as rows,
        gzip.open(target, "wt", encoding="utf-8", newline="") as out,
    ):
        csv.field_size_limit(2**24)
        reader = csv.DictReader(rows)
        writer = csv.DictWriter(out, reader.fieldnames or [])
        writer.writeheader()
        writer.writerows(
            row for row in reader if all(row[column] in its for column, its in wanted.items())
        )
    return target
