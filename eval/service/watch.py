"""What a running service takes: memory, open files, its database."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.service.running import Running

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at a service.

    Attributes:
        at: seconds on a clock that never runs backwards.
        master_mib: memory of the master process (resident).
        workers_mib: of the workers together; what they share counts for each.
        files: that all of them have open, sockets too.
        database_mib: the database with its log.
    """

    at: float
    master_mib: float
    workers_mib: float
    files: int
    database_mib: float


def look(its: Running) -> Sight:
    """Look at a service (Linux)."""
    master = Path("/proc", str(its.pid))
    children = Path(master, "task", str(its.pid), "children").read_text().split()
    workers = [Path("/proc", child) for child in children]
    database = its.database.parent.glob(f"{its.database.name}*")
    return Sight(
        time.monotonic(),
        _resident(master),
        round(sum(map(_resident, workers)), 2),
        sum(len(list(Path(process, "fd").iterdir())) for process in [master, *workers]),
        round(sum(file.stat().st_size for file in database) / MIB, 2),
    )


def _resident(process: Path) -> float:
    lines = Path(process, "status").read_text().splitlines()
    line = next(its for its in lines if its.startswith("VmRSS:"))
    return round(int(line.split()[1]) / 1024, 2)


def slope(sights: Sequence[Sight]) -> float:
    """MiB an hour by which the processes grow: least squares over the later half.

    In the earlier half caches fill up, which ends.
    """
    later = sights[len(sights) // 2 :]
    hours = np.asarray([its.at for its in later]) / 3600
    memory = np.asarray([its.master_mib + its.workers_mib for its in later])
    hours -= hours.mean()
    spread = float((hours**2).sum())
    return round(float((hours * memory).sum()) / spread, 2) if spread else 0.0
