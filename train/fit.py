"""From a file of past tickets to a bundle."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade import bundle
from cascade.batch import output_columns
from cascade.bundle import Bundle, Columns, Manifest
from cascade.clean import VERSION as CLEAN_VERSION
from cascade.errors import InputError, MissingExtraError
from cascade.machine import cores
from cascade.router import Cascade
from cascade.stages.base import QUEUE, Stage
from train.gates import fit_gates
from train.linear import LinearFit, fit_linear
from train.read import MIN_ROWS, Table, encode, heads_of, read_table
from train.report import evaluate, model_card, table
from train.split import Split, split_by_time, split_randomly

HELD_OUT = 0.1
MOST_HELD_OUT = 10_000
"""Tickets beyond this sharpen neither the gates nor the figures, but cost encoder time."""
INT8_ROWS = 2_000
"""Most gate tickets that int8 is compared with float32 on."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a user can choose about training.

    Attributes:
        columns: of the training file.
        minutes: most time for fine-tuning the encoder; 0 leaves the encoder out.
        encoder: local folder or hub id of the pretrained encoder; None for all-MiniLM-L6-v2.
        tokens: most tokens of a ticket that the encoder reads.
        target: precision that the tickets settled at each stage should have.
        test_file: tickets to test on; by default a tenth of the training file.
        seed: of the split and of everything drawn at random.
    """

    columns: Columns
    minutes: float = 15.0
    encoder: str | None = None
    tokens: int = 256
    target: float = 0.95
    test_file: Path | None = None
    encoding: str = "utf-8"
    min_rows: int = MIN_ROWS
    seed: int = 0
    quiet: bool = False


@dataclass(slots=True)
class _Made:
    """What is there so far: stages with the files that hold them, and notes for the card."""

    stages: list[Stage] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


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
    bundle.check_target(out)
    _check_names(options.columns.also)
    tickets, held, split = _read(path, options, say)
    heads = heads_of(tickets)
    for name, classes in heads.items():
        say(f"{name}: {len(classes)} classes: {_shorten(classes)}")
    say(f"split {split.how}")
    targets = encode(tickets, heads)
    train_targets = {name: y[split.train] for name, y in targets.items()}
    train_texts = [tickets.texts[i] for i in split.train]
    gate_texts = [tickets.texts[i] for i in split.gate]
    gate_targets = {name: y[split.gate] for name, y in targets.items()}

    made = _Made()
    linear = fit_linear(train_texts, train_targets, heads, seed=options.seed, quiet=options.quiet)
    made.stages.append(linear.stage)
    made.files |= _under("linear", linear.stage.to_files())
    made.notes["linear"] = linear.notes
    if options.minutes > 0:
        _add_encoder(
            made,
            (train_texts, train_targets, linear),
            (gate_texts, gate_targets[QUEUE]),
            heads,
            options,
            _checkpoint_file(out),
            say,
        )
    say(f"fitting the gates on {len(gate_texts):,} tickets")
    gates = fit_gates(
        [stage.name for stage in made.stages],
        [stage.predict(gate_texts) for stage in made.stages],
        gate_targets,
        target=options.target,
    )
    for gate in gates.gates:
        say(
            f"  {gate.stage}: settles {gate.coverage:.1%} of what reaches it, "
            f"{gate.precision:.1%} of it right (confidence >= {gate.threshold:.3f})"
            if gate.coverage
            else f"  {gate.stage}: settles nothing, as no threshold keeps {gates.target:.0%}"
        )
    made.files["gates.json"] = json.dumps(gates.to_dict(), indent=2).encode()

    test = held if held is not None else tickets.take(split.test)
    say(f"testing on {len(test):,} tickets")
    figures = evaluate(Cascade(made.stages, gates, heads), test.texts, encode(test, heads))
    manifest = Manifest(
        name=out.resolve().name,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        heads=heads,
        stages=tuple(stage.name for stage in made.stages),
        columns=options.columns,
        clean_version=CLEAN_VERSION,
        data={
            "file": path.name,
            "sha256": tickets.fingerprint,
            "rows": len(tickets),
            "train": len(split.train),
            "gate": len(split.gate),
            "test": len(test),
            "split": split.how,
        },
        versions=_versions(),
        seed=options.seed,
        figures=figures,
    )
    made.files["card.md"] = model_card(manifest, made.notes).encode()
    written = bundle.write(out, manifest, made.files)
    _checkpoint_file(out).unlink(missing_ok=True)
    for line in ["", *table(figures), "", f"wrote {out} ({written.id})"]:
        say(line)
    return written


def _check_names(also: Sequence[str]) -> None:
    names = output_columns([QUEUE, *also])
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"--also {', '.join(also)}: scored files would have the column {twice[0]!r} twice; "
            "rename it"
        )


def _read(
    path: Path, options: Options, say: Callable[[str], None]
) -> tuple[Table, Table | None, Split]:
    """The training file, the test file if one is named, and the split of the former."""
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
    test = 0.0 if held else share
    if tickets.dates:
        split = split_by_time(tickets.dates, gate=share, test=test)
    else:
        split = split_randomly(
            tickets.texts, tickets.labels, gate=share, test=test, seed=options.seed
        )
    return tickets, held, split


def _add_encoder(
    made: _Made,
    train_on: tuple[list[str], dict[str, NDArray[np.int64]], LinearFit],
    judge_on: tuple[list[str], NDArray[np.int64]],
    heads: dict[str, tuple[str, ...]],
    options: Options,
    checkpoint_file: Path,
    say: Callable[[str], None],
) -> None:
    """Fine-tune, export and add the encoder stage."""
    try:
        import torch
    except ImportError:
        raise MissingExtraError("torch", "train") from None
    from tokenizers import Tokenizer

    from cascade.stages.encoder import EncoderStage, TokenWindow
    from train.bert import Encoder, most_tokens, pretrained
    from train.encoder import fit_encoder
    from train.export import export
    from train.recipe import Lessons, Recipe

    texts, targets, linear = train_on
    torch.manual_seed(options.seed)
    torch.set_num_threads(cores())
    backbone, tokenizer, name = pretrained(options.encoder)
    most = min(options.tokens, most_tokens(backbone))
    window = TokenWindow(Tokenizer.from_str(tokenizer), most, HEAD_SHARE)
    recipe = Recipe(minutes=options.minutes)
    width = sum(len(classes) for classes in heads.values())
    model = Encoder(backbone, width, recipe.dropout)
    lessons = Lessons([window(text) for text in texts], targets, linear.out_of_fold)
    say(f"fine-tuning {name} on up to {len(texts):,} tickets, {options.minutes:g} minutes at most")
    history = fit_encoder(
        model,
        lessons,
        heads,
        recipe,
        checkpoint_file=checkpoint_file,
        seed=options.seed,
        quiet=options.quiet,
    )
    say("exporting to ONNX")
    rows = np.random.default_rng(options.seed).permutation(len(judge_on[0]))[:INT8_ROWS]
    exported = export(
        model, window, heads, [judge_on[0][i] for i in rows], judge_on[1][rows], threads=cores()
    )
    cost = exported.notes["int8_macro_f1_cost"]
    if exported.precision == "float32":
        say(f"int8 would cost {cost} macro-F1, more than is allowed: the encoder stays float32")
    else:
        say(f"int8 costs {cost} macro-F1 against float32")
    config = {"cap": most, "head_share": HEAD_SHARE, "precision": exported.precision}
    made.files |= _under(
        "encoder",
        {
            "model.onnx": exported.model,
            "tokenizer.json": tokenizer.encode(),
            "config.json": json.dumps(config, indent=2).encode(),
        },
    )
    made.stages.append(EncoderStage(exported.model, window, heads, cores()))
    made.notes["encoder"] = {"base": name, **config, **exported.notes}
    made.notes["encoder training"] = {
        "minutes": round(history[-1]["seconds"] / 60, 1),
        "passes": history[-1]["pass"],
        "best held-out log-loss": min(entry["loss"] for entry in history),
    }


HEAD_SHARE = 0.75
"""Share of a long ticket's tokens that come from its start, the rest from its end."""


def _checkpoint_file(out: Path) -> Path:
    return out.parent / f".{out.name}.checkpoint.safetensors"


def _under(folder: str, files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{name}": data for name, data in files.items()}


def _shorten(values: tuple[str, ...], most: int = 12) -> str:
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(values[:most]) + more


def _versions() -> dict[str, str]:
    names = ("ticket-cascade", "scikit-learn", "torch", "transformers", "onnxruntime", "tokenizers")
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
