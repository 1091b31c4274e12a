"""Fitting the gates of a bundle anew, on other labelled tickets, and for another language model."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cascade.bundle import CARD, Bundle, Columns
from cascade.errors import InputError
from cascade.files import has_column
from cascade.gate import Gates
from cascade.llm.mask import mask
from cascade.llm.settings import LLMSettings
from cascade.loading import GATES, load_gates, load_scope, load_stages, open_bundle
from cascade.machine import cores
from cascade.saving import write
from cascade.stages.base import QUEUE, Adviser, Probabilities, Stage
from cascade.stages.llm import LLMStage
from train.arrange import arranged, expected
from train.budget import read_budgets
from train.costs import read_costs
from train.gates import lead_through
from train.measures import one_by_one
from train.plan import with_plan
from train.promise import Promise, fewest_tickets
from train.read import Table, encode, read_table
from train.scope import verdicts
from train.stages import Asking
from train.witnesses import ADVISED, Witnesses

FEWEST = 40
"""Fewest tickets that thresholds are looked for on where nothing is promised."""
MANY_ADVISED = 1_000
"""Most tickets of either half that an adviser is asked about where its worth is weighed."""
KNOWN = 0.02
"""Share of the tickets that may be among the bundle's own examples, as some do come twice."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What an operator asks of the gates.

    Attributes:
        promise: None where costs alone decide what is settled.
        costs: ``costs.toml``.
        budgets: such as ``llm<=4%``.
    """

    promise: Promise | None = field(default_factory=Promise)
    costs: Path | None = None
    budgets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fitted:
    """Gates that were fitted, and the files of the bundle that they are for.

    Attributes:
        changed: content of the files that differ from the bundle's.
    """

    bundle: Bundle
    gates: Gates
    changed: dict[str, bytes]

    def save(self) -> Bundle:
        """Write the bundle with these gates: a crash leaves the old one or the new one."""
        files = {name: self.bundle.read(name) for name in self.bundle.files} | self.changed
        return write(self.bundle.path, self.bundle.manifest, files)


def refit(
    path: Path,
    file: Path,
    wishes: Wishes,
    *,
    columns: Columns | None = None,
    llm: LLMSettings | None = None,
    encoding: str = "utf-8",
    seed: int = 0,
    quiet: bool = False,
    say: Say = print,
) -> Fitted:
    """Fit the gates of a bundle on labelled tickets that it was not trained on.

    Args:
        path: the bundle's folder.
        file: the tickets, in columns as in training unless ``columns`` says otherwise.
        llm: who answers in the llm stage from now on.
        say: is given the lines for people.

    Raises:
        CascadeError: the bundle, the file or a wish cannot be used.
    """
    bundle = open_bundle(path)
    queues, names = bundle.manifest.heads[QUEUE], bundle.manifest.stages
    costs = read_costs(wishes.costs, queues, names) if wishes.costs else None
    budgets = read_budgets(wishes.budgets, names)
    if wishes.promise:
        wishes.promise.check(queues)
    tickets = _read(file, bundle, columns, encoding, wishes.promise, quiet, say)
    for doubt in costs.doubts(queues) if costs else ():
        say(f"mind: {doubt}")
    settings = (llm or LLMSettings()).found()
    stages = load_stages(bundle, cores(), settings.connect if "llm" in names else None)
    _warn_of_known(stages, tickets, file, say)
    heads = bundle.manifest.heads
    there = {name: its for name, its in heads.items() if name in (QUEUE, *tickets.also)}
    targets = encode(tickets, there)
    known: list[Probabilities] = []
    asking: list[Asking] = []
    ms: dict[str, NDArray[np.float64]] = {}
    for stage in stages:
        if isinstance(stage, Adviser):
            asking.append(Asking(stage, tickets.texts, quiet))
        else:
            answers, ms[stage.name] = one_by_one(stage, tickets.texts, quiet=quiet)
            known.append(answers)
    weighed = costs is not None or bool(budgets)
    most = MANY_ADVISED if weighed else ADVISED
    witnesses = Witnesses(names, [*known, *asking], targets, queues, most)

    def times() -> dict[str, NDArray[np.float64]]:
        """Each stage's, once an adviser was asked."""
        return ms | {its.name: np.full(len(tickets), its.ms) for its in asking}

    y, scope = targets[QUEUE], load_scope(bundle)
    asked = wishes.promise or Promise()
    outcome = lead_through(
        witnesses,
        wishes.promise,
        outside=lambda joined: verdicts(scope, joined, known) if scope else joined.outside,
        arrange=arranged(y, times, costs, budgets, asked) if weighed else None,
        seed=seed,
    )
    gates = _with_other_heads(outcome.gates, bundle)
    gates.plan.update(expected(outcome, y, times(), costs, budgets, queues))
    gates.plan["data"] = {"file": file.name, "sha256": tickets.fingerprint, "rows": len(tickets)}
    changed = {GATES: json.dumps(gates.to_dict(), indent=2).encode()}
    for stage in stages:
        if isinstance(stage, LLMStage):
            changed |= {f"{stage.name}/{name}": data for name, data in stage.to_files().items()}
    changed[CARD] = with_plan(bundle.read(CARD).decode(), gates.plan).encode()
    return Fitted(bundle, gates, changed)


def _read(
    file: Path,
    bundle: Bundle,
    columns: Columns | None,
    encoding: str,
    promise: Promise | None,
    quiet: bool,
    say: Say,
) -> Table:
    """The tickets, each of a queue of the bundle, and enough of them."""
    trained = columns or bundle.manifest.columns
    also = tuple(name for name in trained.also if has_column(file, name, encoding))
    columns = replace(trained, also=also, date=None)
    tickets, report = read_table(file, columns, encoding=encoding, min_rows=1, quiet=quiet)
    for line in report.lines():
        say(line)
    queues = bundle.manifest.heads[QUEUE]
    known = {*queues, bundle.manifest.data.get("out_of_scope")}
    for number, label in zip(tickets.lines, tickets.labels, strict=True):
        if label not in known:
            count = tickets.labels.count(label)
            raise InputError(
                f"{file}, line {number}: {label[:40]!r} ({count:,} rows) is no queue of "
                f"{bundle.path}; it has {', '.join(queues)}. Leave these rows out, or train again"
            )
    least = 2 * fewest_tickets(promise.target, promise.confidence) if promise else FEWEST
    if len(tickets) < least:
        raise InputError(
            f"{file}: {len(tickets):,} tickets are too few; "
            + (
                f"to show that {promise} with {promise.confidence:.0%} confidence takes at least "
                f"{least:,}, even if none is settled wrongly"
                if promise
                else f"{least} at least, and some hundreds to mean something"
            )
        )
    return tickets


def _warn_of_known(stages: Sequence[Stage | Adviser], tickets: Table, file: Path, say: Say) -> None:
    """Tell if tickets are among the bundle's examples: what was trained on proves nothing."""
    pools = [stage.pool for stage in stages if isinstance(stage, LLMStage)]
    if not pools:
        return
    examples = set(pools[0].texts)
    known = sum(mask(text) in examples for text in tickets.texts)
    if known > KNOWN * len(tickets):
        say(
            f"mind: {known:,} of {len(tickets):,} tickets of {file} are examples of the bundle, so "
            "it was trained on such; what is promised will not hold for new ones"
        )


def _with_other_heads(gates: Gates, bundle: Bundle) -> Gates:
    """The gates with the bundle's own joins for labels that the tickets do not have."""
    if all(set(gate.joins) == set(bundle.manifest.heads) for gate in gates.gates):
        return gates
    old = load_gates(bundle).gates
    merged = tuple(
        replace(gate, joins={**its.joins, **gate.joins})
        for gate, its in zip(gates.gates, old, strict=True)
    )
    return Gates(merged, gates.plan)
