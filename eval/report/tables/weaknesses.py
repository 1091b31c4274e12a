"""The tables of what goes wrong: by kind of ticket, under stress, and the mistakes themselves."""

from __future__ import annotations

from eval.report.document import Table
from eval.report.record import Record
from eval.report.record.weaknesses import Confusion, Mistakes, Slice, Suspects, Worst
from eval.report.tables.columns import QUALITY, Column, field, table, told_quality
from eval.report.wording import MISSING, money, number, percent, precise, score, scores

LISTED = 40
"""Labels to doubt that a reader still reads; the record has all."""


def slice_tables(record: Record) -> list[Table]:
    """Tickets by kind; then by queue, the worst one first."""
    columns: list[Column] = [
        ("number", field("tickets", number)),
        *QUALITY,
        ("settled", field("settled", percent)),
        ("right of settled", field("right_of_settled", precise)),
        ("drop of macro-F1", field("drop", score)),
    ]
    rows = record["slices"]
    kinds = [row for row in rows if row["slice"] != "queue"]
    queues = [row for row in rows if row["slice"] == "queue"]
    by_kind = table(
        "By kind of ticket",
        kinds,
        [("by", field("slice", str)), ("tickets", field("value", str)), *columns],
        words=2,
        strong=lambda row: row["slice"] == "all",
        notes=["Drop: macro-F1 of all tickets less that of these. A dash: too few to say."],
    )
    return [by_kind, _by_queue(queues)] if queues else [by_kind]


def _by_queue(rows: list[Slice]) -> Table:
    return table(
        "By queue, the weakest first",
        sorted(rows, key=lambda row: -1.0 if row["drop"] is None else row["drop"], reverse=True),
        [
            ("queue", field("value", str)),
            ("tickets", field("tickets", number)),
            ("F1 (95 % interval)", told_quality),
            ("recall", field("recall", precise)),
            ("precision", field("precision", precise)),
            ("settled", field("settled", percent)),
            ("right of settled", field("right_of_settled", precise)),
        ],
    )


def stress_table(record: Record) -> Table:
    """The same tickets in other shapes, and strangers."""
    return table(
        "The same tickets in another shape, and tickets that no queue should get unseen",
        record["stress"],
        [
            ("change", field("change", str)),
            ("tickets", field("tickets", number)),
            ("text altered", field("altered", percent)),
            ("macro-F1", field("macro_f1", score)),
            (
                "drop (95 % interval)",
                lambda row: scores(row.get("drop"), row.get("drop_95")),
            ),
            ("another queue", field("answers_changed", precise)),
            ("settled", field("settled", percent)),
            ("right of settled", field("right_of_settled", precise)),
            ("to people", field("review", percent)),
        ],
        notes=["Drop: macro-F1 of the same tickets as they are less this, paired."],
    )


def mistake_tables(its: Mistakes) -> list[Table]:
    """The surest mistakes, the confusions, the labels to doubt; each if there are any."""
    tables = []
    if worst := its.get("worst"):
        tables.append(_worst(worst))
    if confusions := its.get("confusions"):
        tables.append(_confusions(confusions))
    if (suspects := its.get("suspects")) and suspects["listed"]:
        tables.append(_suspects(suspects))
    return tables


def _worst(rows: list[Worst]) -> Table:
    columns: list[Column] = [
        ("line", field("line", number)),
        ("true queue", field("true", str)),
        ("given", field("given", str)),
        ("words that spoke for it", lambda row: ", ".join(w["text"] for w in row["words"])),
        ("label doubted", lambda row: "yes" if row.get("suspect") else "no"),
        ("settled", lambda row: "yes" if row["settled"] else "no"),
        ("ticket", lambda row: row.get("quote") or MISSING),
        ("confidence", field("confidence", score)),
    ]
    if not any(row.get("quote") for row in rows):
        columns = [column for column in columns if column[0] != "ticket"]
    return table("The surest mistakes", rows, columns, words=len(columns) - 1)


def _confusions(rows: list[Confusion]) -> Table:
    return table(
        "The confusions that matter most",
        rows,
        [
            ("true queue", field("true", str)),
            ("given", field("given", str)),
            ("tickets", field("count", number)),
            ("of these settled", field("settled", number)),
            ("of the true queue", field("share_of_true", precise)),
            ("cost", field("cost", money)),
        ],
        words=2,
    )


def _suspects(its: Suspects) -> Table:
    left = len(its["listed"]) - LISTED
    return table(
        "Labels of the test set that are probably wrong; they were counted as they stand",
        its["listed"][:LISTED],
        [
            ("line", field("line", number)),
            ("label", field("label", str)),
            ("likelier", field("likelier", str)),
            ("confidence", field("confidence", score)),
        ],
        words=3,
        notes=[f"{left:,} more stand in report.json."] if left > 0 else [],
    )
