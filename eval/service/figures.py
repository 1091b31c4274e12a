"""What the scripts of this folder found, as Markdown for docs/operations.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eval.report.wording import milliseconds, percent
from eval.service.swaps import DEADLINE_MS

AIM_MS = 2.0
"""What HTTP and the store were to add at most."""


def lines(results: Path) -> list[str]:
    """The table of the load test, and a line for each of the other scripts.

    Raises:
        OSError: the results of one are missing.
    """
    load, overload, soak, kills, swaps = (
        json.loads((results / f"service_{name}.json").read_text(encoding="utf-8"))
        for name in ("load", "overload", "soak", "kill", "swaps")
    )
    machine, answered = load["machine"], overload["answered"]
    refused = sum(overload["shed"].values())
    kept = "kept" if load["overhead_ms"] < AIM_MS else "missed"
    return [
        f"`{load['bundle'].rpartition('-')[0]}` on {machine['cores']} cores ({machine['cpu']}), "
        f"{load['workers']} workers, deadline {load['deadline_ms']:g} ms, clients on the machine:",
        "",
        "| clients | p50 | p95 | p99 | tickets a second | refused |",
        "|---:|---:|---:|---:|---:|---:|",
        *(_row(clients, its, load["tickets"]) for clients, its in load["clients"].items()),
        "",
        f"- HTTP and the store add {milliseconds(load['overhead_ms'])} ms at p50 to a ticket that "
        f"the first stage settles ({milliseconds(load['in_process_ms'])} ms in the process); the "
        f"aim of less than {AIM_MS:g} ms is {kept}.",
        f"- At twice the capacity ({overload['rate']:.0f} tickets a second) "
        f"{percent(answered['share'])} are answered, p95 {milliseconds(answered['ms_p95'])} ms, "
        f"{percent(refused)} refused with `Retry-After`, {overload['errors']} other errors"
        f"{_dropped(overload)}; the "
        f"{overload['pending']:,} pending ones were finished {overload['finished_seconds']:.0f} s "
        "later.",
        _soaked(soak),
        *(_killed(kind, its) for kind, its in kills.items()),
        f"- {swaps['changes']} changes of bundle under {swaps['requests']:,} requests of "
        f"{swaps['clients']} clients with {_time(swaps['deadline_ms'])}: "
        f"{swaps['failed']} failed; all workers agreed within "
        f"{swaps['agree_ms_max'] / 1000:.2f} s; p95 {milliseconds(swaps['loading']['ms_p95'])} ms "
        f"while one was loaded, {milliseconds(swaps['calm']['ms_p95'])} ms else.",
    ]


def _row(clients: str, its: dict[str, Any], tickets: int) -> str:
    times = " | ".join(f"{milliseconds(its[name])} ms" for name in ("ms_p50", "ms_p95", "ms_p99"))
    return f"| {clients} | {times} | {its['per_second']:.0f} | {its['errors']} of {tickets:,} |"


def _soaked(its: dict[str, Any]) -> str:
    """How much memory half a load for half an hour takes; the first minutes fill the caches."""
    start, end = (its["workers_mib"][at] for at in (len(its["workers_mib"]) // 2, -1))
    return (
        f"- {its['minutes']:g} minutes at {its['rate']:.0f} tickets a second, half of what it "
        f"could take ({its['requests']:,} requests): the workers had {start:.0f} MiB after half "
        f"the time and {end:.0f} at its end; p95 {milliseconds(its['ms_p95'])} ms, "
        f"{its['errors']:,} without a decision."
    )


def _dropped(its: dict[str, Any]) -> str:
    """Connections that broke; figures that were kept before they were counted say nothing."""
    return f", {its['reconnected']} connections dropped" if "reconnected" in its else ""


def _time(deadline_ms: float) -> str:
    """A deadline, and that it is not the service's own where it is not."""
    return f"a deadline of {deadline_ms:g} ms" + (
        "" if deadline_ms == DEADLINE_MS else f" (not the default of {DEADLINE_MS:g})"
    )


def _killed(kind: str, its: dict[str, Any]) -> str:
    name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[kind]
    return (
        f"- {its['kills']} times `kill -9` at random moments, {name}: of {its['tickets']:,} "
        f"tickets {len(its['violations'])} lost or decided twice; {its['pending']:,} later "
        f"answers, each once, {its['callbacks_repeated']} of their callbacks posted again under "
        "the same id."
    )
