"""The machine at hand."""

from __future__ import annotations

import importlib.metadata
import os

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
