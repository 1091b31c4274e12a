"""The command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cascade.errors import BundleError, InputError
from eval.bench.cli import bench


def test_it_prints_a_table_and_writes_figures(linear_bundle: Path, tmp_path: Path) -> None:
    tickets, keep = tmp_path / "few.csv", tmp_path / "bench.json"
    tickets.write_text("subject,body\n" + "vpn,it is down again\n" * 9)
    words = [str(linear_bundle), "--tickets", str(tickets), "--seconds", "1", "--json", str(keep)]
    result = CliRunner().invoke(bench, [*words, "--quiet"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "tickets a second" in result.output and max(map(len, result.output.split("\n"))) <= 100
    kept = json.loads(keep.read_text())
    assert kept["tickets"] == "few.csv" and kept["machine"]["cores"] >= 1
    assert kept["command"].startswith("cascade bench") and "--json" not in kept["command"]
    assert {row["stage"] for row in kept["rows"]} == {"clean", "linear", "route"}


def test_errors_come_before_anything_is_measured(linear_bundle: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    with pytest.raises(BundleError, match="not a bundle"):
        run(bench, [str(tmp_path / "none")], catch_exceptions=False)
    gone = tmp_path / "gone.csv"
    nowhere = tmp_path / "no" / "bench.json"
    with pytest.raises(InputError, match=r"bench\.json: there is no folder"):
        run(bench, [str(linear_bundle), "--json", str(nowhere)], catch_exceptions=False)
    with pytest.raises(InputError, match=r"gone\.csv: no such file"):
        run(
            bench,
            [str(linear_bundle), "--tickets", str(gone)],
            catch_exceptions=False,
        )


def test_ctrl_c_ends_it_with_a_word(linear_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*given: object, **how: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("eval.bench.run.bench", interrupted)
    result = CliRunner().invoke(bench, [str(linear_bundle)])
    assert result.exit_code == 130 and "stopped" in result.output
