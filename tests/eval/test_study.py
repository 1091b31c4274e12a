"""The whole study: from a file of tickets to a record, beside baselines and peers."""

from __future__ import annotations

import csv
import gzip
import json
import shlex
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner

from cascade.bundle import Bundle, Columns
from cascade.errors import CascadeError
from eval import study as module
from eval.baselines import BASELINES
from eval.cli import study as command
from eval.datasets import Files
from eval.judge import QUICK, How
from eval.report import write_report
from eval.report.record import Record
from eval.study import Plan, plain, study
from train.options import Options
from train.promise import Promise
from train.starter import write

COLUMNS = Columns(text=("subject", "body"), label="queue")
OPTIONS = Options(COLUMNS, minutes=0, promise=Promise(0.5, 0.6), quiet=True)
HOW = How(QUICK, quiet=True)


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A bundle of 500 starter tickets, and its record."""
    folder = tmp_path_factory.mktemp("study")
    write(folder / "starter.csv", 500, seed=6)
    some = {name: BASELINES[name] for name in ("majority class", "keyword rules")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BASELINES", some)
        files = Files(folder / "starter.csv", COLUMNS)
        record = study(files, folder / "bundle", OPTIONS, Plan(), HOW, lambda line: None)
    return folder, record


def test_baselines_stand_beside_the_cascade_on_tickets_that_trained_nothing(
    studied: tuple[Path, dict[str, Any]],
) -> None:
    _, record = studied
    rows = {row["name"]: row for row in record["rows"]}
    assert {"linear alone", "cascade", "majority class", "keyword rules"} <= set(rows)
    assert rows["cascade"]["macro_f1"] > rows["keyword rules"]["macro_f1"]
    assert rows["keyword rules"]["macro_f1"] > rows["majority class"]["macro_f1"]
    assert record["data"]["tickets"] == record["data"]["trained_on"]["test"]
    assert record["recommendation"][0].startswith("Deploy")
    assert {"plots", "rows"} <= set(record) and "plots" not in json.loads(plain(record))


def test_a_peer_is_measured_beside_the_cascade(studied: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = studied
    files = Files(folder / "starter.csv", COLUMNS)
    plan = Plan(baselines=False, peers=("sklearn",), reuse=True)
    record = study(files, folder / "bundle", OPTIONS, plan, HOW, lambda line: None)
    (peer,) = record["peers"]["peers"]
    page = write_report(cast(Record, record), folder / "report")
    assert "scikit-learn" in page.read_text(encoding="utf-8")
    assert peer["ours"]["macro_f1"] == pytest.approx(
        next(row["macro_f1"] for row in record["rows"] if row["name"] == "cascade"), abs=1e-4
    )
    assert peer["ratios"]["cpu_ms"] > 0


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    def call(*args: object) -> str:
        ran = CliRunner().invoke(command, [str(arg) for arg in args])
        assert isinstance(ran.exception, CascadeError)
        return str(ran.exception)

    assert "none of the sets" in call(tmp_path / "none.csv", "--text", "a", "--label", "b")
    write(tmp_path / "some.csv", 20)
    assert "--text and --label" in call(tmp_path / "some.csv")
    columns = ("--text", "body", "--label", "queue")
    assert "write precision>=0.95" in call(tmp_path / "some.csv", *columns, "--target", "best")


def test_the_command_promises_what_it_is_told_and_keeps_the_figures(tmp_path: Path) -> None:
    write(tmp_path / "some.csv", 200, seed=6)
    words = [
        *("--text", "subject", "--text", "body", "--label", "queue", "--date", "created"),
        *("--minutes", "0", "--target", "precision>=50%", "--confidence", "0.6"),
        *("--bundles", str(tmp_path / "bundles"), "--no-baselines", "--quick"),
    ]
    unheard = ("--keep", str(tmp_path / "kept.json"), "--report", str(tmp_path), "--quiet")
    ran = CliRunner().invoke(command, [str(tmp_path / "some.csv"), *words, *unheard])
    assert ran.exit_code == 0, ran.output
    bundle = Bundle.open(tmp_path / "bundles" / "some")
    kept = json.loads((tmp_path / "kept.json").read_text())
    assert kept["command"] == shlex.join(["cascade", "study", str(tmp_path / "some.csv"), *words])
    assert {its["promised"] for its in kept["promises"]} == {0.5}
    assert {its["confidence"] for its in kept["promises"]} == {0.6}
    assert bundle.manifest.data["split"].startswith("by time")


def test_bitext_is_a_smoke_test_template_text_is_easy(data: Path, tmp_path: Path) -> None:
    """A tenth of the set is enough: it proves no quality, but that the whole way works."""
    source = data / "bitext_customer_support_27k" / "bitext_27k.csv.gz"
    if not source.is_file():
        pytest.skip(f"no {source.name}")
    with gzip.open(source, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[::10]
    with (tmp_path / "bitext.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, ["instruction", "intent"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    columns = Columns(text=("instruction",), label="intent")
    options = Options(columns, minutes=0, promise=Promise(0.9, 0.6), quiet=True)
    files = Files(tmp_path / "bitext.csv", columns)
    plan = Plan(baselines=False)
    record = study(files, tmp_path / "bitext", options, plan, HOW, lambda line: None)
    (cascade,) = [row for row in record["rows"] if row["name"] == "cascade"]
    assert cascade["macro_f1"] > 0.95
