"""Everything that is measured of one bundle on labelled tickets, as a record.

Nothing is fitted here. The tickets have to be such that nothing was fitted on them either.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cascade.bundle import Bundle
from cascade.llm.settings import LLMSettings
from cascade.router import Cascade
from eval.approach import Approach, alone, always_on, witnesses
from eval.checkout import commit
from eval.in_context import in_context
from eval.labelled import Labelled
from eval.latency import in_process, llm_anew, machine, peak_memory
from eval.mistakes import mistakes
from eval.prices import Prices, read_prices
from eval.report.pictures import pictures
from eval.service.load import load
from eval.slices import slices
from eval.stability import stability
from eval.stress import stress
from eval.verdicts import (
    TIMES,
    Verdicts,
    by_stage,
    calls,
    llm_rows,
    promises,
    routed,
    row,
    said_by,
)
from train.costs import read_costs

LLM = "llm"
MEMORY_ON = 100
"""Tickets that a process routes while its memory is watched."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How much is measured beside quality, which is that of all tickets.

    Attributes:
        timed: tickets that times are taken of.
        asked: tickets that a language model is asked about one by one.
        repeated: tickets that are asked again and again, for stability.
        stressed: tickets that are changed, for stress.
        http: whether the real service is started and asked.
    """

    timed: int = 400
    asked: int = 300
    repeated: int = 500
    stressed: int = 400
    http: bool = True


QUICK = Depth(timed=200, asked=0, repeated=0, stressed=0, http=False)


@dataclass(frozen=True, slots=True)
class How:
    """How a bundle is measured.

    Attributes:
        depth: how much.
        prices: file of prices; the project's own if None.
        costs: file of what misroutes cost, for the list of mistakes.
        quote: mistakes quote the tickets, masked.
        seed: of everything that is drawn at random.
        quiet: no progress bars.
    """

    depth: Depth = Depth()
    prices: Path | None = None
    costs: Path | None = None
    quote: bool = False
    seed: int = 0
    quiet: bool = False


def judge(
    path: Path,
    labelled: Labelled,
    how: How,
    others: Sequence[Approach] = (),
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Measure a bundle.

    Args:
        path: of the bundle.
        labelled: tickets of its queues.
        others: what it is compared with, fitted on the tickets that the bundle was trained on.

    Returns:
        An `eval.report.record.Record`.

    Raises:
        CascadeError: the bundle or a file cannot be used.
    """
    with llm_anew() as settings:
        return _judge(path, labelled, how, others, settings, say)


def _judge(
    path: Path,
    labelled: Labelled,
    how: How,
    others: Sequence[Approach],
    settings: LLMSettings,
    say: Callable[[str], None],
) -> dict[str, Any]:
    record, depth = _facts(path, labelled, how.seed), how.depth
    prices = read_prices(how.prices) if how.prices else read_prices()
    cascade = Cascade.load(path, llm=settings.backend)
    costs = read_costs(how.costs, cascade.queues, cascade.stage_names) if how.costs else None
    cascade.warm_up()
    some = labelled.sample(depth.timed, how.seed)
    # Before anything else, as neither an answer nor a search is stored yet.
    spent = in_process(cascade.route, some.texts)
    say(f"asking the cascade about {len(labelled):,} tickets")
    decisions = cascade.route(labelled.texts)
    own = routed(decisions, labelled.queues, spent)
    record["stages"] = by_stage(decisions, own.right(labelled), cascade.stage_names)
    record["promises"] = promises(cascade.gates, own, labelled)
    record["slices"] = slices(labelled, own.guess, own.acted_on)
    record["mistakes"] = mistakes(cascade, labelled, decisions, costs=costs, quote=how.quote)
    said, rows = _stages(path, cascade, labelled, some, prices, say)
    server = calls(decisions, LLM) if settings.url else (0.0, 0.0)
    rows.append(row(own, labelled, prices, server))
    rows[-1]["memory_mib"] = peak_memory(path, some.texts[:MEMORY_ON])
    for other in others:
        say(f"  {other.name}")
        said.append(said_by(other, "baseline", labelled, some))
        rows.append(row(said[-1], labelled, prices))
    if depth.asked and LLM in cascade.stage_names:
        say(f"  the language model, on {min(depth.asked, len(labelled)):,} tickets")
        asked = in_context(cascade, labelled, depth.asked, seed=how.seed, quiet=how.quiet)
        asked["cascade"] |= {key: spent[key] for key in TIMES}
        record["in_context"] = asked
        rows += llm_rows(asked, prices, served=bool(settings.url))
    record["rows"] = rows
    record["plots"] = pictures(labelled, [own, *said], rows, cascade.gates)
    return record | _long(path, cascade, labelled, some, how, settings, say)


def _long(
    path: Path,
    cascade: Cascade,
    labelled: Labelled,
    some: Labelled,
    how: How,
    settings: LLMSettings,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """What takes minutes and can be left out."""
    record: dict[str, Any] = {}
    if how.depth.http:
        say("through HTTP")
        record["http"] = load(path, [text for text in some.texts if text.strip()])
    if how.depth.repeated:
        say("the same tickets again and again")
        record["stability"] = stability(
            path,
            labelled.texts,
            tickets=how.depth.repeated,
            llm=settings,
            seed=how.seed,
            quiet=how.quiet,
        )
    if how.depth.stressed:
        say("the same tickets, changed")
        record["stress"] = stress(
            cascade, labelled, tickets=how.depth.stressed, seed=how.seed, quiet=how.quiet
        )
    return record


def _facts(path: Path, labelled: Labelled, seed: int) -> dict[str, Any]:
    """What was measured, on what, where and when."""
    bundle = Bundle.open(path)
    return {
        "title": f"{bundle.manifest.name} on {labelled.name}",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "commit": commit(),
        "data": {
            "bundle": bundle.id,
            "file": labelled.name,
            "tickets": len(labelled),
            "queues": {q: int((labelled.y == k).sum()) for k, q in enumerate(labelled.queues)},
            "trained_on": bundle.manifest.data,
        },
        "machine": machine(),
        "versions": bundle.manifest.versions,
        "notes": list(labelled.notes),
    }


def _stages(
    path: Path,
    cascade: Cascade,
    labelled: Labelled,
    some: Labelled,
    prices: Prices,
    say: Callable[[str], None],
) -> tuple[list[Verdicts], list[dict[str, Any]]]:
    """Each stage alone, and all of them about every ticket."""
    said, rows = [], []
    names: list[str | None] = [stage.name for stage in witnesses(cascade)]
    for approach, name in zip(
        [*map(alone, witnesses(cascade)), always_on(cascade)], [*names, None], strict=True
    ):
        say(f"  {approach.name}")
        said.append(said_by(approach, "stage", labelled, some))
        rows.append(row(said[-1], labelled, prices))
        if name:
            rows[-1]["memory_mib"] = peak_memory(path, some.texts[:MEMORY_ON], name)
    return said, rows
