"""What is found of wrong labels and what they cost: ``python -m eval.noise``.

Wrong labels are planted into the train split of it_service_topics (a sample) and of banking77:
``uniform`` ones take any other queue, ``confused`` ones a queue that tickets of theirs are like, by
the linear stage's out-of-fold probabilities. The linear stage is then fitted as `cascade train`
fits it, trusting the labels and not; the test split stays as it is. C and the n-grams are chosen
once for each share of wrong labels.

Precision and recall count planted labels: what was wrong in the data before counts as falsely
suspected. cleanlab's filter stands beside, and the odds with as many suspects as it names. The
interval is a paired bootstrap over the test tickets of the mean difference in macro-F1: above 0,
weighing suspects down is better than trusting the labels. It does not cover that `ODDS` and the
form of the weights were chosen on these test tickets, with the labels planted by seed 0.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from cleanlab.filter import find_label_issues  # type: ignore[import-untyped]
from numpy.typing import NDArray

from cascade.errors import CascadeError
from cascade.gate import FLOOR
from cascade.stages.base import QUEUE
from eval.datasets import DATASETS, RESULTS, data_folder
from train.linear import LinearFit, choose, fit_linear
from train.measures import RESAMPLES, macro_f1
from train.noise import ODDS
from train.read import encode, heads_of, read_table

TRAIN, TEST = 12_000, 8_000
"""Most tickets of a data set without an official split."""
PLANTED = (
    ("none", 0.0),
    ("uniform", 0.03),
    ("uniform", 0.1),
    ("confused", 0.03),
    ("confused", 0.1),
)

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Data:
    """Cleaned texts and queue numbers of a train and a test split."""

    queues: tuple[str, ...]
    train: Sequence[str]
    y: Labels
    test: Sequence[str]
    truth: Labels


def load(name: str, folder: Path) -> Data:
    """A data set with its official split, or samples of it."""
    with tempfile.TemporaryDirectory() as work:
        files = DATASETS[name](folder, Path(work))
        table, _ = read_table(files.train, files.columns, quiet=True)
        heads = heads_of(table)
        if files.test:
            test, _ = read_table(
                files.test, files.columns, min_rows=1, keep_duplicates=True, quiet=True
            )
        else:
            order = np.random.default_rng(0).permutation(len(table))
            test = table.take(order[TRAIN : TRAIN + TEST])
            table = table.take(order[:TRAIN])
    y, truth = encode(table, heads)[QUEUE], encode(test, heads)[QUEUE]
    return Data(heads[QUEUE], table.texts, y, test.texts, truth)


def plant(y: Labels, share: float, other: NDArray[np.float64], seed: int) -> Labels:
    """Labels of which a share is wrong.

    Args:
        y: ``(n,)`` right labels.
        other: ``(k, k)``: how likely each other queue is in place of the right one; rows sum to 1,
            the diagonal is 0.
    """
    random = np.random.default_rng(seed)
    out = y.copy()
    for row in random.permutation(len(y))[: round(share * len(y))]:
        out[row] = random.choice(len(other), p=other[y[row]])
    return out


def likenesses(y: Labels, probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """``(k, k)``: how the probability that tickets of a queue leave to others is shared out."""
    classes = probabilities.shape[1]
    mean = np.asarray([probabilities[y == queue].mean(axis=0) for queue in range(classes)], float)
    np.fill_diagonal(mean, 0.0)
    return np.asarray(mean / mean.sum(axis=1, keepdims=True))


def found(planted: NDArray[np.bool_], suspected: NDArray[np.int64]) -> dict[str, float]:
    """Share suspected, and precision and recall of the planted labels."""
    hits = int(planted[suspected].sum())
    return {
        "suspected": len(suspected) / len(planted),
        "precision": hits / max(len(suspected), 1),
        "recall": hits / max(int(planted.sum()), 1),
    }


def detection(y: Labels, labels: Labels, fit: LinearFit) -> dict[str, dict[str, float]]:
    """What the odds find, what cleanlab finds, and the odds with as many suspects as it names."""
    planted = labels != y
    out = fit.out_of_fold[QUEUE]
    theirs = find_label_issues(
        labels,
        out,
        filter_by="confident_learning",
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    rows = np.arange(len(labels))
    others = out.copy()
    others[rows, labels] = 0.0
    by_odds = np.argsort(out[rows, labels] / others.max(axis=1), kind="stable")
    return {
        "odds": found(planted, fit.suspects.rows),
        "cleanlab": found(planted, theirs),
        "odds, as many": found(planted, by_odds[: len(theirs)]),
    }


def difference(
    truth: Labels, trusting: Sequence[Labels], doubting: Sequence[Labels], classes: int
) -> tuple[float, float, float]:
    """Mean over seeds of the gain in macro-F1, and its 95 % interval (paired bootstrap)."""

    def gain(rows: NDArray[np.int64]) -> float:
        pairs = zip(trusting, doubting, strict=True)
        return float(
            np.mean(
                [
                    macro_f1(truth[rows], new[rows], classes)
                    - macro_f1(truth[rows], old[rows], classes)
                    for old, new in pairs
                ]
            )
        )

    random = np.random.default_rng(0)
    n = len(truth)
    low, high = np.percentile(
        [gain(random.integers(0, n, n)) for _ in range(RESAMPLES)], [2.5, 97.5]
    )
    return gain(np.arange(n)), float(low), float(high)


def measure(name: str, data: Data, seeds: int, say: Callable[[dict[str, Any]], None]) -> None:
    """Every kind and share of planted labels on one data set."""
    classes = len(data.queues)
    heads = {QUEUE: data.queues}
    uniform = (1 - np.eye(classes)) / (classes - 1)
    choices = {}
    for share in sorted({share for _, share in PLANTED}):
        choices[share] = choose(data.train, plant(data.y, share, uniform, 0), quiet=True)

    def fit(labels: Labels, share: float, seed: int, trust: bool, folds: int = 5) -> LinearFit:
        return fit_linear(
            data.train,
            {QUEUE: labels},
            heads,
            seed=seed,
            folds=folds,
            choice=choices[share],
            trust_labels=trust,
            quiet=True,
        )

    clean = fit(data.y, 0.0, 0, trust=True)
    others = {"uniform": uniform, "confused": likenesses(data.y, clean.out_of_fold[QUEUE])}
    clean_f1 = macro_f1(data.truth, _answers(clean, data).argmax(axis=1), classes)
    for kind, share in PLANTED:
        finds, trusting, doubting = [], [], []
        for seed in range(seeds):
            labels = plant(data.y, share, others.get(kind, uniform), seed)
            doubted = fit(labels, share, seed, trust=False)
            finds.append(detection(data.y, labels, doubted))
            doubting.append(_answers(doubted, data))
            # Of this fit nothing out of fold is needed.
            trusting.append(_answers(fit(labels, share, seed, trust=True, folds=2), data))
        old, new = ([p.argmax(axis=1) for p in its] for its in (trusting, doubting))
        gain, low, high = difference(data.truth, old, new, classes)
        say(
            {
                "data": name,
                "planted": kind,
                "share": share,
                "seeds": seeds,
                "C": choices[share].c,
                "found": _mean(finds),
                "macro_f1_clean": round(clean_f1, 4),
                "macro_f1_trusting": round(_mean_f1(data.truth, old, classes), 4),
                "macro_f1_doubting": round(_mean_f1(data.truth, new, classes), 4),
                "gain": round(gain, 4),
                "gain_95": [round(low, 4), round(high, 4)],
                "log_loss_trusting": round(_mean_loss(data.truth, trusting), 4),
                "log_loss_doubting": round(_mean_loss(data.truth, doubting), 4),
            }
        )


def _answers(fit: LinearFit, data: Data) -> NDArray[np.float32]:
    return fit.stage.predict(data.test)[QUEUE]


def _mean(finds: Sequence[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    return {
        way: {
            figure: round(float(np.mean([find[way][figure] for find in finds])), 4)
            for figure in finds[0][way]
        }
        for way in finds[0]
    }


def _mean_f1(truth: Labels, guesses: Sequence[Labels], classes: int) -> float:
    return float(np.mean([macro_f1(truth, guess, classes) for guess in guesses]))


def _mean_loss(truth: Labels, answers: Sequence[NDArray[np.float32]]) -> float:
    rows = np.arange(len(truth))
    return float(np.mean([-np.log(np.maximum(its[rows, truth], FLOOR)) for its in answers]))


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    odds, theirs = row["found"]["odds"], row["found"]["cleanlab"]
    low, high = row["gain_95"]
    return (
        f"{row['data']:<18}{row['planted']:<9}{row['share']:>4.0%}"
        f"{odds['suspected']:>7.1%}{odds['precision']:>7.1%}{odds['recall']:>7.1%}"
        f"{theirs['suspected']:>9.1%}{theirs['precision']:>7.1%}{theirs['recall']:>7.1%}"
        f"{row['macro_f1_clean']:>9.4f}{row['macro_f1_trusting']:>9.4f}"
        f"{row['macro_f1_doubting']:>9.4f}{row['gain']:>+9.4f}  [{low:+.4f}, {high:+.4f}]"
        f"{row['log_loss_trusting']:>8.3f}{row['log_loss_doubting']:>7.3f}"
    )


HEADER = (
    f"{'data':<18}{'planted':<13}{'odds':>7}{'prec':>7}{'rec':>7}{'cleanlab':>9}{'prec':>7}{'rec':>7}"
    f"{'clean':>9}{'trusting':>9}{'doubting':>9}{'gain':>9}  {'95 % interval':<18}{'log-loss':>8}"
)


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the data sets.  [default: CASCADE_DATA, else ../shared/data]",
)
@click.option(
    "--only",
    "names",
    multiple=True,
    type=click.Choice(["it_service_topics", "banking77"]),
    default=["it_service_topics", "banking77"],
    help="One data set; the figures of the others stay as they are.",
)
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option(
    "--out", type=click.Path(path_type=Path), default=RESULTS / "noise.json", show_default=True
)
def main(data: Path | None, names: Sequence[str], seeds: int, out: Path) -> None:
    """Plant wrong labels, and count what is found, lost and won back."""
    folder = data_folder(data)
    click.echo(HEADER)
    for name in names:
        rows: list[dict[str, Any]] = []

        def say(row: dict[str, Any], rows: list[dict[str, Any]] = rows) -> None:
            rows.append(row)
            click.echo(line(row))

        measure(name, load(name, folder), seeds, say)
        old = json.loads(out.read_text())["rows"] if out.is_file() else []
        rows += [row for row in old if row["data"] != name]
        rows.sort(key=lambda row: row["data"])
        plain = {"odds": ODDS, "rows": rows}
        out.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except CascadeError as error:
        raise SystemExit(f"eval.noise: {error}") from None
