"""How fast the linear stage is: against scikit-learn, against splitting into words, and otherwise.

    python -m eval.linear_speed --json eval/results/linear_speed.json

Fits the words of it_service_topics, and the words and characters of generated tickets, with
scikit-learn; then the same models answer held-out tickets in every way of `eval.linear_ways`, in
turns, so that a busy machine slows all of them. The floor is what takes a text apart at all: lower
case, and the words by the usual pattern. Times are CPU time a ticket, the best of some rounds.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from cascade.errors import CascadeError
from cascade.stages.base import QUEUE
from cascade.stages.linear import LinearStage
from cascade.stages.ngrams import WORD, CharacterIndex, NGrams, WordIndex, count
from eval import linear_ways as ways
from eval.checkout import commit
from eval.datasets import DATASETS, Files, data_folder
from eval.labelled import Labelled
from eval.latency import machine
from eval.linear_ways import Model, Way
from eval.splits import raw_splits
from train.bert import pretrained
from train.linear import CHARACTERS, WORDS
from train.measures import macro_f1
from train.options import Options

BATCH = 2048
"""Tickets of the batch."""
ALONE = 150
"""Tickets that are asked alone."""
FEW = 64
"""Tickets whose weights are gathered together."""
ROUNDS = 5
EQUAL = 1e-4
"""Probabilities that differ by more are another model's."""
FLOOR, SKLEARN, SERVED = "split into words", "scikit-learn's pipeline", "served"
SHARES = (0.5, 0.25, 0.1, 0.03)
"""Of the n-grams that pruning leaves."""
Row = dict[str, Any]


def measure(learned: Labelled, held: Labelled, kinds: Sequence[NGrams]) -> dict[str, Any]:
    """Times and macro-F1 of every way.

    Args:
        learned: what the models are fitted on.
        held: what they are asked, other tickets.
        kinds: n-grams of the model.

    Returns:
        ``rows``: of each way its times (`race`), its largest difference from scikit-learn's
        probabilities in double precision and its macro-F1; ``gathers``: see `narrow`;
        ``load_ms``: what making the stage from its files takes; ``terms``, ``tickets``.
    """
    texts, classes = held.cleaned[:BATCH], len(held.queues)
    model = ways.fit(learned.cleaned, learned.y, kinds)
    entrants: dict[str, Way] = {
        SKLEARN: model.pipeline.predict_proba,
        "a dict, one ticket at a time": ways.one_by_one(model),
        SERVED: ways.served(model),
        "  words by the pattern alone": ways.split_by(model, WORD.findall),
        "  pairs by binary search": ways.looked_up(model, ways.Sorted),
        "  pairs by a dict": ways.looked_up(model, ways.Dict),
        "  pairs hashed, unchecked": ways.looked_up(model, ways.Unchecked),
    }
    sizes = dict.fromkeys(entrants, model.terms)
    for share in SHARES:
        less = ways.pruned(model, share)
        entrants[f"  {share:.0%} of the n-grams"] = ways.served(less)
        sizes[f"  {share:.0%} of the n-grams"] = less.terms
    if kinds == (WORDS,):
        split = ways.subwords(pretrained(None)[1])
        other = ways.fit(learned.cleaned, learned.y, kinds, split)
        entrants["  the encoder's subwords"] = ways.split_by(other, split)
        sizes["  the encoder's subwords"] = other.terms
    exact = in_double(model, held.cleaned)
    rows = race({FLOOR: take_apart, **entrants}, texts)
    for name, way in entrants.items():
        answers = way(held.cleaned)
        rows[name]["terms"] = sizes[name]
        rows[name]["macro_f1"] = round(macro_f1(held.y, answers.argmax(axis=1), classes), 4)
        rows[name]["differs"] = float(f"{np.abs(answers - exact).max():.1e}")
    return {
        "tickets": {"fitted": len(learned), "held": len(held), "words": mean_words(texts)},
        "terms": {its.ngrams.analyzer: len(its.terms) for its in model.vectorizers},
        "rows": rows,
        "gathers": narrow(model, held),
        "load_ms": load_ms(model),
    }


def take_apart(texts: Sequence[str]) -> list[list[str]]:
    """The floor: a text in lower case, and its words."""
    return [WORD.findall(text.lower()) for text in texts]


def mean_words(texts: Sequence[str]) -> float:
    """Words a text."""
    return round(float(np.mean([len(words) for words in take_apart(texts)])), 1)


def in_double(model: Model, texts: Sequence[str]) -> Any:
    """``(n, k)``: scikit-learn's probabilities, summed in double precision."""
    terms, regression = (step for _, step in model.pipeline.steps)
    logits = terms.transform(texts).astype(float) @ regression.coef_.T.astype(float)
    logits += regression.intercept_
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def race(
    entrants: Mapping[str, Callable[[Sequence[str]], object]], texts: Sequence[str]
) -> dict[str, Row]:
    """Microseconds a ticket in each way, in turns: the best of `ROUNDS`.

    Returns:
        By way ``batch_us`` and ``alone_us`` of CPU time, ``alone_wall_us``, and the first by that
        of the floor, ``batch_floors``.
    """
    few = [[text] for text in texts[:ALONE]]
    batch, alone, wall = (dict.fromkeys(entrants, math.inf) for _ in range(3))
    for _ in range(ROUNDS):
        for name, way in entrants.items():
            cpu, _wall = spent(partial(way, texts))
            batch[name] = min(batch[name], cpu / len(texts))
            cpu, waited = spent(partial(deque, map(way, few), maxlen=0))
            alone[name] = min(alone[name], cpu / len(few))
            wall[name] = min(wall[name], waited / len(few))
    return {
        name: {
            "batch_us": round(batch[name], 2),
            "batch_floors": round(batch[name] / batch[FLOOR], 2),
            "alone_us": round(alone[name], 1),
            "alone_wall_us": round(wall[name], 1),
        }
        for name in entrants
    }


def spent(work: Callable[[], object]) -> tuple[float, float]:
    """Microseconds of CPU time and of wall time."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return 1e6 * (time.process_time() - cpu), 1e6 * (time.perf_counter() - wall)


def narrow(model: Model, held: Labelled) -> dict[str, Row]:
    """Weights in narrower numbers: microseconds a ticket to gather them, MiB, macro-F1."""
    texts = held.cleaned[:BATCH]
    rows = gathered(model, texts)
    told = {}
    for kind in ("float32", "float16", "int8"):
        weights = model.coefficients.astype(kind)  # as wide as the real ones
        took = [spent(ways.gather(weights, rows))[0] for _ in range(ROUNDS)]
        guess = ways.served(ways.rounded(model, kind))(held.cleaned).argmax(axis=1)
        told[kind] = {
            "gather_us": round(min(took) / len(texts), 3),
            "mib": round(weights.nbytes / 2**20, 2),
            "macro_f1": round(macro_f1(held.y, guess, len(held.queues)), 4),
        }
    return told


def gathered(model: Model, texts: Sequence[str]) -> list[NDArray[np.int64]]:
    """The rows that tickets' n-grams have, a few tickets at a time."""
    rows, first = [], 0
    for its in model.vectorizers:
        kind = WordIndex if its.ngrams.analyzer == "word" else CharacterIndex
        index = kind(its.ngrams, its.terms, first)
        for at in range(0, len(texts), FEW):
            lower = [text.lower() for text in texts[at : at + FEW]]
            rows.append(count(index.find(lower), model.terms).rows)
        first += len(its.terms)
    return rows


def load_ms(model: Model) -> float:
    """Milliseconds of CPU time until a stage has its files read and its tables built."""
    heads = {QUEUE: tuple(map(str, range(model.coefficients.shape[1])))}
    files = model.stage().to_files()
    took = [spent(partial(LinearStage.from_files, files.__getitem__, heads))[0] for _ in range(3)]
    return round(min(took) / 1000, 1)


def table(told: Mapping[str, Any]) -> list[str]:
    """The lines of one model's figures."""
    heads = {"batch us": 9, "x floor": 8, "alone us": 9, "n-grams": 9, "macro-F1": 9, "off by": 8}
    lines = [f"{'':32}" + "".join(f"{head:>{width}}" for head, width in heads.items())]
    for name, row in told["rows"].items():
        quality = f"{row['terms']:>9,}{row['macro_f1']:>9.4f}" if "terms" in row else ""
        off = f"{row['differs']:>8.0e}" if row.get("differs", 1) < EQUAL else ""
        lines.append(
            f"{name:32}{row['batch_us']:>9.1f}{row['batch_floors']:>8.2f}{row['alone_us']:>9.1f}"
            f"{quality}{off}"
        )
    for kind, row in told["gathers"].items():
        lines.append(
            f"{f'weights in {kind}':32}{row['gather_us']:>9.2f}{'':>8}{'':>9}"
            f"{row['mib']:>5.1f} MiB{row['macro_f1']:>9.4f}"
        )
    return [*lines, f"loads in {told['load_ms']:.0f} ms of CPU time"]


def splits(files: Files, most: int) -> tuple[Labelled, Labelled]:
    """Tickets to fit on and tickets held out, at most so many of the former."""
    options = Options(columns=files.columns, min_rows=files.min_rows)
    learned, held, _ = raw_splits(files, options, with_gate=True)
    return learned.sample(most), held


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data sets.")
@click.option("--most", default=40_000, show_default=True, help="Most tickets to fit on.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="File to write.")
def main(data: Path | None, most: int, target: Path | None) -> None:
    """Measure the linear stage in every way."""
    folder = data_folder(data)
    models = {}
    with tempfile.TemporaryDirectory() as work:
        for name, kinds in {"it_service_topics": (WORDS,), "starter": (WORDS, CHARACTERS)}.items():
            files = DATASETS[name](folder, Path(work))
            models[name] = measure(*splits(files, most // len(kinds) ** 3), kinds)
            click.echo(f"\n{name}: {models[name]['tickets']}, {models[name]['terms']}")
            click.echo("\n".join(table(models[name])))
    if target:
        command = f"python -m eval.linear_speed --most {most} --json {target}"
        told = {"command": command, "commit": commit(), "machine": machine(), "models": models}
        target.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except CascadeError as error:
        raise SystemExit(f"eval.linear_speed: {error}") from None
