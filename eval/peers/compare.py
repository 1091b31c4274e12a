"""Peers beside an approach of ours: fitted on the same tickets, measured in one run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stderr
from io import StringIO
from typing import Any

from tqdm import tqdm

from cascade.errors import MissingExtraError
from eval.approach import Approach, guesses
from eval.labelled import Labelled
from eval.peers import PEERS
from train.measures import quality, timed, times

TIMED = 300
"""Tickets that are timed: more than the cascade keeps of its searches, so that none is a repeat."""


def compare(
    train: Labelled,
    test: Labelled,
    ours: Approach,
    names: Sequence[str] = tuple(PEERS),
    *,
    seed: int = 0,
    quiet: bool = False,
) -> dict[str, Any]:
    """Fit each peer and measure it, and ours right before it and right after it.

    The machine's speed changes with what else it does, so each peer has figures of ours of its own,
    the mean of the two.

    Args:
        train: what ours was fitted on too.
        test: what nothing was fitted on.
        names: of `PEERS`.

    Returns:
        ``ours`` its name; ``train``, ``tickets`` and ``timed`` the numbers of tickets; ``peers`` a
        list of `eval.report.record.Peer`: ``name``, ``note`` and, unless its library is missing,
        quality (`train.measures.quality`), ``ms_p50`` and ``ms_p95`` of a ticket and its
        ``cpu_ms``, one by one, over all cores; ``per_cpu_second`` tickets in one call;
        ``train_seconds`` and ``train_cpu_seconds``; under ``ours`` the same figures of ours,
        training aside; and ``ratios``, the peer's figures over ours, of ``macro_f1``, ``cpu_ms``
        and ``per_cpu_second``.

    Raises:
        KeyError: there is no peer of such a name.
    """
    some = test.sample(TIMED, seed).texts
    its_quality = _quality(ours, test)
    peers = []
    for name in tqdm(names, desc="fitting peers", unit="peer", disable=quiet):
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            # Some libraries draw progress bars that nothing but this silences.
            with redirect_stderr(StringIO()) if quiet else nullcontext():
                peer = PEERS[name](train, seed)
        except MissingExtraError as error:
            peers.append({"name": name, "note": str(error)})
            continue
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        told = _quality(peer, test)
        before, speed, after = (_speed(which, some) for which in (ours, peer, ours))
        beside = {**its_quality, **{key: (before[key] + after[key]) / 2 for key in before}}
        told.update(speed)
        peers.append(
            {
                "name": peer.name,
                "note": peer.note,
                **_rounded(told),
                "train_seconds": round(wall, 1),
                "train_cpu_seconds": round(cpu, 1),
                "ours": _rounded(beside),
                "ratios": {
                    key: round(told[key] / beside[key], 4) if beside[key] else None
                    for key in ("macro_f1", "cpu_ms", "per_cpu_second")
                },
            }
        )
    return {
        "ours": ours.name,
        "train": len(train),
        "tickets": len(test),
        "timed": len(some),
        "peers": peers,
    }


def _quality(approach: Approach, test: Labelled) -> dict[str, Any]:
    return quality(test.y, guesses(approach.predict(test.texts)), len(test.queues))


def _speed(approach: Approach, texts: Sequence[str]) -> dict[str, float]:
    """Times in milliseconds, and tickets a CPU second in one call; all cores' time is counted."""
    approach.predict(texts[:1])  # what is made at the first call is no ticket's own time
    start = time.process_time()
    _, ms = timed(lambda text: approach.predict([text]), texts)
    alone = time.process_time() - start
    start = time.process_time()
    approach.predict(texts)
    together = time.process_time() - start
    return {
        **times(ms),
        "cpu_ms": 1000 * alone / len(texts),
        "per_cpu_second": len(texts) / max(together, 1e-9),
    }


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    """CPU milliseconds to the thousandth, as the fastest need a few hundredths of one."""
    digits = {"cpu_ms": 3, "per_cpu_second": 1, "ms_p50": 2, "ms_p95": 2}
    return {
        key: round(value, digits[key]) if key in digits else value for key, value in figures.items()
    }
