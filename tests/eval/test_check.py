"""A fresh run is held against the one that was kept; only a real loss fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eval.check import losses, main


def record(cpu: str = "x", **cascade: Any) -> dict[str, Any]:
    row = {"name": "cascade", "kind": "cascade", "macro_f1": 0.9, "settled": 0.8, "cpu_ms": 2.0}
    return {"machine": {"cpu": cpu}, "rows": [row | cascade]}


def test_chance_is_no_loss() -> None:
    fresh = record(macro_f1=0.892, settled=0.72, cpu_ms=2.9)
    assert list(losses(fresh, record())) == []


@pytest.mark.parametrize(
    ("changed", "word"),
    [({"macro_f1": 0.88}, "macro-F1"), ({"settled": 0.6}, "settles"), ({"cpu_ms": 4.0}, "CPU")],
)
def test_a_real_loss_is_named(changed: dict[str, float], word: str) -> None:
    (line,) = losses(record(**changed), record())
    assert word in line and line.startswith("cascade")


def test_times_of_another_machine_are_not_compared() -> None:
    assert list(losses(record("y", cpu_ms=40.0), record())) == []


def test_a_broken_promise_a_changed_answer_and_a_missing_row_are_losses() -> None:
    fresh = record(name="another")
    fresh["promises"] = [{"what": "right", "promised": 0.95, "observed": 0.9, "kept": False}]
    fresh["stability"] = {"approaches": {"cascade": {"queue_changed": 0.002}}}
    assert [line.split(":")[0] for line in losses(fresh, record())] == [
        "cascade",
        "promise",
        "stability",
    ]


def test_the_command_exits_with_1_on_a_loss_and_names_a_file_that_is_no_report(
    tmp_path: Path,
) -> None:
    kept, fresh, other = (tmp_path / name for name in ("kept.json", "fresh.json", "other.json"))
    kept.write_text(json.dumps(record()))
    fresh.write_text(json.dumps(record(macro_f1=0.5)))
    other.write_text("[]")
    run = CliRunner().invoke(main, [str(kept), str(kept)])
    assert run.exit_code == 0 and "nothing is worse" in run.output
    run = CliRunner().invoke(main, [str(fresh), str(kept)])
    assert run.exit_code == 1 and "worse: cascade: macro-F1 0.5000" in run.output
    run = CliRunner().invoke(main, [str(other), str(kept)])
    assert run.exit_code == 1 and "not a report.json" in run.output


def test_runs_on_other_tickets_are_not_compared(tmp_path: Path) -> None:
    for name in ("kept", "fresh"):
        data = {"trained_on": {"sha256": name}}
        plain = {**record(), "data": data, "command": "cascade study banking77 --minutes 30"}
        (tmp_path / name).write_text(json.dumps(plain))
    run = CliRunner().invoke(main, [str(tmp_path / "fresh"), str(tmp_path / "kept")])
    assert run.exit_code == 1
    assert "other tickets" in run.output and "cascade study banking77 --minutes 30" in run.output
