"""Which tickets the encoder should learn from, if it only has to be good where the linear stage is
unsure: ``python -m eval.training_mix``.

Each mix teaches an encoder for as many CPU minutes of one core, from the same seed. Gates are then
fitted on the gate split as `cascade train` fits them, and the cascade of the linear stage and this
encoder answers the tickets of the choice split, cut off the train split: on these a mix may be
chosen. The test split is answered as well, and looked at with ``--test``, once. Neither the
neighbours nor the language model take part, and the encoder stays in PyTorch.

What was learned is kept in the folder ``--work``, so that the same command goes on where it was
stopped. Writes eval/results/training_mix.json.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from cascade.errors import CascadeError
from cascade.stages.base import QUEUE, softmax
from cascade.stages.encoder import TokenWindow
from eval.datasets import DATASETS, RESULTS, ROOT, Files, data_folder
from eval.latency import machine
from eval.paired import drop
from train.bert import Encoder, pretrained
from train.encoder import fit_encoder
from train.fit import read_split
from train.gates import fit_gates
from train.linear import fit_linear
from train.measures import macro_f1, quality
from train.options import Options
from train.promise import Promise
from train.read import encode, heads_of
from train.recipe import Lessons, Recipe
from train.split import split_randomly
from train.stages import HEAD_SHARE
from train.tokens import embed
from train.walk import Walk
from train.witnesses import Witnesses

TRAIN, GATE, CHOICE, TEST = "train", "gate", "choice", "test"
TOKENS = 256
"""Most of a ticket that the encoder reads."""
Said = Mapping[str, NDArray[np.float32]]
"""Of each split the ``(n, k)`` probabilities of the queues."""


MIXES = {"mix": Recipe(), "all": Recipe(easy_share=1.0), "unsure": Recipe(easy_share=0.0)}
"""The first one is what `cascade train` takes, and what the others are compared with."""


@dataclass(frozen=True, slots=True)
class Data:
    """The splits of a data set, and what the linear stage says of them.

    Attributes:
        texts: of each split, cleaned.
        y: of each split the ``(n,)`` numbers of the queues.
        linear: of each split the linear stage's probabilities, of the train split out of fold.
    """

    queues: tuple[str, ...]
    texts: dict[str, list[str]]
    y: dict[str, NDArray[np.int64]]
    linear: Said

    def easy(self, split: str) -> NDArray[np.bool_]:
        """``(n,)`` tickets of which the linear stage is sure, as `train.recipe.Recipe` has it."""
        return np.asarray(self.linear[split].max(axis=1) >= Recipe().sure)


def prepare(files: Files, work: Path, *, seed: int = 0, quiet: bool = False) -> Data:
    """Split a data set as `cascade train` does, a choice split beside, and fit the linear stage.

    What the linear stage says is kept in ``work`` and read from there.
    """
    options = Options(
        files.columns, test_file=files.test, min_rows=files.min_rows, seed=seed, quiet=quiet
    )
    tickets, held, split = read_split(files.train, options, lambda line: None)
    queues = heads_of(tickets)[QUEUE]
    learned = tickets.take(split.train)
    share = len(split.gate) / len(learned)
    inner = split_randomly(learned.texts, learned.labels, gate=share, test=0, seed=seed)
    tables = {
        TRAIN: learned.take(inner.train),
        GATE: tickets.take(split.gate),
        CHOICE: learned.take(inner.gate),
        TEST: held if held is not None else tickets.take(split.test),
    }
    texts = {name: table.texts for name, table in tables.items()}
    y = {name: encode(table, {QUEUE: queues})[QUEUE] for name, table in tables.items()}
    kept = work / f"linear-{tickets.fingerprint[:12]}-{seed}.npz"
    if not kept.is_file():
        fit = fit_linear(texts[TRAIN], {QUEUE: y[TRAIN]}, {QUEUE: queues}, seed=seed, quiet=quiet)
        said = {name: fit.stage.predict(its)[QUEUE] for name, its in texts.items()}
        _keep(kept, said | {TRAIN: fit.out_of_fold[QUEUE]})
    return Data(queues, texts, y, _kept(kept))


def learn(
    data: Data,
    recipe: Recipe,
    kept: Path,
    *,
    encoder: str | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> Said:
    """What an encoder says of the splits that it did not learn from, once it is taught.

    Args:
        recipe: its minutes are those of CPU time.
        kept: file of what it said; what stands there is not learned again.
        encoder: folder or hub id of the pretrained one.
    """
    if kept.is_file():
        return _kept(kept)
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    backbone, tokenizer, _ = pretrained(encoder)
    window = TokenWindow(Tokenizer.from_str(tokenizer), TOKENS, HEAD_SHARE)
    ids = {name: [window(text) for text in texts] for name, texts in data.texts.items()}
    model = Encoder(backbone, len(data.queues), recipe.dropout)
    checkpoint = kept.with_suffix(".checkpoint.safetensors")
    history = fit_encoder(
        model,
        Lessons(ids[TRAIN], {QUEUE: data.y[TRAIN]}, data.linear[TRAIN]),
        {QUEUE: data.queues},
        recipe,
        checkpoint_file=checkpoint,
        seed=seed,
        clock=time.process_time,
        quiet=quiet,
    )
    said = {name: _ask(model, ids[name]) for name in (GATE, CHOICE, TEST)}
    _keep(kept, said | {"passes": np.asarray([history[-1]["pass"]], dtype=np.float32)})
    checkpoint.unlink(missing_ok=True)
    return _kept(kept)


@torch.no_grad()
def _ask(model: Encoder, ids: list[list[int]]) -> NDArray[np.float32]:
    return softmax(model.scores(torch.as_tensor(embed(model, ids))).numpy())


def answers(data: Data, said: Said, split: str) -> Walk:
    """The way of a split's tickets through a cascade of the linear stage and an encoder."""
    seen = [{QUEUE: data.linear[GATE]}, {QUEUE: said[GATE]}]
    names = ("linear", "encoder")
    gates = fit_gates(Witnesses(names, seen, {QUEUE: data.y[GATE]}, data.queues), Promise()).gates
    asked = [data.linear[split], said[split]]
    arrays = [gate.joins[QUEUE](asked[: at + 1]) for at, gate in enumerate(gates)]
    return Walk.along(gates, arrays, [None] * len(gates), data.y[split])


def judge(data: Data, said: Said, usual: Said, split: str) -> dict[str, Any]:
    """How good a cascade is on a split, and its encoder alone.

    Returns:
        ``cascade`` and ``encoder``: macro-F1 with its interval, and accuracy; ``against_mix``: what
        the cascade loses on the one whose encoder learned from the usual mix (below 0: it gains);
        ``reached``: the tickets that reach the encoder, ``unsure``: those of which the linear stage
        is not sure, the same for all mixes, each with their number and macro-F1.
    """
    y, k = data.y[split], len(data.queues)
    walk, other = answers(data, said, split), answers(data, usual, split)
    linear, alone = data.linear[split].argmax(axis=1), said[split].argmax(axis=1)

    def on(rows: NDArray[np.bool_]) -> dict[str, Any]:
        guesses = {"cascade": walk.best, "encoder": alone, "linear": linear}
        scores = {name: macro_f1(y[rows], its[rows], k) for name, its in guesses.items()}
        return {
            "tickets": int(rows.sum()),
            **{name: round(score, 4) for name, score in scores.items()},
        }

    return {
        "cascade": quality(y, walk.best, k),
        "against_mix": drop(y, other.best, walk.best, k),
        "encoder": quality(y, alone, k),
        "reached": on(walk.stage > 0),
        "unsure": on(~data.easy(split)),
    }


def _keep(file: Path, said: Said) -> None:
    """The whole file or none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part.npz")
    np.savez(part, **said)  # type: ignore[arg-type]  # numpy's types mix up its arguments
    part.replace(file)


def _kept(file: Path) -> dict[str, NDArray[np.float32]]:
    with np.load(file) as arrays:
        return dict(arrays)


def line(row: Mapping[str, Any], split: str) -> str:
    """A row for people."""
    its = row[split]
    cascade, lost = its["cascade"], its["against_mix"]
    low, high = lost["drop_95"]
    return (
        f"{row['mix']:<10}{row['seed']:>5}{row['tickets_a_pass']:>9,}{row['passes']:>8}"
        f"{cascade['macro_f1']:>9.4f}{-lost['drop']:>+9.4f} [{-high:+.4f}, {-low:+.4f}]"
        f"{its['encoder']['macro_f1']:>9.4f}{its['reached']['tickets']:>9,}"
        f"{its['reached']['cascade']:>9.4f}{its['unsure']['cascade']:>9.4f}"
    )


HEADER = (
    f"{'mix':<10}{'seed':>5}{'a pass':>9}{'passes':>8}{'cascade':>9}{'against the mix':>26}"
    f"{'encoder':>9}{'reached':>9}{'there':>9}{'unsure':>9}"
)


@click.command()
@click.argument("name", type=click.Choice(sorted(DATASETS)), default="it_service_topics")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the data sets.  [default: CASCADE_DATA, else ../shared/data]",
)
@click.option("--minutes", default=12.0, show_default=True, help="Of CPU time for each mix.")
@click.option("--seeds", default=1, show_default=True, help="Of the encoder's training.")
@click.option("--test", "with_test", is_flag=True, help="Look at the test split as well.")
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=ROOT / "bundles" / "training_mix",
    help="Folder of what was learned.  [default: bundles/training_mix]",
)
@click.option("--quiet", is_flag=True, help="No progress bars.")
def main(
    name: str,
    data: Path | None,
    minutes: float,
    seeds: int,
    with_test: bool,
    work: Path,
    quiet: bool,
) -> None:
    """Teach an encoder with each mix, and compare the cascades."""
    folder = data_folder(data)
    with tempfile.TemporaryDirectory() as scratch:
        prepared = prepare(DATASETS[name](folder, Path(scratch)), work / name, quiet=quiet)
    splits = (CHOICE, TEST) if with_test else (CHOICE,)
    target = RESULTS / "training_mix.json"
    rows: list[dict[str, Any]] = []
    click.echo(HEADER)
    for seed in range(seeds):
        usual: Said = {}
        for mix, recipe in MIXES.items():
            kept = work / name / f"{mix}-{minutes:g}-{seed}.npz"
            said = learn(prepared, replace(recipe, minutes=minutes), kept, seed=seed, quiet=quiet)
            usual = usual or said  # the first one
            easy = prepared.easy(TRAIN)
            row = {
                "mix": mix,
                "easy_share": recipe.easy_share,
                "seed": seed,
                "tickets_a_pass": round(float((~easy).sum() + recipe.easy_share * easy.sum())),
                "passes": int(said["passes"][0]),
                **{split: judge(prepared, said, usual, split) for split in splits},
            }
            rows.append(row)
            for split in splits:
                click.echo(f"{line(row, split)}  {split}")
            command = f"python -m eval.training_mix {name} --minutes {minutes:g} --seeds {seeds}"
            plain = {
                "command": command + " --test" * with_test,
                "machine": machine(),
                "tickets": {split: len(y) for split, y in prepared.y.items()},
                "minutes": minutes,
                "rows": rows,
            }
            target.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except CascadeError as error:
        raise SystemExit(f"eval.training_mix: {error}") from None
