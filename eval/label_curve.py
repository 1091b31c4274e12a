"""The label curve: what each approach makes of 1, 2, 4 ... labels a queue.

    python -m eval.label_curve banking77 --seeds 3 --minutes 1

Each approach learns from the same draws and is asked about the same test tickets. The learning is
in `eval.learners`. Writes eval/results/label_curve_NAME.json.
"""

from __future__ import annotations

import json
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from tqdm import tqdm

from cascade.errors import CascadeError, InputError
from cascade.llm.reader import Reader
from cascade.llm.settings import LLMSettings
from eval.approach import guesses
from eval.datasets import DATASETS, RESULTS, data_folder
from eval.labelled import Labelled
from eval.latency import machine
from eval.learners import CASCADE, IN_CONTEXT, PAIRS, Learners, Means
from eval.splits import raw_splits
from train.few import FEW
from train.measures import macro_f1
from train.options import Options

SIZES: tuple[int | None, ...] = (1, 2, 4, 8, 16, 32, 64, None)
"""Labels a queue; None for all that there are."""
FEWEST = 8
"""Fewest labels a queue for a cascade: some of them fit its gates, and ``cascade train`` takes no
queue with fewer than 5."""


def label_curve(
    train: Labelled,
    test: Labelled,
    *,
    sizes: Sequence[int | None] = SIZES,
    seeds: int = 3,
    minutes: float = 1.0,
    means: Means | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Macro-F1 of each approach by labels a queue.

    Args:
        train: what labels are drawn from, at random; a queue that has fewer gives all.
        test: asked of every approach.
        sizes: labels a queue, rising; None is all.
        seeds: draws of each size; of all there is one only.
        minutes: most time for each training of an encoder.
        means: instead of the minutes, the built-in reader and the default encoder.

    Returns:
        ``tickets`` of the test, ``seeds``, ``minutes``, ``backend``, ``sizes``;
        ``approaches``: by name a list of ``size``, ``mean``, ``least`` and ``most`` macro-F1 over
        the draws, and ``seconds`` that learning took (mean);
        ``crossing``: see `crossing`. No pairs are learned from where labels are many, and no
        cascade is trained where they are too few.
    """
    means = means or Means(minutes, Reader(), LLMSettings())
    draws = [(size, seed) for size in sizes for seed in range(seeds if size is not None else 1)]
    seen: dict[str, dict[int | None, list[tuple[float, float]]]] = {}
    for size, seed in tqdm(draws, desc="the label curve", unit="draw", disable=quiet):
        learners = Learners(draw(train, size, seed), test, means, seed)
        for name, learn in learners.all().items():
            if _fits(name, size):
                started = time.perf_counter()
                with warnings.catch_warnings():
                    # One label a queue looks to scikit-learn like numbers to be regressed on.
                    warnings.filterwarnings("ignore", message="The number of unique classes")
                    approach = learn()
                seconds = time.perf_counter() - started
                guess = guesses(approach.predict(test.texts))
                f1 = macro_f1(test.y, guess, len(test.queues))
                seen.setdefault(name, {}).setdefault(size, []).append((f1, seconds))
    approaches = {
        name: [_point(size, its) for size, its in by_size.items()] for name, by_size in seen.items()
    }
    return {
        "tickets": len(test),
        "seeds": seeds,
        "minutes": means.minutes,
        "backend": means.backend.name,
        "sizes": list(sizes),
        "approaches": approaches,
        "crossing": crossing(approaches),
    }


def draw(labelled: Labelled, size: int | None, seed: int) -> Labelled:
    """So many tickets of each queue, at random; the smaller draws of a seed are in the larger."""
    if size is None:
        return labelled
    order = np.random.default_rng(seed).permutation(len(labelled))
    rows = [order[labelled.y[order] == queue][:size] for queue in range(len(labelled.queues))]
    return labelled.take(np.sort(np.concatenate(rows)))


def crossing(approaches: Mapping[str, Sequence[Mapping[str, Any]]]) -> int | None:
    """The fewest labels a queue from which on training is better than in-context learning.

    Training is the cascade, and where that was not trained the encoder by pairs. Better means by
    more than chance: its worst draw beats the other's best, here and with more labels. None where
    it is not, or only with all labels.
    """
    asked = {point["size"]: point["most"] for point in approaches.get(IN_CONTEXT, [])}
    trained: dict[int | None, float] = {}
    for name in (PAIRS, CASCADE):
        trained |= {point["size"]: point["least"] for point in approaches.get(name, [])}
    found = None
    for size in sorted(asked.keys() & trained.keys(), key=_by_size, reverse=True):
        if trained[size] <= asked[size]:
            break
        found = size if size is not None else found
    return found


def _by_size(size: int | None) -> float:
    return float("inf") if size is None else size


def _fits(name: str, size: int | None) -> bool:
    if name == PAIRS:
        return size is not None and size <= FEW
    return name != CASCADE or size is None or size >= FEWEST


def _point(size: int | None, its: Sequence[tuple[float, float]]) -> dict[str, Any]:
    f1, seconds = zip(*its, strict=True)
    return {
        "size": size,
        "mean": round(float(np.mean(f1)), 4),
        "least": round(min(f1), 4),
        "most": round(max(f1), 4),
        "seconds": round(float(np.mean(seconds)), 1),
    }


def read_both(name: str, data: Path, labels: int, tickets: int) -> tuple[Labelled, Labelled]:
    """Of a data set at most so many tickets to draw labels from, and so many to test on.

    Raises:
        InputError: the data set is missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = DATASETS[name](data, Path(folder))
        options = Options(files.columns, min_rows=files.min_rows)
        learned, held, _ = raw_splits(files, options, with_gate=True)
    return learned.sample(labels), held.sample(tickets)


def read_sizes(told: str) -> list[int | None]:
    """Sizes such as ``1,8,all``.

    Raises:
        InputError: one is neither a number from 1 on nor ``all``.
    """
    sizes: list[int | None] = []
    for part in told.split(","):
        if part != "all" and not (part.isdecimal() and int(part)):
            raise InputError(f"--sizes {told}: {part!r} is not a number of labels; say 1,8,64,all")
        sizes.append(None if part == "all" else int(part))
    return sizes


@click.command()
@click.argument("name", type=click.Choice(sorted(DATASETS)))
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the data sets.  [default: CASCADE_DATA, else ../shared/data]",
)
@click.option("--sizes", default="1,2,4,8,16,32,64,all", show_default=True, metavar="N,...")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--minutes", default=1.0, show_default=True, type=click.FloatRange(0, min_open=True))
@click.option("--labels", default=10_000, show_default=True, help="Most that all labels are.")
@click.option("--tickets", default=1_000, show_default=True, help="Most to test on.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def main(
    name: str,
    data: Path | None,
    sizes: str,
    seeds: int,
    minutes: float,
    labels: int,
    tickets: int,
    quiet: bool,
) -> None:
    """Measure the label curve of a data set."""
    wanted = read_sizes(sizes)
    train, test = read_both(name, data_folder(data), labels, tickets)
    curve = label_curve(train, test, sizes=wanted, seeds=seeds, minutes=minutes, quiet=quiet)
    command = (
        f"python -m eval.label_curve {name} --sizes {sizes} --seeds {seeds} "
        f"--minutes {minutes:g} --labels {labels} --tickets {tickets}"
    )
    plain = {"command": command, "machine": machine(), "labels": len(train), **curve}
    target = RESULTS / f"label_curve_{name}.json"
    target.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
    for approach, points in curve["approaches"].items():
        told = "  ".join(f"{point['size'] or 'all'}: {point['mean']:.3f}" for point in points)
        click.echo(f"{approach:<20} {told}")
    click.echo(f"crossing: {curve['crossing']}; wrote {target}")


if __name__ == "__main__":
    try:
        main()
    except CascadeError as error:
        raise SystemExit(f"eval.label_curve: {error}") from None
