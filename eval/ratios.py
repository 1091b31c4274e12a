"""What a cascade saves: the same tickets through it and through other ways, as ratios in one run.

    python -m eval.ratios bundles/eval/it_service_topics it_service_topics

The cascade stands there with its own gates, and with gates fitted anew so that fewer tickets may
reach the encoder: each is a point that ``cascade gate --budget "encoder<=20%"`` gives. At the end
stands its linear stage alone, which is what a bundle trained with ``--minutes 0`` is. Everything is
asked about the whole test split once; then all take turns at the same tickets, with one thread
each, so that whatever else the machine does slows them alike. Writes eval/results/ratios.json.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from cascade.bundle import Bundle
from cascade.errors import CascadeError, InputError
from cascade.loading import load_scope, load_stages
from cascade.router import Cascade
from eval import tables
from eval.approach import Approach, Routed, alone, guesses, witnesses
from eval.checkout import commit
from eval.datasets import DATASETS, RESULTS, Files, data_folder
from eval.labelled import Labelled
from eval.latency import machine
from eval.options import command_line
from eval.paired import drop
from eval.peers import PEERS
from eval.splits import splits_of
from train.fit import read_split
from train.measures import quality
from train.options import Options
from train.promise import Promise
from train.refit import Wishes, refit

BUDGETS = ("encoder<=20%", "encoder<=10%")
OTHERS = ("setfit", "model2vec")
SAME = "same_encoder"
OUR_OWN = "our own"
ROUNDS = 5
TIMED = 400
"""Tickets that are timed, the same ones for all."""


class _Named:
    """An approach under another name."""

    def __init__(self, name: str, approach: Approach) -> None:
        self.name, self.predict = name, approach.predict
        self.note = getattr(approach, "note", OUR_OWN)


def ratios(
    bundle: Bundle,
    files: Files,
    *,
    budgets: Sequence[str] = BUDGETS,
    others: Sequence[str] = OTHERS,
    whole: Bundle | None = None,
    rounds: int = ROUNDS,
    seed: int = 0,
    quiet: bool = False,
) -> dict[str, Any]:
    """Time a cascade beside other ways to route the same tickets.

    Args:
        bundle: with an encoder, trained on the files' training split.
        budgets: of further cascades of the same stages; see `train.budget`.
        others: of `eval.peers.PEERS`, and `SAME`, the encoder in a pipeline of transformers.
        whole: a bundle of the same tickets, of which the encoder is to stand there as well, alone
            and as `SAME`: one of all layers beside one of fewer.
        rounds: how often each is timed; medians are told.

    Returns:
        ``tickets`` that quality was measured on; ``ours``, a row a cascade: ``name``, quality
        (`train.measures.quality`), ``cpu_ms`` a ticket one by one and ``batch_cpu_ms`` in one
        call; ``others``, such rows with ``note`` and ``beside``: by the name of each of ours
        ``speed`` (how many times the tickets per CPU second), ``alone`` (the same, one by one) and
        ``loss`` (its macro-F1 less ours) with ``loss_95``, a paired interval.

    Raises:
        CascadeError: the bundle is not of these files, or a library is missing.
    """
    options = Options(bundle.manifest.columns, seed=seed, min_rows=files.min_rows, quiet=True)
    learned, test = splits_of(bundle, files, options)
    cascades = _cascades(bundle, files, options, budgets)
    by_name = {its.name: its for its in witnesses(cascades[0][1])}
    ours: list[Approach] = [_Named(name, Routed(cascade)) for name, cascade in cascades]
    ours.append(alone(by_name["linear"]))
    rivals: list[Approach] = [alone(by_name["encoder"])]
    if whole:
        if whole.manifest.data["sha256"] != bundle.manifest.data["sha256"]:
            raise InputError(f"{whole.path}: was trained on other tickets than {bundle.path}")
        stages = witnesses(Cascade.load(whole.path, threads=1))
        encoder = next(stage for stage in stages if stage.name == "encoder")
        rivals.append(_Named("encoder alone, all layers", alone(encoder)))
    rivals += _fitted(others, bundle, whole, learned, seed, quiet)
    told = {its.name: its for its in [*ours, *rivals]}
    # As ours: threads that wait for each other would count as work.
    torch.set_num_threads(1)
    with threadpool_limits(1):
        answers = {
            name: guesses(its.predict(test.texts))
            for name, its in tqdm(told.items(), desc="asking", unit="way", disable=quiet)
        }
        took = _timed(told, test.sample(TIMED, seed).texts, rounds, quiet)
    rows = {
        name: {
            "name": name,
            **quality(test.y, answer, len(test.queues)),
            **{key: round(value, 4) for key, value in took[name].items()},
        }
        for name, answer in answers.items()
    }
    for rival in rivals:
        beside = {its.name: _beside(rival.name, its.name, answers, test, took) for its in ours}
        rows[rival.name] |= {"note": getattr(rival, "note", OUR_OWN), "beside": beside}
    return {
        "tickets": len(test),
        "rounds": rounds,
        "ours": [rows[its.name] for its in ours],
        "others": [rows[its.name] for its in rivals],
    }


def _cascades(
    bundle: Bundle, files: Files, options: Options, budgets: Sequence[str]
) -> list[tuple[str, Cascade]]:
    """The bundle's own cascade, and one for each budget, of the same stages."""
    own = Cascade.load(bundle.path, threads=1)
    stages, heads = load_stages(bundle, 1, None), bundle.manifest.heads
    promise = Promise(**own.gates.plan["promise"])
    made = [("cascade", own)]
    with TemporaryDirectory() as folder:
        gate = Path(folder) / "gate.csv"
        _write_gate_split(gate, files, options)
        for budget in budgets:
            wishes = Wishes(promise, budgets=(budget,))
            fitted = refit(bundle.path, gate, wishes, quiet=True, say=lambda line: None)
            its = Cascade(stages, fitted.gates, heads, scope=load_scope(bundle), threads=1)
            made.append((f"cascade, {budget}", its))
    return made


def _write_gate_split(path: Path, files: Files, options: Options) -> None:
    """The tickets that the bundle's gates were fitted on."""
    tickets, _, split = read_split(files.train, options, lambda line: None)
    columns = options.columns
    with path.open("w", encoding="utf-8", newline="") as file:
        write = csv.writer(file)
        # A text of several columns is one by now; the others are left empty.
        rest = list(columns.text[1:])
        write.writerow([columns.text[0], columns.label, *rest])
        for row in split.gate:
            write.writerow([tickets.texts[row], tickets.labels[row], *("" for _ in rest)])


def _fitted(
    names: Sequence[str],
    bundle: Bundle,
    whole: Bundle | None,
    learned: Labelled,
    seed: int,
    quiet: bool,
) -> list[Approach]:
    made: list[Approach] = []
    for name in tqdm(names, desc="fitting others", unit="way", disable=quiet):
        if name != SAME:
            made.append(PEERS[name](learned, seed))
            continue
        from eval.peers.same_encoder import same_encoder

        made.append(same_encoder(bundle))
        if whole:
            made.append(_Named(f"{made[-1].name}, all layers", same_encoder(whole)))
    return made


def _timed(
    approaches: Mapping[str, Approach], texts: Sequence[str], rounds: int, quiet: bool
) -> dict[str, dict[str, float]]:
    """``cpu_ms`` and ``batch_cpu_ms`` a ticket of each, medians over the rounds."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in approaches}
    for its in approaches.values():  # what is made at the first call is no ticket's own time
        its.predict(texts[:20])
    with tqdm(total=rounds * len(approaches), desc="timing", disable=quiet) as bar:
        for _ in range(rounds):
            for name, its in approaches.items():
                one_by_one = sum(_cpu_ms(its, [text]) for text in texts) / len(texts)
                found[name].append((one_by_one, _cpu_ms(its, texts)))
                bar.update()
    middle = {name: np.median(times, axis=0) for name, times in found.items()}
    return {
        name: {"cpu_ms": float(alone), "batch_cpu_ms": float(batch)}
        for name, (alone, batch) in middle.items()
    }


def _cpu_ms(approach: Approach, texts: Sequence[str]) -> float:
    """CPU milliseconds a ticket in one call, over all threads."""
    began = time.process_time()
    approach.predict(texts)
    return (time.process_time() - began) * 1000 / len(texts)


def _beside(
    other: str,
    ours: str,
    answers: Mapping[str, NDArray[np.int64]],
    test: Labelled,
    took: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    lost = drop(test.y, answers[other], answers[ours], len(test.queues))
    return {
        "speed": round(took[other]["batch_cpu_ms"] / took[ours]["batch_cpu_ms"], 2),
        "alone": round(took[other]["cpu_ms"] / took[ours]["cpu_ms"], 2),
        "loss": lost["drop"],
        "loss_95": lost["drop_95"],
    }


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path, exists=True))
@click.argument("name", metavar="SET", type=click.Choice(sorted(DATASETS)))
@click.option("--budget", "budgets", multiple=True, default=BUDGETS, show_default=True)
@click.option(
    "--other",
    "others",
    multiple=True,
    type=click.Choice([*PEERS, SAME]),
    default=(SAME, *OTHERS),
    show_default=True,
)
@click.option(
    "--whole",
    type=click.Path(path_type=Path, exists=True),
    help="Another bundle of SET, with an encoder of all layers, which stands there as well.",
)
@click.option("--rounds", default=ROUNDS, show_default=True)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data sets.")
@click.option("--keep", type=click.Path(path_type=Path), default=RESULTS / "ratios.json")
@click.option("--quiet", is_flag=True, help="No progress bars.")
@click.pass_context
def main(
    context: click.Context,
    bundle: Path,
    name: str,
    budgets: tuple[str, ...],
    others: tuple[str, ...],
    whole: Path | None,
    rounds: int,
    data: Path | None,
    keep: Path,
    quiet: bool,
) -> None:
    """Time BUNDLE, trained on SET, beside other ways to route its tickets."""
    opened = Bundle.open(bundle)
    with TemporaryDirectory() as work:
        files = DATASETS[name](data_folder(data), Path(work))
        told = ratios(
            opened,
            files,
            budgets=budgets,
            others=others,
            whole=Bundle.open(whole) if whole else None,
            rounds=rounds,
            quiet=quiet,
        )
    made_by = {
        "command": command_line(context, "eval.ratios"),
        "commit": commit(),
        "bundle": opened.id,
        "machine": machine(),
    }
    keep.write_text(json.dumps(made_by | told, indent=1) + "\n", encoding="utf-8")
    click.echo("\n".join(tables.ratios(told)))


if __name__ == "__main__":
    try:
        main()
    except CascadeError as error:
        raise SystemExit(f"eval.ratios: {error}") from None
