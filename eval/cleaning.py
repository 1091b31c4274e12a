"""What each step of the cleaning is worth: ``python -m eval.cleaning --data ../shared/data``.

Out-of-fold macro-F1 (5 stratified folds) of TF-IDF (1-2-grams, ``min_df`` 2, sublinear) and
one-vs-rest logistic regression (C = 10) on the raw text, on the cleaned text, and on the text
cleaned without each of the steps. The interval is a paired bootstrap over tickets of the
difference to the cleaned text: above 0, the variant is better than ``clean`` as it is. Of the
issues (nlbse2024_issues), only the official training split is read; the starter tickets are made
afresh.

``python -m eval.cleaning --help`` lists the options. Results go to ``eval/results/cleaning.json``.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from cascade.clean import STEPS, VERSION, clean
from cascade.errors import CascadeError
from cascade.ticket import join_parts
from eval.datasets import RESULTS, data_folder

STARTER_ROWS = 6_000
RESAMPLES = 1_000
SEED = 0

Labels = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Row:
    """One variant on one data set; ``low`` and ``high`` bound its F1 less that of ``cleaned``."""

    data: str
    variant: str
    macro_f1: float
    difference: float
    low: float
    high: float
    characters_kept: float


def issues(data: Path) -> tuple[list[str], list[str]]:
    """Texts and labels of the official training split of nlbse2024_issues."""
    csv.field_size_limit(10_000_000)  # one body has 208,000 characters, the default is 131,072
    path = data / "nlbse2024_issues" / "nlbse2024_issues.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    return [join_parts([row["title"], row["body"]]) for row in rows], [row["label"] for row in rows]


def starter_tickets() -> tuple[list[str], list[str]]:
    """Texts and queues of ``STARTER_ROWS`` generated tickets."""
    from train.starter import generate  # the generator is not needed for the issues

    tickets = list(generate(STARTER_ROWS, SEED))
    return [join_parts([t.subject, t.body]) for t in tickets], [t.queue for t in tickets]


def variants() -> dict[str, Callable[[str], str]]:
    """The name of each variant, and what it does to a text; ``cleaned`` comes first."""
    switched_off = {f"without {step}": partial(clean, without=frozenset({step})) for step in STEPS}
    return {"cleaned": clean, "raw": str, **switched_off}


def out_of_fold(texts: Sequence[str], labels: Labels) -> Labels:
    """For each text, the label (an index) given by a model that has not seen it."""
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        # liblinear meets its tolerance in a fraction of the time of lbfgs on 100,000 terms.
        OneVsRestClassifier(LogisticRegression(C=10, solver="liblinear", dual=True)),
    )
    folds = StratifiedKFold(5, shuffle=True, random_state=SEED)
    predicted: Labels = cross_val_predict(model, texts, labels, cv=folds)
    return predicted


def macro_f1(labels: Labels, predicted: Labels) -> float:
    """Mean F1 over the labels, counted at once: the bootstrap asks for it thousands of times."""
    size = int(labels.max()) + 1
    table = np.bincount(labels * size + predicted, minlength=size * size).reshape(size, size)
    return float(np.mean(2 * table.diagonal() / (table.sum(axis=0) + table.sum(axis=1))))


def interval(labels: Labels, predicted: Labels, reference: Labels) -> tuple[float, float]:
    """95 % percentile interval of the difference in macro-F1, paired bootstrap over the tickets."""
    random = np.random.default_rng(SEED)
    differences = []
    for _ in range(RESAMPLES):
        drawn = random.integers(0, len(labels), len(labels))
        differences.append(
            macro_f1(labels[drawn], predicted[drawn]) - macro_f1(labels[drawn], reference[drawn])
        )
    low, high = np.percentile(differences, [2.5, 97.5])
    return float(low), float(high)


def measure(data: str, texts: Sequence[str], names: Sequence[str]) -> list[Row]:
    """Every variant on one data set, ``cleaned`` first."""
    labels = np.unique(names, return_inverse=True)[1]
    raw_length = sum(map(len, texts))
    rows: list[Row] = []
    reference = labels
    for variant, prepare in variants().items():
        prepared = [prepare(text) for text in texts]
        predicted = out_of_fold(prepared, labels)
        if variant == "cleaned":
            reference = predicted
        low, high = interval(labels, predicted, reference)
        f1 = macro_f1(labels, predicted)
        kept = sum(map(len, prepared)) / raw_length
        difference = f1 - (rows[0].macro_f1 if rows else f1)
        rows.append(Row(data, variant, f1, difference, low, high, kept))
        click.echo(
            f"{data:<18}{variant:<20}{f1:>9.4f}{difference:>+9.4f}"
            f"  [{low:+.4f}, {high:+.4f}]{kept:>8.1%}"
        )
    return rows


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the data sets.  [default: CASCADE_DATA, else ../shared/data]",
)
@click.option("--starter/--no-starter", default=True, help="Measure on generated tickets, too.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=RESULTS / "cleaning.json", show_default=True
)
def main(data: Path | None, starter: bool, out: Path) -> None:
    """Measure the steps of the cleaning, one switched off at a time."""
    click.echo(
        f"{'data':<18}{'variant':<20}{'macro-F1':>9}{'diff':>9}  {'95 % interval':<20}{'kept':>6}"
    )
    rows = measure("nlbse2024_issues", *issues(data_folder(data)))
    if starter:
        rows += measure("starter", *starter_tickets())
    result = {"clean_version": VERSION, "rows": [asdict(row) for row in rows]}
    out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except CascadeError as error:
        raise SystemExit(f"eval.cleaning: {error}") from None
