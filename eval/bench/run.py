"""All that ``cascade bench`` measures of a bundle, in about the time that it is given."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from cascade.bundle import Bundle
from cascade.clean import clean
from cascade.errors import InputError
from cascade.llm.base import Answer, Backend, NoAnswer, Question
from cascade.llm.settings import LLMSettings
from cascade.router import Cascade
from cascade.stages.base import Adviser
from eval.bench.bounds import Bound, bound
from eval.bench.clock import BATCH, SMALL, Ask, clocked, significant
from eval.bench.limits import copying
from eval.bench.texts import LENGTHS, of_length, with_words
from eval.child import call
from eval.latency import machine, peak_mib

CLEAN, ROUTE = "clean", "route"
LIMIT_SHARE = 0.02
"""Of the time, for each of the machine's limits; the rest is for the bundle."""
MADE = 2048
"""Texts of each length: more than what a stage remembers answers of."""
LAST = 5
"""What the last line is worth in others' time: it routes tickets as they come, to size by."""


class Nobody:
    """A `Backend` in place of a server: questions are put together, and nobody is asked."""

    name = "nobody"

    def ask(self, question: Question, deadline: float) -> Answer:
        """See `Backend.ask`."""
        raise NoAnswer("open", "no server is asked while times are taken")


def in_process(bundle_id: str) -> Backend:
    """Who answers in the llm stage without leaving this process: a reader, or nobody."""
    settings = LLMSettings.read(os.environ)
    return Nobody() if settings.url else settings.connect(bundle_id)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table, to be measured.

    Attributes:
        stage: its name, or `CLEAN` or `ROUTE`.
        words: of each text; None for tickets as they come.
        ask: takes texts.
        texts: raw ones for `CLEAN` and `ROUTE`, else cleaned ones.
        settled: by stage, how many tickets `ROUTE` was asked about.
    """

    stage: str
    words: int | None
    ask: Ask
    texts: Sequence[str]
    settled: Counter[str] = field(default_factory=Counter)


def bench(
    path: Path, texts: Sequence[str], seconds: float, *, quiet: bool = True
) -> dict[str, Any]:
    """Measure a bundle and the machine's own limits, all on one core.

    Args:
        path: of the bundle.
        texts: raw tickets, as they come.
        seconds: about how long it may take.

    Returns:
        ``bundle``, ``seconds``, ``machine``; ``load``: see `loading`; ``limits``: ``copy_gb_s``,
        and by stage what its `Bound` tells of the machine; ``rows``: a dict for each stage and
        length with ``stage``, ``words`` (None: as they come), ``asked`` (whether the gates ask the
        stage), what `clocked` returns, for a bounded stage what its `Bound` tells of these texts
        and ``reached``, the share of ``limit_ms`` in a batch's CPU time, and for ``route``
        ``settled``, the share of each stage.

    Raises:
        CascadeError: the bundle cannot be loaded, or cleaning leaves nothing of any ticket.
    """
    began = time.perf_counter()
    opened = Bundle.open(path)
    load = call(loading, bundle=str(path.resolve()), texts=list(texts[:BATCH]))
    cascade = Cascade.load(path, threads=1, llm=in_process)
    cascade.warm_up()
    limit = LIMIT_SHARE * seconds
    limits: dict[str, Any] = {"copy_gb_s": significant(copying(limit))}
    bounds = {}
    for stage in cascade.stages:
        its = bound(opened, stage, limit)
        if its:
            bounds[stage.name], limits[stage.name] = its, its.told
    asked = dict(zip(cascade.stage_names, cascade.gates.asked, strict=True))
    lines = list(_lines(cascade, texts))
    worth = [1] * (len(lines) - 1) + [LAST]
    rows = []
    bar = tqdm(lines, desc="timing", unit="line", disable=quiet)
    for at, line in enumerate(bar):
        bar.set_postfix_str(line.stage, refresh=False)
        # What a quick line does not need of its share is left to the others.
        left = max(0.0, began + seconds - time.perf_counter()) * worth[at] / sum(worth[at:])
        row = {"stage": line.stage, "words": line.words, "asked": asked.get(line.stage, True)}
        rows.append(row | _measured(line, left, bounds.get(line.stage)))
    return {
        "bundle": opened.id,
        "seconds": round(time.perf_counter() - began, 1),
        "machine": machine(),
        "load": load,
        "limits": limits,
        "rows": rows,
    }


def _measured(line: Line, seconds: float, bound: Bound | None) -> dict[str, Any]:
    # Few of the tickets that come are slow, so few of them would say little of the whole.
    smallest = BATCH if line.stage == ROUTE and line.words is None else SMALL
    told = clocked(line.ask, line.texts, seconds, smallest)
    if bound:
        told |= bound.of(line.texts[:BATCH])
        known = told["limit_ms"] is not None
        told["reached"] = significant(told["limit_ms"] / told["batch"]["cpu_ms"]) if known else None
    if line.settled:
        whole = line.settled.total()
        told["settled"] = {stage: round(n / whole, 4) for stage, n in line.settled.most_common()}
    return told


def loading(bundle: str, texts: list[str]) -> dict[str, float]:
    """For a fresh process: what it takes to load a bundle, and to route tickets one by one.

    Returns:
        ``seconds`` to load it, its files in the system's memory, libraries included that only some
        bundles need; ``mib``: most memory that the process held.
    """
    began = time.perf_counter()
    cascade = Cascade.load(bundle, threads=1, llm=in_process)
    seconds = time.perf_counter() - began
    for text in texts:
        cascade.route([text])
    return {"seconds": round(seconds, 3), "mib": round(peak_mib(), 1)}


def _lines(cascade: Cascade, texts: Sequence[str]) -> Iterator[Line]:
    """Cleaning, the stages in their order and the whole route; each at all lengths."""
    cleaned = with_words(clean(text) for text in texts)
    if not cleaned:
        raise InputError("cleaning leaves nothing of these tickets; name other ones: --tickets")
    raw: dict[int | None, Sequence[str]] = {n: of_length(texts, n, MADE) for n in LENGTHS}
    bare: dict[int | None, Sequence[str]] = {n: of_length(cleaned, n, MADE) for n in LENGTHS}
    raw[None], bare[None] = texts, cleaned
    for words, its in raw.items():
        yield Line(CLEAN, words, lambda given: [clean(text) for text in given], its)
    for stage in cascade.stages:
        ask = _advising(stage, len(cascade.queues)) if isinstance(stage, Adviser) else stage.predict
        for words, its in bare.items():
            yield Line(stage.name, words, ask, its)
    for words, its in raw.items():
        settled: Counter[str] = Counter()
        yield Line(ROUTE, words, _routing(cascade, settled), its, settled)


def _routing(cascade: Cascade, settled: Counter[str]) -> Ask:
    return lambda given: settled.update(its.stage for its in cascade.route(given))


def _advising(stage: Adviser, queues: int) -> Ask:
    def advise(given: Sequence[str]) -> object:
        return stage.advise(given, np.full((len(given), queues), 1 / queues, np.float32), None)

    return advise
