"""The machine at hand."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from pathlib import Path

LIBRARIES = (
    "ticket-cascade",
    "numpy",
    "onnxruntime",
    "tokenizers",
    "bm25s",
    "scikit-learn",
    "torch",
    "transformers",
)


def cores() -> int:
    """Cores that this process may use, which in a container can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Of the project and of the libraries that its answers and times depend on, where installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def peak_mib() -> float:
    """Most memory that this process ever held (resident set), in MiB.

    Linux tells it for the program that runs, ``VmHWM``. ``ru_maxrss`` there is never less than
    what the process that started this one held, so it is asked only on other systems.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)
