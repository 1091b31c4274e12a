"""What more tickets and a second worker change, by the real ``cascade score``.

Files of more and more tickets are scored in a fresh process each: its CPU time should lie on a
line, and its memory should not grow. One worker and two score the same file in turns, which should
take half the time and give the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cascade.router import Cascade
from eval.bench.texts import repeated
from eval.child import call
from eval.latency import peak_mib

ROUNDS = 3
"""How often one worker and two take turns."""
MARGIN = 1.2
"""A size is left out where it would take longer than the time that is left by this factor."""
COLUMN = "text"


def growth(
    bundle: Path, texts: Sequence[str], sizes: Sequence[int], minutes: float
) -> dict[str, Any]:
    """What `cascade score` with one worker takes for files of so many tickets.

    Args:
        texts: raw, at least one; see `repeated`.
        sizes: rising.
        minutes: in all; sizes that would take longer, going by the ones before, are left out.

    Returns:
        ``rows``: see `scored`, with ``tickets``; ``left_out``: sizes; ``line``: see `line`; of the
        largest file ``settled``, the share of each stage, and the bytes a ticket that were ``read``
        and ``written``.

    Raises:
        CascadeError: scoring failed.
    """
    end = time.monotonic() + 60 * minutes
    rows: list[dict[str, Any]] = []
    told: dict[str, Any] = {"rows": rows, "left_out": []}
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "tickets.csv"), Path(folder, "decisions.csv")
        for size in sizes:
            each = rows[-1]["wall_s"] / rows[-1]["tickets"] if rows else 0.0
            if told["left_out"] or MARGIN * each * size > end - time.monotonic():
                told["left_out"].append(size)
                continue
            write(source, islice(repeated(texts), size))
            rows.append({"tickets": size} | _scored(bundle, source, out, 1))
            told["read"], told["written"] = (file.stat().st_size // size for file in (source, out))
            told["settled"] = settled(out)
    return told | {"line": line([(row["tickets"], row["cpu_s"]) for row in rows])}


def write(file: Path, texts: Iterable[str]) -> None:
    """A table with one column, `COLUMN`."""
    with file.open("w", newline="", encoding="utf-8") as handle:
        rows = csv.writer(handle)
        rows.writerow([COLUMN])
        rows.writerows([text] for text in texts)


def _scored(bundle: Path, source: Path, out: Path, workers: int) -> dict[str, float]:
    told: dict[str, float] = call(
        scored, bundle=str(bundle), source=str(source), out=str(out), workers=workers
    )
    return told


def scored(bundle: str, source: str, out: str, workers: int) -> dict[str, float]:
    """For a fresh process: score a file as the command does.

    Returns:
        ``cpu_s`` of this process from its start, loading and all, without workers of its own;
        ``wall_s`` of the command; ``mib``: most memory that the process held.
    """
    from cascade.cli import door

    words = ["score", source, out, "--bundle", bundle, "--text", COLUMN, "--fresh", "--quiet"]
    began = time.perf_counter()
    door.main([*words, "--workers", str(workers)], standalone_mode=False)
    wall = time.perf_counter() - began
    return {
        "cpu_s": round(time.process_time(), 3),
        "wall_s": round(wall, 3),
        "mib": round(peak_mib(), 1),
    }


def settled(decisions: Path) -> dict[str, float]:
    """The share of each stage in a file of decisions."""
    with decisions.open(newline="", encoding="utf-8") as handle:
        found = Counter(row["stage"] for row in csv.DictReader(handle))
    return {stage: round(count / found.total(), 4) for stage, count in found.most_common()}


def line(points: Sequence[tuple[float, float]]) -> dict[str, float]:
    """The line through ``(tickets, seconds)``, all of which count with their relative error.

    Otherwise the largest file would decide alone where the line begins.

    Returns:
        ``fixed_s``: seconds for no tickets; ``ms``: a ticket's milliseconds; ``r2``: share of the
        variance that the line explains; ``worst``: largest relative distance of a point from it.
    """
    tickets, seconds = (np.asarray(column, dtype=float) for column in zip(*points, strict=True))
    if len(points) == 1:
        return {"fixed_s": 0.0, "ms": 1000 * points[0][1] / points[0][0], "r2": 1.0, "worst": 0.0}
    slope, fixed = np.polyfit(tickets, seconds, 1, w=1 / seconds)
    off = seconds - (fixed + slope * tickets)
    return {
        "fixed_s": round(float(fixed), 3),
        "ms": round(1000 * float(slope), 5),
        "r2": round(1 - float((off**2).sum() / ((seconds - seconds.mean()) ** 2).sum()), 5),
        "worst": round(float(np.abs(off / seconds).max()), 4),
    }


def first_stage_settles(bundle: str, texts: list[str]) -> list[int]:
    """For a fresh process: numbers of the tickets that go no further than the first stage."""
    cascade = Cascade.load(bundle, threads=1)
    # With no time at all no other stage is asked.
    decisions = cascade.route(texts, deadline_ms=0)
    return [at for at, its in enumerate(decisions) if its.stage == cascade.stage_names[0]]


def turns(bundle: Path, texts: Sequence[str], count: int) -> dict[str, Any]:
    """One worker and two in turns, on the same file.

    Returns:
        ``tickets``; ``wall_s``: by number of workers those of all rounds; ``ratio`` of their
        medians; ``same``: whether all wrote the same bytes.

    Raises:
        CascadeError: scoring failed.
    """
    wall: dict[str, list[float]] = {"1": [], "2": []}
    written = set()
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "tickets.csv"), Path(folder, "decisions.csv")
        write(source, islice(repeated(texts), count))
        for _ in range(ROUNDS):
            for number, its in wall.items():
                its.append(_scored(bundle, source, out, int(number))["wall_s"])
                written.add(hashlib.sha256(out.read_bytes()).hexdigest())
    one, two = (statistics.median(its) for its in wall.values())
    return {
        "tickets": count,
        "wall_s": wall,
        "ratio": round(one / two, 3),
        "same": len(written) == 1,
    }
