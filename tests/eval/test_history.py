"""A long history, here a short one: the real command in its own process, its parts and memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cascade.errors import CascadeError
from eval.history import keep, learn, main, measure


def test_a_run_tells_the_parts_and_the_memory_of_the_command(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "history.json"
    options = ["--rows", "150", "--minutes", "0", "--work", str(tmp_path), "--out", str(out)]
    done = CliRunner().invoke(main, options)
    assert done.exit_code == 0, done.output
    assert "150 tickets: " in done.output
    (run,) = json.loads(out.read_text())["runs"]
    assert run["command"] == "python -m eval.history --rows 150 --minutes 0"
    assert {"reading and cleaning", "linear stage", "gates"} < set(run["parts"])
    inside = sum(part["minutes"] for part in run["parts"].values())
    assert 0 < inside <= run["in_all"] + 0.1, "the command also loads its libraries"
    cpu = sum(part["cpu_minutes"] for part in run["parts"].values())
    assert run["beside_cpu"] == pytest.approx(cpu, abs=0.1)
    assert run["memory_mib"] >= max(part["memory_mib"] for part in run["parts"].values()) - 1
    assert "wrote" in capfd.readouterr().out, "training speaks for itself"


def test_training_that_fails_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("subject,body,queue,urgency,sentiment\n")
    with pytest.raises(CascadeError, match="cascade train ended with code"):
        learn(tmp_path / "empty.csv", tmp_path / "out", 0)


def test_tickets_that_were_written_are_not_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> None:
        raise CascadeError("not learned")

    monkeypatch.setattr("eval.history.learn", fail)
    for _ in range(2):
        with pytest.raises(CascadeError, match="not learned"):
            measure(100, 0, tmp_path)
        monkeypatch.setattr("eval.history.write", None)


def test_a_run_takes_the_place_of_one_as_large(tmp_path: Path) -> None:
    out = tmp_path / "history.json"
    for rows, minutes, took in ((420, 5, 1.0), (50, 5, 1.0), (420, 5, 2.0), (420, 60, 3.0)):
        keep({"rows": rows, "minutes": minutes, "in_all": took}, out)
    runs = json.loads(out.read_text())["runs"]
    assert [(run["rows"], run["in_all"]) for run in runs] == [(50, 1.0), (420, 2.0), (420, 3.0)]
