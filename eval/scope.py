"""None of the above, measured: ``python -m eval.scope --bundles bundles --data ../shared/data``.

Takes bundles that `cascade eval` wrote, and asks them about test tickets of their queues and about
others that belong to none. For each stage that judges: AUROC, the share of outside tickets found
where 95 % of the others are kept, the same of its confidence alone, and what its own threshold
does; then what the whole cascade does. Results go to ``eval/results/scope.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from cascade.bundle import Bundle
from cascade.clean import clean
from cascade.errors import CascadeError, InputError
from cascade.files import Row, read_rows
from cascade.router import OUTSIDE, Cascade
from cascade.stages.base import QUEUE, SIGNALS, Adviser
from cascade.ticket import join_parts
from eval.datasets import DATASETS, RESULTS, Files, data_folder
from eval.metrics import auroc, recall_at_retention
from train.read import encode, read_table

DEFAULT = (
    "clinc150_oos",
    "banking77_oos",
    "hint3_sofmattress",
    "hint3_curekart",
    "hint3_powerplay11",
)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a stage says of ``n`` tickets: its score, its joined confidence, and its verdict."""

    score: NDArray[np.float32]
    confidence: NDArray[np.float32]
    outside: NDArray[np.bool_]


def measure(cascade: Cascade, files: Files) -> dict[str, Any]:
    """The figures of one bundle.

    Raises:
        InputError: the data set has no outside tickets, or the bundle cannot tell them.
    """
    if files.test is None or not files.outside:
        raise InputError(f"{files.train}: a data set without outside tickets")
    if not cascade.scope or not cascade.scope.evidence:
        raise InputError("the bundle has no scope: it was trained before there was one")
    table, _ = read_table(files.test, files.columns, min_rows=1, keep_duplicates=True, quiet=True)
    y = encode(table, {QUEUE: cascade.queues})[QUEUE]
    inside = judge(cascade, table.texts)
    out: dict[str, Any] = {"tickets": len(y), **_routed(cascade, table.texts, y), "outside": {}}
    for kind, file in files.outside.items():
        texts = _texts(file, files.columns.text)
        others = judge(cascade, texts)
        row: dict[str, Any] = {"tickets": len(texts)}
        row["stages"] = {stage: _figures(inside[stage], others[stage]) for stage in inside}
        row["cascade"] = _routed(cascade, texts)
        out["outside"][kind] = row
    return out


def judge(cascade: Cascade, texts: Sequence[str]) -> dict[str, Judged]:
    """What each stage that judges says of cleaned texts, every stage asked about all of them."""
    seen: list[NDArray[np.float32]] = []
    out: dict[str, Judged] = {}
    for stage, gate in zip(cascade.stages, cascade.gates.gates, strict=True):
        if isinstance(stage, Adviser):
            break
        said = stage.predict(texts)
        seen.append(said[QUEUE])
        if cascade.scope and stage.name in cascade.scope.evidence:
            joined = gate.joins[QUEUE](seen)
            out[stage.name] = Judged(
                cascade.scope.score(stage.name, said[SIGNALS], joined),
                joined.max(axis=1),
                cascade.scope.outside(stage.name, said[SIGNALS], joined),
            )
    return out


def _figures(inside: Judged, others: Judged) -> dict[str, float]:
    figures = {
        "auroc": auroc(inside.score, others.score),
        "found_at_95_kept": recall_at_retention(inside.score, others.score),
        "confidence_auroc": auroc(inside.confidence, others.confidence),
        "confidence_found_at_95_kept": recall_at_retention(inside.confidence, others.confidence),
        "kept": 1 - float(inside.outside.mean()),
        "found": float(others.outside.mean()),
    }
    return {name: round(value, 4) for name, value in figures.items()}


def _routed(
    cascade: Cascade, texts: Sequence[str], y: NDArray[np.int64] | None = None
) -> dict[str, float]:
    """What the cascade does with tickets: the share acted on, and that called out of scope."""
    decisions = cascade.route(texts)
    acted = np.asarray([decision.action == "route" for decision in decisions])
    named = np.asarray([decision.reason == OUTSIDE for decision in decisions])
    out = {"acted_on": round(float(acted.mean()), 4), "found": round(float(named.mean()), 4)}
    if y is not None:
        right = np.asarray([decision.queue for decision in decisions]) == np.take(cascade.queues, y)
        out["accuracy"] = round(float(right.mean()), 4)
        out["precision"] = round(float(right[acted].mean()), 4) if acted.any() else 0.0
    return out


def _texts(file: Path, columns: Sequence[str]) -> list[str]:
    """The cleaned texts of a file, whatever its labels; empty ones are left out."""
    rows = [row.values for row in read_rows(file, list(columns)) if isinstance(row, Row)]
    texts = [clean(join_parts(values[name] for name in columns)) for values in rows]
    return [text for text in texts if text]


def lines(name: str, figures: dict[str, Any]) -> Iterator[str]:
    """The figures of a data set for people."""
    yield (
        f"== {name}: of {figures['tickets']:,} tickets of the queues {figures['accuracy']:.1%} get "
        f"the right one; {figures['acted_on']:.1%} are acted on, {figures['precision']:.1%} of "
        f"them rightly; {figures['found']:.1%} are taken for outside"
    )
    for kind, row in figures["outside"].items():
        yield f"  {kind}, {row['tickets']:,} tickets of no queue"
        for stage, its in row["stages"].items():
            yield (
                f"    {stage:8} AUROC {its['auroc']:.3f} (confidence {its['confidence_auroc']:.3f})"
                f", {its['found_at_95_kept']:.1%} found with 95 % kept "
                f"({its['confidence_found_at_95_kept']:.1%}); its threshold finds "
                f"{its['found']:.1%} and keeps {its['kept']:.1%}"
            )
        its = row["cascade"]
        yield f"    cascade  {its['acted_on']:.1%} acted on, {its['found']:.1%} found"


@click.command(epilog="\b\nExample:\n  python -m eval.scope clinc150_oos --bundles bundles\n")
@click.argument("names", nargs=-1, type=click.Choice(sorted(DATASETS)))
@click.option("--bundles", default="bundles", type=click.Path(path_type=Path, file_okay=False))
@click.option("--data", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--results", default=RESULTS / "scope.json", type=click.Path(path_type=Path, dir_okay=False)
)
def main(names: tuple[str, ...], bundles: Path, data: Path | None, results: Path) -> None:
    """Measure who is taken for outside, by bundles that are called like their data set."""
    folder = data_folder(data)
    out: dict[str, Any] = {}
    for name in names or DEFAULT:
        files = DATASETS[name](folder, bundles / "eval-data")
        cascade = Cascade.load(Bundle.open(bundles / name).path)
        out[name] = {"bundle": cascade.bundle_id, **measure(cascade, files)}
        for line in lines(name, out[name]):
            click.echo(line)
    command = " ".join(["python -m eval.scope", *names])
    results.write_text(json.dumps({"command": command, "results": out}, indent=2) + "\n")


if __name__ == "__main__":
    try:
        main()
    except CascadeError as error:
        raise SystemExit(f"eval.scope: {error}") from None
