"""The figures of out-of-scope tickets: on a real bundle, with outsiders that are easily told."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from cascade.errors import InputError
from cascade.router import Cascade
from eval.datasets import Files
from eval.scope import judge, lines, measure
from tests.conftest import STARTER_COLUMNS
from train.starter import write

STRANGE = [
    "zwiebelkuchen rezept backofen teig",
    "sonate klavier partitur fingersatz",
    "gletscher biwak steigeisen pickel",
    "aquarell pinsel leinwand firnis",
] * 5


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """60 test tickets, and 20 that have not a word in common with any."""
    folder = tmp_path_factory.mktemp("scope")
    write(folder / "test.csv", 60, seed=77)
    with (folder / "outside.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["subject", "body"])
        writer.writerows([text, ""] for text in [*STRANGE, "", "  "])
    columns = replace(STARTER_COLUMNS, also=(), id=None)
    outside = {"german": folder / "outside.csv"}
    return Files(folder / "train.csv", columns, folder / "test.csv", outside)


@pytest.fixture(scope="module")
def cascade(linear_bundle: Path) -> Cascade:
    return Cascade.load(linear_bundle)


def test_tickets_without_a_known_word_are_told_apart(cascade: Cascade, files: Files) -> None:
    figures = measure(cascade, files)
    row = figures["outside"]["german"]
    assert (figures["tickets"], row["tickets"]) == (60, 20), "empty texts are no tickets"
    linear = row["stages"]["linear"]
    assert linear["auroc"] > 0.95
    assert linear["auroc"] > linear["confidence_auroc"]
    assert linear["found_at_95_kept"] > 0.9
    assert 0 <= linear["found"] <= 1
    assert linear["kept"] > 0.8


def test_what_the_cascade_does_agrees_with_what_its_only_judge_says(
    cascade: Cascade, files: Files
) -> None:
    row = measure(cascade, files)["outside"]["german"]
    assert row["cascade"]["found"] == row["stages"]["linear"]["found"]
    assert row["cascade"]["acted_on"] <= 1 - row["cascade"]["found"]


def test_the_figures_read_as_lines(cascade: Cascade, files: Files) -> None:
    head, kind, stage, whole = lines("starter", measure(cascade, files))
    assert head.startswith("== starter: of 60 tickets")
    assert kind == "  german, 20 tickets of no queue"
    assert stage.strip().startswith("linear   AUROC 0.9") or "AUROC 1.0" in stage
    assert whole.strip().startswith("cascade")


def test_each_judge_is_asked_about_all_tickets(cascade: Cascade) -> None:
    judged = judge(cascade, ["vpn fails", *STRANGE])
    assert list(judged) == ["linear"]
    assert judged["linear"].score.shape == judged["linear"].outside.shape == (21,)


def test_a_data_set_without_outside_tickets(cascade: Cascade, files: Files) -> None:
    with pytest.raises(InputError, match="a data set without outside tickets"):
        measure(cascade, replace(files, outside={}))


def test_a_bundle_that_cannot_tell(cascade: Cascade, files: Files) -> None:
    blind = Cascade(cascade.stages, cascade.gates, cascade.heads)
    with pytest.raises(InputError, match="the bundle has no scope"):
        measure(blind, files)
