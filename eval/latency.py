"""How long a ticket takes and what it takes: wall time, CPU time, memory; in-process.

Through HTTP: `eval.service`. Times mean nothing without the machine: see `machine`.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cascade.bundle import Bundle
from cascade.clean import clean
from cascade.errors import InputError
from cascade.llm.settings import LLMSettings
from cascade.loading import load_stages
from cascade.machine import cores, versions
from cascade.machine import peak_mib as peak_mib
from cascade.router import Cascade
from cascade.stages.base import QUEUE, Adviser
from eval.child import call
from train.measures import timed

WARM = 20
"""Tickets that are asked first and not counted."""
PERCENTS = (50, 95, 99)
THREADS = "OMP_NUM_THREADS"


def in_process(
    ask: Callable[[Sequence[str]], object], texts: Sequence[str], *, quiet: bool = True
) -> dict[str, Any]:
    """Times of ``n`` tickets, one by one and then all in one call.

    The first `WARM` tickets are asked before and not counted. CPU time is that of this process,
    all its threads, ONNX Runtime's too; what a language-model server takes is not in it.

    Args:
        ask: takes raw texts: ``approach.predict``, ``cascade.route``.
        texts: raw, as they come, as lengths differ and times with them; at least one.

    Returns:
        ``ms_p50``, ``ms_p95``, ``ms_p99``: wall milliseconds of a ticket alone; ``ms_percentiles``:
        the 101 percentiles from 0 to 100; ``cpu_ms``: CPU milliseconds a ticket, one by one;
        ``per_second``: tickets a second, all in one call; ``tickets``: n.
    """
    for text in texts[:WARM]:
        ask([text])
    cpu = time.process_time()
    _, ms = timed(
        lambda text: ask([text]), tqdm(texts, desc="timing", unit="ticket", disable=quiet)
    )
    cpu = time.process_time() - cpu
    began = time.perf_counter()
    ask(texts)
    together = time.perf_counter() - began
    return {
        "tickets": len(texts),
        **percentiles(ms),
        "ms_percentiles": np.percentile(ms, range(101)).round(2).tolist(),
        "cpu_ms": round(1000 * cpu / len(texts), 2),
        "per_second": round(len(texts) / together, 1),
    }


def percentiles(ms: NDArray[np.float64]) -> dict[str, float]:
    """``ms_p50``, ``ms_p95`` and ``ms_p99`` of ``(n,)`` milliseconds."""
    found = np.percentile(ms, PERCENTS)
    return {
        f"ms_p{percent}": round(float(at), 2) for percent, at in zip(PERCENTS, found, strict=True)
    }


def peak_memory(bundle: Path, texts: Sequence[str], stage: str | None = None) -> float:
    """Most MiB that a fresh process holds which loads a bundle and routes tickets one by one.

    Who answers in the llm stage is set by the environment, as for ``cascade serve``.

    Args:
        texts: raw.
        stage: load and ask this stage alone; None for the whole cascade.

    Raises:
        CascadeError: the bundle cannot be loaded, or has no such stage.
    """
    told = call(_peak, bundle=str(bundle.resolve()), texts=list(texts), stage=stage)
    return round(float(told), 1)


def _peak(bundle: str, texts: list[str], stage: str | None) -> float:
    with llm_anew() as llm:
        ask = _alone(Path(bundle), stage, llm) if stage else _routing(Path(bundle), llm)
        for text in texts:
            ask(text)
    return peak_mib()


@contextmanager
def llm_anew() -> Iterator[LLMSettings]:
    """Who answers in the llm stage by the environment's settings, with nothing stored so far.

    A server's stored answers would make it look fast, and those to other prompts stay untouched.
    """
    with tempfile.TemporaryDirectory() as folder:
        yield replace(LLMSettings.read(os.environ), store=Path(folder, "answers.sqlite"))


def _routing(bundle: Path, llm: LLMSettings) -> Callable[[str], object]:
    cascade = Cascade.load(bundle, threads=1, llm=llm.backend)
    return lambda text: cascade.route([text])


def _alone(bundle: Path, name: str, llm: LLMSettings) -> Callable[[str], object]:
    # Not verified as a whole: that would read the files of all other stages into memory.
    opened = Bundle.open(bundle)
    if name not in opened.manifest.stages:
        has = ", ".join(opened.manifest.stages)
        raise InputError(f"{bundle}: there is no stage {name!r}; it has {has}")
    opened.manifest = replace(opened.manifest, stages=(name,))
    (stage,) = load_stages(opened, threads=1, llm=llm.backend)
    if not isinstance(stage, Adviser):
        return lambda text: stage.predict([clean(text)])
    queues = len(opened.manifest.heads[QUEUE])
    even = np.full((1, queues), 1 / queues, dtype=np.float32)
    return lambda text: stage.advise([clean(text)], even, None)


def machine() -> dict[str, Any]:
    """The machine at hand, to stand beside times.

    Returns:
        ``cpu`` (its model's name), ``cores`` that this process may use, ``memory_gib`` (of the
        machine, or what a container may have of it), ``load`` (processes that want to run, mean of
        the last minute: much more than 0 before a run, and times are too long), ``threads`` (what
        the variable OMP_NUM_THREADS says, None if nothing), ``system``, ``python`` and
        ``versions`` of libraries.
    """
    return {
        "cpu": _cpu(),
        "cores": cores(),
        "memory_gib": round(_memory() / 2**30, 1),
        "load": round(os.getloadavg()[0], 2),
        "threads": int(os.environ[THREADS]) if os.environ.get(THREADS, "").isdigit() else None,
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": versions(),
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _memory() -> int:
    """Bytes."""
    most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    told = limit.read_text().strip() if limit.is_file() else "max"
    return min(most, int(told)) if told.isdigit() else most
