"""The sections of a report, in order; each is left out where its part of the record is absent."""

from __future__ import annotations

from eval.report.document import Block, Bullets, Code, Facts, Picture, Section, Text
from eval.report.record import Record
from eval.report.tables import (
    cost_table,
    curve_table,
    http_table,
    in_context_table,
    main_table,
    mistake_tables,
    peer_table,
    promise_table,
    slice_tables,
    stability_table,
    stage_table,
    stress_table,
)
from eval.report.wording import named, percent, plain, score

PLACES = {
    "cost": "table",
    "latency": "table",
    "risk_coverage": "stages",
    "frontier": "stages",
    "reliability": "promises",
    "label_curve": "in-context",
    "confusion": "mistakes",
}
"""Which section a plot stands in, by its name; within one in this order."""


def sections(record: Record) -> list[Section]:
    """What there is to tell."""
    every = [
        Section("summary", "Summary", _summary(record)),
        Section("measured", "What was measured", _measured(record)),
        Section("table", "Quality, time and cost", _table(record)),
        Section("stages", "What each stage adds", _stages(record)),
        Section("promises", "Promises", _promises(record)),
        Section("in-context", "Fine-tuning against in-context learning", _in_context(record)),
        Section("slices", "Where it is weaker", _slices(record)),
        Section("stress", "Under stress", _stress(record)),
        Section("mistakes", "Mistakes", _mistakes(record)),
        Section("peers", "Beside other libraries", _peers(record)),
        Section("again", "How to repeat it", _again(record)),
    ]
    for section in every:
        section.blocks.extend(_pictures(record, section.key))
    return [section for section in every if section.blocks]


def _pictures(record: Record, key: str) -> list[Block]:
    plots = record.get("plots", {})
    return [Picture(name, plots[name]) for name in PLACES if name in plots and PLACES[name] == key]


def _summary(record: Record) -> list[Block]:
    return [Bullets(record["recommendation"])] if record.get("recommendation") else []


def _measured(record: Record) -> list[Block]:
    machine, versions = record.get("machine", {}), record.get("versions")
    named_so = {
        **record.get("data", {}),
        **machine,
        "trained with": versions if versions != machine.get("versions") else None,
        "seed": record.get("seed"),
        "commit": record.get("commit"),
    }
    facts = [(named(key), plain(its)) for key, its in named_so.items() if its not in (None, "")]
    blocks: list[Block] = [Facts(facts)] if facts else []
    return [*blocks, Bullets(record["notes"])] if record.get("notes") else blocks


def _table(record: Record) -> list[Block]:
    blocks: list[Block] = []
    if record.get("rows"):
        blocks.append(main_table(record))
        if any(row.get("cost") for row in record["rows"]):
            blocks.append(cost_table(record))
    if "http" in record:
        blocks.append(http_table(record))
    return blocks


def _stages(record: Record) -> list[Block]:
    return [stage_table(record)] if record.get("stages") else []


def _promises(record: Record) -> list[Block]:
    promises = record.get("promises")
    if not promises:
        return []
    broken = [its["what"] for its in promises if not its["kept"]]
    told = f"Kept: {len(promises) - len(broken)} of {len(promises)}."
    if broken:
        told += f" Not kept: {', '.join(broken)}."
    return [Text(told), promise_table(record)]


def _in_context(record: Record) -> list[Block]:
    blocks: list[Block] = []
    if "in_context" in record:
        blocks.append(in_context_table(record))
    if "stability" in record:
        blocks.append(stability_table(record))
    if "label_curve" in record:
        blocks.append(curve_table(record["label_curve"]))
    return blocks


def _slices(record: Record) -> list[Block]:
    return [*slice_tables(record)] if record.get("slices") else []


def _stress(record: Record) -> list[Block]:
    return [stress_table(record)] if record.get("stress") else []


def _mistakes(record: Record) -> list[Block]:
    its = record.get("mistakes")
    if not its:
        return []
    blocks: list[Block] = [
        Text(
            f"{its['wrong']:,} of {its['tickets']:,} tickets "
            f"({percent(its['wrong'] / its['tickets'])}) have another queue than their label; "
            f"{its['wrong_and_settled']:,} of them were settled without a person."
        )
    ]
    if (suspects := its.get("suspects")) and suspects["count"]:
        blocks.append(
            Text(
                f"Labels that are probably wrong themselves: {suspects['count']:,}. Macro-F1 is "
                f"{score(suspects['macro_f1'])} as measured; if each such label is as wrong as it "
                f"looks, it is {score(suspects['macro_f1_at_most'])}."
            )
        )
    return [*blocks, *mistake_tables(its)]


def _peers(record: Record) -> list[Block]:
    return [peer_table(record["peers"])] if "peers" in record else []


def _again(record: Record) -> list[Block]:
    command = record.get("command")
    if not command:
        return []
    return [Code([command] if isinstance(command, str) else command)]
