"""What the kept results say of size, as Markdown for docs/scale.md.

Results of ``cascade bench --json`` and of ``python -m eval.scaling``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cascade.errors import InputError
from eval.bench.table import short
from eval.prices import HOUR, Prices, read_prices
from eval.report.wording import money, number, percent, times

BENCH, SCALING, LOAD = "bench_it_service_topics.json", "scaling.json", "service_load.json"
A_DAY = (60_000, 1_000_000, 1_000_000_000)
BUSIEST = 3
"""Times the mean of the day: what has to be computed in its busiest hour."""
WORKDAY = 8
"""Hours of a person who reviews."""
LLM_SHARE, LLM_SECONDS = 0.05, 0.5
"""Assumed: tickets that reach a language model, and the time that each keeps a GPU busy."""
DAY = 24 * HOUR


def lengths(results: Path) -> list[str]:
    """CPU milliseconds a ticket by length: stages, the whole route, and shares of the limits."""
    told = _read(results, BENCH)
    stages = [s for s in dict.fromkeys(row["stage"] for row in told["rows"]) if _is_asked(told, s)]
    rows: dict[int | None, dict[str, Any]] = {}
    for row in told["rows"]:
        rows.setdefault(row["words"], {})[row["stage"]] = row
    machine, load, limits = told["machine"], told["load"], told["limits"]
    return [
        f"One core of {machine['cores']} ({machine['cpu']}), CPU milliseconds a ticket in batch; "
        "in brackets how much of the machine's limit that is:",
        "",
        f"| words | {' | '.join(stages)} | route, a CPU second |",
        f"|---:|{'---:|' * (len(stages) + 1)}",
        *(_length(words, its, stages) for words, its in rows.items()),
        "",
        f"The machine copies {short(limits['copy_gb_s'])} GB/s, gathers rows of the linear stage "
        f"at {short(limits['linear']['gather_gb_s'])} GB/s and multiplies "
        f"{'int8' if limits['encoder']['int8'] else 'float32'} at "
        f"{number(limits['encoder']['gops'])} GOPS, each on one core. The bundle loads in "
        f"{load['seconds']:.1f} s and a process holds {number(load['mib'])} MiB.",
    ]


def _length(words: int | None, its: Mapping[str, Any], stages: Sequence[str]) -> str:
    cells = []
    for stage in stages:
        reached = its[stage].get("reached")
        share = f" ({percent(reached)})" if reached is not None else ""
        cells.append(f"{short(its[stage]['batch']['cpu_ms'])}{share}")
    rate = number(its["route"]["batch"]["per_cpu_second"])
    return f"| {words or 'as they come'} | {' | '.join(cells)} | {rate} |"


def _is_asked(told: Mapping[str, Any], stage: str) -> bool:
    return any(row["asked"] for row in told["rows"] if row["stage"] == stage)


def growth(results: Path) -> list[str]:
    """CPU time and memory against the number of tickets, and one worker against two."""
    told = _read(results, SCALING)
    nothing: dict[str, Any] = {"rows": [], "line": None, "left_out": []}
    both = (told["first_stage"] or nothing, told["all"])
    sizes = sorted({row["tickets"] for its in both for row in its["rows"]})
    cells = [{row["tickets"]: row for row in its["rows"]} for its in both]
    lines = [
        "| tickets | settled by the first stage: CPU, memory | as they come: CPU, memory |",
        "|---:|---:|---:|",
    ]
    for size in sizes:
        spent = (_spent(its.get(size)) for its in cells)
        lines.append(f"| {size:,} | {' | '.join(spent)} |")
    lines += _line("Settled by the first stage", both[0]) + _line("As they come", both[1])
    return [*lines, *_turns(told["workers"])]


def _line(name: str, told: Mapping[str, Any]) -> list[str]:
    """What lies on the line, and how well; two points always do."""
    line = told["line"]
    if not line:
        return ["", f"{name}: there is no such ticket."]
    fit = ""
    if len(told["rows"]) > 2:
        fit = f"; R² of that line {line['r2']:.4f}, no point further off than "
        fit += percent(line["worst"])
    missing = ""
    if told["left_out"]:
        missing = f" For want of time not measured: {told['left_out'][0]:,} and more."
    return [
        "",
        f"{name}: {line['fixed_s']:.1f} s for loading and {short(line['ms'])} ms a ticket{fit}."
        f"{missing}",
    ]


def _turns(told: Mapping[str, Any] | None) -> list[str]:
    """One worker against two; nothing where that was not measured."""
    if told is None:
        return []
    same = "the same bytes" if told["same"] else "other bytes"
    return [
        "",
        f"Two workers take 1/{told['ratio']:.2f} of the time of one, for {told['tickets']:,} "
        f"tickets, loading included, and write {same}.",
    ]


def _spent(row: Mapping[str, Any] | None) -> str:
    return f"{row['cpu_s']:,.1f} s, {number(row['mib'])} MiB" if row else ""


def days(results: Path) -> list[str]:
    """What a day's tickets take: cores, money, disk, a language model, people."""
    told, prices = _read(results, BENCH), read_prices()
    route = next(r for r in told["rows"] if r["stage"] == "route" and r["words"] is None)
    scaling, load = _read(results, SCALING), _read(results, LOAD)
    cpu_s, review = route["batch"]["cpu_ms"] / 1000, route["settled"].get("human", 0.0)
    service = max(its["per_second"] for its in load["clients"].values())
    rows = [_day(tickets, cpu_s, review, scaling["all"], prices) for tickets in A_DAY]
    names = (
        "tickets a second, mean",
        f"cores at work in the busiest hour ({BUSIEST} times the mean)",
        "core hours a day",
        f"their price, {prices.currency} ({money(prices.core_hour)} an hour)",
        "to read a day",
        "decisions to write a day",
        f"GPUs at work, if {percent(LLM_SHARE)} reached a model at {LLM_SECONDS} s each",
        f"people who review {percent(review)}, {prices.minutes_per_review} minutes each",
    )
    return [
        f"| tickets a day | {' | '.join(f'{tickets:,}' for tickets in A_DAY)} |",
        f"|---|{'---:|' * len(A_DAY)}",
        *(
            f"| {name} | {' | '.join(cells)} |"
            for name, cells in zip(names, zip(*rows, strict=True), strict=True)
        ),
        "",
        f"A million tickets take {cpu_s / HOUR * 1e6:.2f} core hours, "
        f"{money(cpu_s / HOUR * 1e6 * prices.core_hour)} {prices.currency}. At that rate "
        f"this machine's {told['machine']['cores']} cores route "
        f"{number(told['machine']['cores'] / cpu_s)} tickets a second; "
        f"through the service, with HTTP and the database, they did "
        f"{number(service)}, {times(service * DAY / A_DAY[0])} what {A_DAY[0]:,} a day need.",
    ]


def _day(
    tickets: int, cpu_s: float, review: float, scaling: Mapping[str, Any], prices: Prices
) -> list[str]:
    hours = tickets * cpu_s / HOUR
    people = tickets * review * prices.minutes_per_review / 60 / WORKDAY
    return [
        number(tickets / DAY),
        short(BUSIEST * tickets * cpu_s / DAY),
        short(hours),
        money(hours * prices.core_hour),
        _bytes(tickets * scaling["read"]),
        _bytes(tickets * scaling["written"]),
        short(tickets * LLM_SHARE * LLM_SECONDS / DAY),
        number(people),
    ]


def _bytes(size: float) -> str:
    return f"{size / 1e9:,.0f} GB" if size >= 1e10 else f"{size / 1e6:,.0f} MB"


def _read(results: Path, name: str) -> dict[str, Any]:
    file = results / name
    if not file.is_file():
        raise InputError(f"{file}: no such file; cascade bench --json, python -m eval.scaling")
    told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return told
