"""The public data sets, as files that `cascade train` reads."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from cascade.bundle import Bundle
from cascade.errors import InputError
from eval.datasets import DATASETS, dataset_of

ROWS = {
    "banking77": (10_003, 3_080, {}),
    "banking77_oos": (7_411, 2_000, {"id_oos": 1_080, "ood_oos": 1_000}),
    "clinc150_oos": (18_000, 4_500, {"oos": 1_000}),
    "hint3_sofmattress": (328, 253, {"oos": 144}),
    "hint3_curekart": (599, 459, {"oos": 532}),
    "hint3_powerplay11": (471, 309, {"oos": 674}),
    "nlbse2024": (1_500, 1_500, {}),
}


def labels(file: Path) -> list[str]:
    csv.field_size_limit(2**24)
    with gzip.open(file, "rt", encoding="utf-8", newline="") as rows:
        return [row["label"] for row in csv.DictReader(rows)]


@pytest.mark.parametrize("name", ROWS)
def test_official_splits_are_kept_apart(name: str, data: Path, tmp_path: Path) -> None:
    files = DATASETS[name](data, tmp_path)
    assert files.test is not None
    outside = {kind: len(labels(file)) for kind, file in files.outside.items()}
    assert (len(labels(files.train)), len(labels(files.test)), outside) == ROWS[name]


@pytest.mark.parametrize("name", ROWS)
def test_each_queue_that_is_tested_is_trained(name: str, data: Path, tmp_path: Path) -> None:
    files = DATASETS[name](data, tmp_path)
    queues = set(labels(files.train))
    assert files.test is not None and set(labels(files.test)) <= queues
    for file in files.outside.values():
        assert not set(labels(file)) & queues


@pytest.mark.parametrize("name", [*ROWS, "it_service_topics"])
def test_a_bundle_tells_what_it_was_trained_on(name: str, data: Path, tmp_path: Path) -> None:
    file = DATASETS[name](data, tmp_path).train.name
    bundle = SimpleNamespace(path=tmp_path, manifest=SimpleNamespace(data={"file": file}))
    assert dataset_of(cast(Bundle, bundle)) == name


def test_a_missing_data_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"banking77\.csv\.gz: no such file"):
        DATASETS["banking77"](tmp_path, tmp_path)
