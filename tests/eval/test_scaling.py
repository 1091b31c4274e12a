"""``python -m eval.scaling``, as it is typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_keeps_both_lines_and_the_turns(linear_bundle: Path, tmp_path: Path) -> None:
    tickets, keep = tmp_path / "few.csv", tmp_path / "scaling.json"
    tickets.write_text("subject,body\n" + "vpn,it is down again\nmouse,broken\n" * 9)
    line = [sys.executable, "-m", "eval.scaling", str(linear_bundle), "--tickets", str(tickets)]
    done = subprocess.run(
        [*line, "--minutes", "0.001", "--rows", "30", "--keep", str(keep)],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kept = json.loads(keep.read_text())
    assert kept["command"].startswith("python -m eval.scaling ")
    assert kept["tickets"] == "few.csv" and kept["workers"]["same"]
    for name in ("all", "first_stage"):
        assert [row["tickets"] for row in kept[name]["rows"]] == [1000]
        assert kept[name]["left_out"][-1] == 1_000_000
