"""The commands: what they print, what they write, and what they say to bad input."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cascade.errors import CascadeError
from eval.cli import compare, evaluate
from train.starter import write


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("held") / "held.csv"
    write(path, 60, seed=79)
    return path


def call(command: object, *args: object) -> Result:
    return CliRunner().invoke(command, [str(arg) for arg in args], catch_exceptions=True)  # type: ignore[arg-type]


def test_eval_prints_the_table_and_writes_the_report(
    linear_bundle: Path, held: Path, tmp_path: Path
) -> None:
    ran = call(evaluate, linear_bundle, held, "--quick", "--quiet", "--report", tmp_path)
    assert ran.exit_code == 0, ran.output
    assert "linear alone" in ran.output and "Deploy" in ran.output
    assert f"wrote {tmp_path / 'report.html'}" in ran.output
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["command"] == f"cascade eval {linear_bundle} {held} --quick"
    assert re.fullmatch("[0-9a-f]{7,}", told["commit"])
    assert (tmp_path / "report.md").is_file()


def test_eval_answers_bad_input(linear_bundle: Path, held: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("subject,body,team\n" + "a,b,Sales\n" * 12)
    ran = call(evaluate, linear_bundle, other, "--quick", "--report", tmp_path)
    assert isinstance(ran.exception, CascadeError)
    assert "queue" in str(ran.exception) and "--label" in str(ran.exception)
    other.write_text("subject,body,team\n" + "a,b,Warehouse\n" * 12)
    ran = call(evaluate, linear_bundle, other, "--label", "team", "--quick")
    assert isinstance(ran.exception, CascadeError) and "'Warehouse' (12)" in str(ran.exception)
    ran = call(evaluate, tmp_path / "nothing", held)
    assert isinstance(ran.exception, CascadeError) and "nothing" in str(ran.exception)


def test_ten_rows_are_measured(linear_bundle: Path, tmp_path: Path) -> None:
    write(tmp_path / "ten.csv", 10, seed=3)
    ran = call(evaluate, linear_bundle, tmp_path / "ten.csv", "--quick", "--report", tmp_path)
    assert ran.exit_code == 0, ran.output
    assert "10 tickets are few" in ran.output


def test_compare_prints_lines_or_json(linear_bundle: Path, held: Path) -> None:
    ran = call(compare, linear_bundle, linear_bundle, held)
    assert ran.exit_code == 0, ran.output
    assert "No difference can be told" in ran.output
    plain = json.loads(call(compare, linear_bundle, linear_bundle, held, "--json").stdout)
    assert plain["tickets"] == 60
