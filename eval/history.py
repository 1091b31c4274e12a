"""What a long history of tickets takes to learn from, in minutes and memory:

    python -m eval.history --rows 420000 --minutes 60

Generated tickets (`train.starter`: 10 to 900 words, about 120 in the median; queue, urgency and
sentiment) are written to a file, and the command ``cascade train`` learns from it in a process of
its own. What each part took is what training tells; the memory is watched from outside as well.
The macro-F1 of generated tickets says nothing about real ones. Each run is added to those in
eval/results/history.json, in place of the last one of so many tickets and minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from cascade.bundle import Bundle
from cascade.errors import CascadeError
from eval.child import ROOT
from eval.datasets import RESULTS
from eval.latency import machine
from train.starter import write
from train.took import FINE_TUNING

LOOK = 1.0
"""Seconds between two looks at the memory."""
COLUMNS = ("--text", "subject", "--text", "body", "--label", "queue")
ALSO = ("--also", "urgency", "--also", "sentiment")


def learn(file: Path, out: Path, minutes: float) -> tuple[list[float], float]:
    """Run ``cascade train`` in a process of its own, and look at its memory now and then (Linux).

    Returns:
        Resident MiB at each look, and the minutes that the process ran.

    Raises:
        CascadeError: training failed; it has said why.
    """
    words = ["train", str(file), *COLUMNS, *ALSO, "--minutes", f"{minutes:g}", "--out", str(out)]
    environ = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    }
    began = time.monotonic()
    seen = []
    line = [sys.executable, "-P", "-c", "from cascade.cli import main; main()", *words, "--quiet"]
    with subprocess.Popen(line, env=environ) as process:  # noqa: S603  (our own command)
        status = Path("/proc", str(process.pid), "status")
        while process.poll() is None:
            seen += _resident(status)
            time.sleep(LOOK)
    if process.returncode:
        raise CascadeError(f"cascade train ended with code {process.returncode}")
    return seen, (time.monotonic() - began) / 60


def _resident(status: Path) -> list[float]:
    """MiB; none once the process has ended."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return []
    return [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")]


def measure(rows: int, minutes: float, work: Path, seed: int = 0) -> dict[str, Any]:
    """Write so many tickets, learn from them, and tell what it took.

    Returns:
        ``rows``, ``file_mib``; ``minutes``: asked for fine-tuning; ``parts``: by part its
        ``minutes``, ``cpu_minutes`` and ``memory_mib``, the most that was held by its end;
        ``in_all``: minutes of the whole command; ``beside_cpu``: CPU minutes of all parts but
        fine-tuning; ``memory_mib``: the most that was seen from inside and outside;
        ``kib_a_ticket``: of these; ``cascade``: its held-out figures.
    """
    file = work / f"tickets-{rows}-{seed}.csv.gz"
    if not file.is_file():
        write(file, rows, seed)
    out = work / f"bundle-{rows}"
    seen, in_all = learn(file, out, minutes)
    figures = Bundle.open(out).manifest.figures
    parts = figures["training"]
    beside = sum(part["cpu_minutes"] for name, part in parts.items() if name != FINE_TUNING)
    most = max([*seen, *(part["memory_mib"] for part in parts.values())])
    return {
        "rows": rows,
        "file_mib": round(file.stat().st_size / 2**20, 1),
        "minutes": minutes,
        "parts": parts,
        "in_all": round(in_all, 1),
        "beside_cpu": round(beside, 1),
        "memory_mib": round(most),
        "kib_a_ticket": round(most * 1024 / rows, 1),
        "cascade": {key: figures["cascade"][key] for key in ("macro_f1", "accuracy", "reached")},
    }


def keep(run: dict[str, Any], target: Path) -> None:
    """Add a run to those that are kept, the fewest tickets first."""
    kept = json.loads(target.read_text(encoding="utf-8"))["runs"] if target.is_file() else []
    same = (run["rows"], run["minutes"])
    runs = [its for its in kept if (its["rows"], its["minutes"]) != same]
    runs = sorted([*runs, run], key=lambda its: (its["rows"], its["minutes"]))
    target.write_text(json.dumps({"runs": runs}, indent=2) + "\n", encoding="utf-8")


@click.command()
@click.option("--rows", default=420_000, show_default=True, type=click.IntRange(100))
@click.option("--minutes", default=60.0, show_default=True, type=click.FloatRange(0))
@click.option("--seed", default=0, show_default=True, help="Of the tickets.")
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=ROOT / "bundles" / "history",
    help="Folder of the tickets and the bundle.  [default: bundles/history]",
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=RESULTS / "history.json", show_default=True
)
def main(rows: int, minutes: float, seed: int, work: Path, out: Path) -> None:
    """Learn from generated tickets and tell what it took."""
    run = measure(rows, minutes, work, seed)
    command = f"python -m eval.history --rows {rows} --minutes {minutes:g}" + f" --seed {seed}" * (
        seed > 0
    )
    keep({"command": command, "machine": machine(), **run}, out)
    click.echo(
        f"{rows:,} tickets: {run['in_all']:g} minutes, {run['beside_cpu']:g} of CPU beside "
        f"fine-tuning, {run['memory_mib']:,} MiB at most; wrote {out}"
    )


if __name__ == "__main__":
    try:
        main()
    except CascadeError as error:
        raise SystemExit(f"eval.history: {error}") from None
