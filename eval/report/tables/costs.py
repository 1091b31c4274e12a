"""The tables of what is paid for which quality, by approaches, stages, clients and peers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eval.report.document import Table
from eval.report.record import Peers, Record, Row
from eval.report.tables.columns import QUALITY, TIMES, field, is_cascade, table
from eval.report.wording import (
    milliseconds,
    money,
    number,
    percent,
    percents,
    precise,
    score,
    times,
)

KINDS = ("stage", "cascade", "baseline", "llm", "peer")
"""In the order in which they stand in the table."""


def main_table(record: Record) -> Table:
    """All approaches side by side, kind by kind."""
    return table(
        "Each stage alone and always on, the cascade, and what they are compared with",
        by_kind(record["rows"]),
        [
            ("approach", field("name", str)),
            *QUALITY,
            ("settled", field("settled", percent)),
            ("macro-F1 of settled", field("settled_macro_f1", score)),
            *TIMES,
            ("CPU ms", field("cpu_ms", milliseconds)),
            ("tickets/s", field("per_second", number)),
            ("MiB", field("memory_mib", number)),
            (f"{currency(record)} per 1,000", _machines),
        ],
        strong=is_cascade,
        notes=[
            "Intervals are 95 % bootstrap intervals over the tickets. Times are of one ticket at a "
            "time, tickets/s of all in one call. Costs are those of machines; people stand below.",
        ],
    )


def by_kind(rows: Sequence[Row]) -> list[Row]:
    """The rows in the order in which they are told."""
    return sorted(rows, key=lambda row: KINDS.index(row["kind"]))


def currency(record: Record) -> str:
    """The name of the currency in which rows are priced."""
    costs = filter(None, (row.get("cost") for row in record["rows"]))
    return next((its["currency"] for its in costs), "cost")


def cost(part: str) -> Callable[[Mapping[str, Any]], str]:
    """A part of what 1,000 tickets cost."""
    return lambda row: money((row.get("cost") or {}).get(part))


def _machines(row: Mapping[str, Any]) -> str:
    its = row.get("cost")
    return money(its["machine"] + its["llm"] if its else None)


def cost_table(record: Record) -> Table:
    """What 1,000 tickets cost, and who is paid."""
    return table(
        f"What 1,000 tickets cost, in {currency(record)}",
        [row for row in by_kind(record["rows"]) if row.get("cost")],
        [
            ("approach", field("name", str)),
            ("machine", cost("machine")),
            ("language model", cost("llm")),
            ("people who review", cost("people")),
            ("wrong queues", cost("misroutes")),
            ("sum", cost("sum")),
        ],
        strong=is_cascade,
    )


def http_table(record: Record) -> Table:
    """Times through the service."""
    http = record["http"]
    over = http.get("overhead_ms")
    return table(
        f"Through HTTP, {http['tickets']:,} tickets, worker processes: {http['workers']}",
        [{"clients": name, **its} for name, its in http["clients"].items()],
        [
            ("clients at once", field("clients", str)),
            *TIMES,
            ("tickets/s", field("per_second", number)),
            ("cut short by the deadline", field("late", percent)),
            ("no answer", field("errors", number)),
        ],
        notes=[]
        if over is None
        else [f"HTTP adds {milliseconds(over)} ms to a ticket that the first stage settles (p50)."],
    )


def stage_table(record: Record) -> Table:
    """What each stage does within the cascade."""
    return table(
        "What each stage adds to the cascade",
        record["stages"],
        [
            ("stage", field("stage", str)),
            ("tickets that reach it", field("reached", percent)),
            ("tickets it settles", field("settled", percent)),
            ("right of these", field("right", precise)),
            ("macro-F1 if it were the last", field("macro_f1", score)),
            ("p50 ms when reached", field("ms_p50", milliseconds)),
        ],
    )


def promise_table(record: Record) -> Table:
    """What was promised, what came of it, and on how many tickets."""
    return table(
        "Promised on the gate split, observed on tickets that nothing was fitted on",
        record["promises"],
        [
            ("promise", field("what", str)),
            ("promised", field("promised", precise)),
            (
                "observed (95 % interval)",
                lambda row: percents(row.get("observed"), row.get("observed_95")),
            ),
            ("tickets", field("tickets", number)),
            ("kept", lambda row: "kept" if row["kept"] else "not kept"),
        ],
        notes=["Not kept: the whole interval lies below what was promised."],
    )


def peer_table(peers: Peers) -> Table:
    """Peers beside ours: quality, and times as multiples of ours in the same minutes."""
    measured = [peer["ours"] for peer in peers["peers"] if "ours" in peer][:1]
    ours = [{"name": peers["ours"], "kind": "cascade", **its} for its in measured]
    return table(
        f"Other libraries' classifiers on the same machine, trained on the same {peers['train']:,} "
        f"tickets and asked about the same {peers['tickets']:,}",
        [*ours, *peers["peers"]],
        [
            ("library", field("name", str)),
            *QUALITY,
            ("p50 ms", field("ms_p50", milliseconds)),
            ("p95 ms", field("ms_p95", milliseconds)),
            ("CPU ms", field("cpu_ms", milliseconds)),
            ("× ours", _ratio("cpu_ms")),
            ("tickets per CPU second", field("per_cpu_second", number)),
            ("× ours", _ratio("per_cpu_second")),
            ("training s", field("train_seconds", number)),
            ("training CPU s", field("train_cpu_seconds", number)),
        ],
        strong=is_cascade,
        notes=["Ours is timed anew beside each library; multiples are of those times."]
        * bool(ours),
    )


def _ratio(key: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: times((row.get("ratios") or {}).get(key))
