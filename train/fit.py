"""From a file of past tickets to a bundle."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.batch import output_columns
from cascade.bundle import Bundle, Manifest
from cascade.clean import VERSION as CLEAN_VERSION
from cascade.errors import InputError
from cascade.gate import Gates
from cascade.loading import GATES
from cascade.machine import versions
from cascade.queues import read_descriptions
from cascade.router import Cascade
from cascade.saving import check_target, write
from cascade.scope import FOLDER, Scope
from cascade.stages.base import QUEUE
from train.gates import lead_through
from train.linear import LinearFit, fit_linear
from train.noise import ids_by_line, write_suspects
from train.options import Options
from train.plan import describe, with_plan
from train.read import Table, encode, heads_of, read_table
from train.report import evaluate, model_card, table
from train.scope import Judges, tell
from train.split import Split, split_by_time, split_randomly
from train.stages import Made, add_encoder, add_examples, witness
from train.took import Took
from train.witnesses import Witnesses

HELD_OUT = 0.1
MOST_HELD_OUT = 10_000
"""Tickets beyond this sharpen neither the gates nor the figures, but cost encoder time."""
ENOUGH_GATE, MOST_GATE = 1_000, 0.2
"""A promise takes some hundreds of tickets to prove, so a small file gives more than a tenth of
itself to the gates, up to the second figure."""


def train(path: Path, out: Path, options: Options, say: Callable[[str], None] = print) -> Bundle:
    """Train a cascade on a file of past tickets and write its bundle.

    Args:
        path: the file; its name tells the format.
        out: the bundle's folder.
        say: is given the lines for people.

    Raises:
        CascadeError: the file cannot be used, or nothing can be learned from it.
        train.encoder.Interrupted: Ctrl-C while fine-tuning; the same call goes on from there.
    """
    check_target(out)
    _check_names(options.columns.also)
    if options.layers and not options.minutes:
        raise InputError("--encoder-layers: with --minutes 0 there is no encoder")
    made = Made()
    tickets, held, split = read_split(path, options, say, made.took)
    heads = _heads(path, tickets, options.out_of_scope)
    for name, classes in heads.items():
        say(f"{name}: {len(classes)} classes: {_shorten(classes)}")
    say(f"split {split.how}")
    if options.queues:
        read_descriptions(options.queues, heads[QUEUE])  # mistakes show before the training
    targets = encode(tickets, heads)
    belongs = targets[QUEUE] >= 0
    train_rows, outside_rows = (split.train[belongs[split.train] == side] for side in (True, False))
    train_targets = {name: y[train_rows] for name, y in targets.items()}
    train_texts = [tickets.texts[i] for i in train_rows]

    linear = fit_linear(
        train_texts,
        train_targets,
        heads,
        trust_labels=options.trust_labels,
        seed=options.seed,
        quiet=options.quiet,
    )
    made.add(linear.stage, linear.stage.to_files(), linear.notes)
    made.took.lap("linear stage")
    if not options.trust_labels:
        _list_suspects(path, out, linear, tickets.take(train_rows), heads[QUEUE], options, say)
        made.took.lap("list of suspects")
    if options.minutes > 0:
        judged = split.gate[belongs[split.gate]]
        add_encoder(
            made,
            (train_texts, train_targets, linear),
            ([tickets.texts[i] for i in judged], targets[QUEUE][judged]),
            heads,
            options,
            _checkpoint_file(out),
            say,
        )
    if options.llm:
        add_examples(made, train_texts, train_targets, heads, linear, options, say)
    say(f"fitting the gates on {len(split.gate):,} tickets")
    gate = tickets.take(split.gate)
    outside = [tickets.texts[i] for i in outside_rows]
    gates, scope = _fit_gates(made, gate, (train_texts, train_targets), outside, heads, options)
    for line in describe(gates.plan):
        say(f"  {line}")
    made.took.lap("gates")

    test = held if held is not None else tickets.take(split.test)
    test = test.take(np.flatnonzero(encode(test, heads)[QUEUE] >= 0))
    say(f"testing on {len(test):,} tickets")
    cascade = Cascade(made.stages, gates, heads, scope=scope)
    figures = evaluate(cascade, test.texts, encode(test, heads))
    made.took.lap("testing")
    figures["training"] = made.took.to_plain()
    data = {
        "file": path.name,
        "sha256": tickets.fingerprint,
        "rows": len(tickets),
        "train": len(split.train),
        "gate": len(split.gate),
        "test": len(test),
        "split": split.how,
        **({"out_of_scope": options.out_of_scope} if options.out_of_scope else {}),
    }
    manifest = _manifest(out, data, heads, cascade.stage_names, figures, options)
    made.files["card.md"] = with_plan(model_card(manifest, made.notes), gates.plan).encode()
    written = write(out, manifest, made.files)
    _checkpoint_file(out).unlink(missing_ok=True)
    took = made.took.lines(options.minutes)
    for line in ["", *table(figures), "", *took, "", f"wrote {out} ({written.id})"]:
        say(line)
    return written


def _fit_gates(
    made: Made,
    gate: Table,
    learned: tuple[list[str], dict[str, NDArray[np.int64]]],
    outside: list[str],
    heads: dict[str, tuple[str, ...]],
    options: Options,
) -> tuple[Gates, Scope]:
    """Fit the gates, and who belongs to no queue; their files are added.

    Args:
        gate: the gate split.
        learned: texts and targets of the train split.
        outside: texts of past tickets that belong to no queue, in no split.
    """
    targets = encode(gate, heads)
    seen = [witness(stage, gate.texts, options.quiet) for stage in made.stages]
    known = [its for its in seen if not callable(its)]
    texts, learned_targets = learned
    judges = Judges(
        tell(
            made.stages,
            (known, targets[QUEUE]),
            (texts, learned_targets[QUEUE]),
            outside,
            seed=options.seed,
        )
    )
    witnesses = Witnesses([stage.name for stage in made.stages], seen, targets, heads[QUEUE])
    gates = lead_through(witnesses, options.promise, outside=judges, seed=options.seed).gates
    made.files[GATES] = json.dumps(gates.to_dict(), indent=2).encode()
    if judges.scope.evidence:
        made.put(FOLDER, judges.scope.to_files())
    return gates, judges.scope


def _manifest(
    out: Path,
    data: dict[str, Any],
    heads: dict[str, tuple[str, ...]],
    stages: tuple[str, ...],
    figures: dict[str, Any],
    options: Options,
) -> Manifest:
    return Manifest(
        name=out.resolve().name,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        heads=heads,
        stages=stages,
        columns=options.columns,
        clean_version=CLEAN_VERSION,
        data=data,
        versions=versions(),
        seed=options.seed,
        figures=figures,
    )


def _heads(path: Path, tickets: Table, out_of_scope: str | None) -> dict[str, tuple[str, ...]]:
    """The classes of each head; the label of tickets of no queue is no class."""
    heads = heads_of(tickets)
    if out_of_scope is None:
        return heads
    if out_of_scope not in heads[QUEUE]:
        raise InputError(
            f"--out-of-scope {out_of_scope!r}: not one of the labels of {path} that have rows "
            f"enough; it has {_shorten(heads[QUEUE])}"
        )
    queues = tuple(queue for queue in heads[QUEUE] if queue != out_of_scope)
    if len(queues) < 2:
        raise InputError(f"{path}: has one label only beside {out_of_scope!r}; routing needs two")
    return {**heads, QUEUE: queues}


def _list_suspects(
    path: Path,
    out: Path,
    linear: LinearFit,
    tickets: Table,
    queues: Sequence[str],
    options: Options,
    say: Callable[[str], None],
) -> None:
    """Beside the bundle and not in it, as it quotes words of the tickets."""
    listed = out.parent / f"{out.name}.suspects.csv"
    column = options.columns.id
    ids = ids_by_line(path, column, options.encoding) if column else {}
    write_suspects(listed, linear.suspects, tickets, ids, linear.stage, queues)
    share = len(linear.suspects) / len(tickets)
    say(
        f"{len(linear.suspects):,} tickets ({share:.1%}) seem to be in the wrong queue; they count "
        f"less, and {listed} lists them to be looked at"
    )


def _check_names(also: Sequence[str]) -> None:
    names = output_columns([QUEUE, *also])
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"--also {', '.join(also)}: scored files would have the column {twice[0]!r} twice; "
            "rename it"
        )


def read_split(
    path: Path, options: Options, say: Callable[[str], None], took: Took | None = None
) -> tuple[Table, Table | None, Split]:
    """The training file, the test file if one is named, and the split of the former."""
    took = took or Took()
    tickets, report = read_table(
        path,
        options.columns,
        encoding=options.encoding,
        min_rows=options.min_rows,
        quiet=options.quiet,
    )
    for line in report.lines():
        say(line)
    share = min(HELD_OUT, MOST_HELD_OUT / len(tickets))
    gate_share = max(share, min(MOST_GATE, ENOUGH_GATE / len(tickets)))
    held = None
    if options.test_file:
        held, report = read_table(
            options.test_file,
            options.columns,
            encoding=options.encoding,
            min_rows=1,
            keep_duplicates=True,
            quiet=options.quiet,
        )
        for line in report.lines():
            say(line)
        unknown = sorted(set(held.labels) - set(tickets.labels))
        if unknown:
            raise InputError(
                f"{options.test_file}: the label {unknown[0]!r} is not in {path}, so it cannot "
                "be tested; drop its rows"
            )
    took.lap("reading and cleaning")
    test = 0.0 if held else share
    if tickets.dates:
        split = split_by_time(tickets.dates, gate=gate_share, test=test)
    else:
        split = split_randomly(
            tickets.texts, tickets.labels, gate=gate_share, test=test, seed=options.seed
        )
    took.lap("splitting")
    return tickets, held, split


def _checkpoint_file(out: Path) -> Path:
    return out.parent / f".{out.name}.checkpoint.safetensors"


def _shorten(values: tuple[str, ...], most: int = 12) -> str:
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(values[:most]) + more
