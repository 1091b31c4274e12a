"""The tables of fine-tuning against in-context learning."""

from __future__ import annotations

from eval.report.document import Table
from eval.report.record import LabelCurve, Record
from eval.report.tables.columns import QUALITY, TIMES, field, is_cascade, table
from eval.report.wording import milliseconds, percent, precise, score


def in_context_table(record: Record) -> Table:
    """The cascade and a prompted language model on the same tickets."""
    its = record["in_context"]
    shots = [{"name": f"prompted, {name}", **row} for name, row in its["shots"].items()]
    return table(
        f"The same {its['tickets']:,} tickets, by what was trained and by a prompted model "
        f"({its['backend']})",
        [
            {"name": "cascade, trained", "kind": "cascade", **its["cascade"]},
            {"name": "vote of the nearest examples", **its["neighbours"]},
            *shots,
        ],
        [
            ("approach", field("name", str)),
            *QUALITY,
            ("answered", field("answered", percent)),
            *TIMES,
            ("CPU ms", field("cpu_ms", milliseconds)),
        ],
        strong=is_cascade,
    )


def stability_table(record: Record) -> Table:
    """Shares of tickets that came out otherwise when they were asked again."""
    its = record["stability"]
    return table(
        f"The same {its['tickets']:,} tickets {len(its['runs'])} times over",
        [{"name": name, **change} for name, change in its["approaches"].items()],
        [
            ("approach", field("name", str)),
            ("another queue", field("queue_changed", precise)),
            ("another action", field("action_changed", precise)),
            ("largest change of confidence", lambda row: f"{row['confidence_change']:g}"),
            ("answered", field("answered", percent)),
        ],
        notes=[f"Runs: {'; '.join(its['runs'])}. A ticket counts if any run differs."],
    )


def curve_table(curve: LabelCurve) -> Table:
    """Macro-F1 by labels a queue, the best of each size marked."""
    means = {
        name: {point["size"]: point["mean"] for point in its}
        for name, its in curve["approaches"].items()
    }
    sizes = sorted({size for its in means.values() for size in its if size is not None})
    every = [*sizes, *([None] if any(None in its for its in means.values()) else [])]
    best = {size: max(its[size] for its in means.values() if size in its) for size in every}
    rows = [
        [name, *(_best(its.get(size), best[size]) for size in every)] for name, its in means.items()
    ]
    heads = ["all" if size is None else f"{size:,}" for size in every]
    return Table(
        "Macro-F1 by labelled tickets a queue, mean over the draws",
        ["approach", *heads],
        rows,
        notes=["* the best with so many labels"],
    )


def _best(value: float | None, best: float) -> str:
    return score(value) + ("*" if value == best else "")
