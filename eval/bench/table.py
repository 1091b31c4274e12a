"""What ``cascade bench`` prints: at most 100 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eval.prices import HOUR, Prices
from eval.report.wording import MISSING, money, number, percent

HEAD = (
    f"{'':10} {'':>6} |{'alone, ms':^38}|{'in batch':^19}|{'machine':^16}",
    f"{'':10} {'words':>6} |{'p50':>9}{'p95':>9}{'p99':>9}{'CPU':>9}  |"
    f"{'CPU ms':>8}{'a CPU s':>10} |{'limit':>8}{'reached':>8}",
)
MIXED = "mixed"
"""Tickets as they come."""
GENERATED, STRANGE = "starter", 0.5
"""What a bundle of another domain leaves to people, and so asks of all stages, says little."""


def table(told: Mapping[str, Any], prices: Prices) -> list[str]:
    """The lines: a row a stage and length, the machine's limits, and what a million tickets take.

    Args:
        told: what `eval.bench.run.bench` returns.
    """
    rule = "-" * len(HEAD[1])
    lines = [*HEAD]
    before = None
    for row in told["rows"]:
        if row["stage"] != before:
            lines.append(rule)
        name = row["stage"] if row["stage"] != before else ""
        if row["words"] == told["rows"][1]["words"] and not row["asked"]:
            name = "(not asked)"
        lines.append(_row(name, row))
        before = row["stage"]
    return [*lines, rule, "", *limits(told), *sizing(told, prices)]


def _row(name: str, row: Mapping[str, Any]) -> str:
    alone, batch = row["alone"], row["batch"]
    times = [alone[key] for key in ("ms_p50", "ms_p95", "ms_p99", "cpu_ms")]
    words = MIXED if row["words"] is None else f"{row['words']:,}"
    return (
        f"{name:11}{words:>6} |{''.join(f'{short(ms):>9}' for ms in times)}  |"
        f"{short(batch['cpu_ms']):>8}{number(batch['per_cpu_second']):>10} |"
        + (f"{short(row['limit_ms']):>8}{percent(row['reached']):>8}" if "limit_ms" in row else "")
    )


def short(value: float | None) -> str:
    """Milliseconds in three significant digits, as they go from microseconds up: 0.0231, 12.5."""
    if value is None:
        return MISSING
    decimals = next((n for n, end in ((4, 0.1), (3, 1), (2, 10), (1, 100)) if value < end), 0)
    return f"{value:,.{decimals}f}"


def limits(told: Mapping[str, Any]) -> Iterator[str]:
    """What one core can do, and what loading takes."""
    its, load = told["limits"], told["load"]
    yield f"one core copies {short(its['copy_gb_s'])} GB/s"
    linear, encoder = its.get("linear"), its.get("encoder")
    if linear:
        yield (
            f"  linear: gathers {short(linear['gather_gb_s'])} GB/s, in rows of "
            f"{linear['row_bytes']} bytes out of {number(linear['terms'])}"
        )
    if encoder and encoder["gops"]:
        kind = "int8" if encoder["int8"] else "float32"
        shape = " × ".join(str(size) for size in encoder["shape"])
        yield f"  encoder: multiplies {number(encoder['gops'])} GOPS of {kind} ({shape})"
    elif encoder:
        yield "  encoder: its limit needs onnx: pip install 'ticket-cascade[train]'"
    yield f"loads in {load['seconds']:.2f} s; a process holds {number(load['mib'])} MiB"


def sizing(told: Mapping[str, Any], prices: Prices) -> Iterator[str]:
    """What this machine does a second, and what a million tickets as they come take."""
    row = next(r for r in told["rows"] if r["stage"] == "route" and r["words"] is None)
    cpu_ms, cores = row["batch"]["cpu_ms"], told["machine"]["cores"]
    settled = ", ".join(f"{percent(share)} {stage}" for stage, share in row["settled"].items())
    yield f"settled by: {settled}"
    if told.get("tickets") == GENERATED and row["settled"].get("human", 0) > STRANGE:
        yield "generated tickets are strange to this bundle; time real ones: --tickets FILE"
    yield (
        f"{cores} cores at work: {number(cores * 1000 / cpu_ms)} tickets a second; a million take "
        f"{cpu_ms / HOUR * 1000:.2f} core hours, "
        f"{money(cpu_ms / HOUR * 1000 * prices.core_hour)} {prices.currency}"
    )
