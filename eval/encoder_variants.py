"""What each way to make the encoder faster wins in time, and costs in macro-F1.

    python -m eval.encoder_variants BUNDLE FILE --passes 2

FILE is what BUNDLE was trained on; its test split is measured on, its gate split fits the joins.
Times are CPU milliseconds of one thread: medians of rounds in which all take turns. Students are
taught once and kept in a folder of work. Writes eval/results/encoder_variants.json.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tqdm import tqdm

from cascade.bundle import Bundle
from cascade.errors import CascadeError
from cascade.stages.encoder import TokenWindow
from eval import tables
from eval.checkout import commit
from eval.datasets import RESULTS
from eval.encoder_graphs import Graph, dynamic, graphs
from eval.encoder_measured import Measured, Said
from eval.encoder_students import DISTILLED, TUNED, Course, parts_of, students
from eval.encoder_weights import encoder_of, window_of
from eval.latency import machine
from eval.options import command_line
from eval.paired import drop
from train.export import to_served_onnx

LENGTHS = (32, 128, 256)
CAPS = (32, 64, 128)
ROUNDS = 15
CALIBRATED_ON = 200
"""Train tickets that static scales are fitted on."""
SERVED = "int8 dynamic"


def turns(
    sessions: dict[str, ort.InferenceSession], ids: NDArray[np.int64], rounds: int
) -> dict[str, float]:
    """Median CPU milliseconds of each on ``(1, tokens)`` ids, taking turns."""
    spent: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(rounds + 1):  # the first is not counted
        for name, session in sessions.items():
            began = time.process_time()
            session.run(None, {"input_ids": ids})
            spent[name].append((time.process_time() - began) * 1000)
    return {name: round(float(np.median(its[1:])), 2) for name, its in spent.items()}


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--passes", default=2, show_default=True, help="To teach each student.")
@click.option("--layers", default=3, show_default=True, help="Of the students.")
@click.option("--rows", default=2000, show_default=True, help="Test tickets for each graph.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("work/encoder_variants"))
@click.option("--encoder", help="Pretrained encoder that the bundle's was made of.")
@click.option(
    "--ways",
    multiple=True,
    type=click.Choice([DISTILLED, TUNED]),
    default=[DISTILLED, TUNED],
    show_default=True,
    help="How students are taught.",
)
@click.option("--teach-only", is_flag=True, help="Teach the students, and measure nothing.")
@click.pass_context
def variants(
    context: click.Context,
    bundle: Path,
    file: Path,
    passes: int,
    layers: int,
    rows: int,
    work: Path,
    encoder: str | None,
    ways: tuple[str, ...],
    teach_only: bool,
) -> None:
    """Measure ways to make BUNDLE's encoder faster on the test split of FILE."""
    logging.getLogger().setLevel(logging.ERROR)
    opened = Bundle.open(bundle)
    train, gate, test = parts_of(opened, file)
    teacher, window = encoder_of(opened, encoder), window_of(opened)
    course = Course(passes, layers, ways, work, opened.manifest.seed)
    shorter = dict(students(teacher, window, train, opened.manifest.heads, course))
    if teach_only:
        return
    known = _calibration(window, train.texts)
    config = teacher.backbone.config
    all_graphs = list(
        graphs(
            to_served_onnx(teacher),
            config.num_attention_heads,
            config.hidden_size,
            known,
        )
    )
    all_graphs += [
        Graph(name, dynamic(to_served_onnx(model), per_channel=True))
        for name, model in shorter.items()
    ]
    measured = Measured(opened, gate, test)
    results = list(_measure(all_graphs, set(shorter), measured, rows))
    _time(results, all_graphs, window, train.texts)
    plain = {
        "command": command_line(context, "eval.encoder_variants"),
        "commit": commit(),
        "machine": machine(),
        "tickets": {"test": len(test.texts), "graphs": rows, "gate": len(gate.texts)},
        "results": results,
    }
    target = RESULTS / "encoder_variants.json"
    target.write_text(json.dumps(plain, indent=1) + "\n")
    click.echo("\n".join(tables.encoder_variants(plain)))


def _measure(
    every: Sequence[Graph], students: set[str], measured: Measured, rows: int
) -> Iterator[dict[str, Any]]:
    """A row for each graph, then for caps on the tokens, then for two encoders in turn."""
    exact: Said | None = None
    kept: dict[str, tuple[Said, Said]] = {}
    best: NDArray[np.int64] | None = None

    def joined(gate: list[Said], test: list[Said]) -> dict[str, Any]:
        nonlocal best
        guess, figures = measured.cascade(gate, test)
        best = guess if best is None else best
        return {**figures, "against_served": drop(measured.test.y, best, guess, measured.classes)}

    for graph in tqdm(every, desc="asking", unit="graph"):
        row = {
            "name": graph.name,
            "mb": round(len(graph.model) / 1e6, 1),
            "operators": graph.operators(),
        }
        if graph.like is None:
            session, whole = graph.session(), graph.name in {*students, "float32", SERVED}
            said = measured.ask(session, measured.test if whole else measured.test.first(rows))
            exact = exact or said
            row["alone"] = measured.alone(said, exact)
            if graph.name in {*students, SERVED}:
                kept[graph.name] = (measured.ask(session, measured.gate), said)
                row["cascade"] = joined([kept[graph.name][0]], [said])
        yield row
        if graph.name == SERVED and exact is not None:
            for cap in (its for its in CAPS if its < measured.window.cap):
                gate, test = (measured.ask(session, its, cap) for its in measured.parts.values())
                yield {
                    "name": f"{SERVED}, at most {cap} tokens",
                    "alone": measured.alone(test, exact),
                    "cascade": joined([gate], [test]),
                }
    for name in students:
        (gate, test), (gate_of_all, test_of_all) = kept[name], kept[SERVED]
        figures = joined([gate, gate_of_all], [test, test_of_all])
        yield {"name": f"{name}, then all", "cascade": figures}


def _time(
    results: list[dict[str, Any]], every: Sequence[Graph], window: TokenWindow, texts: list[str]
) -> None:
    """Put the times at fixed lengths into the rows."""
    sessions = {graph.name: graph.session() for graph in every}
    words = [token for text in texts[:500] for token in window(text)[1:-1]]
    for length in LENGTHS:
        ids = np.asarray([[101, *words[: length - 2], 102]], dtype=np.int64)
        for name, ms in turns(sessions, ids, ROUNDS).items():
            row = next(row for row in results if row["name"] == name)
            row.setdefault("ms", {})[str(length)] = ms


def _calibration(window: TokenWindow, texts: Sequence[str]) -> list[NDArray[np.int64]]:
    """Tickets of one length, as ONNX Runtime's percentiles take no others."""
    length = LENGTHS[0]
    rows = (window(text)[:length] for text in texts)
    long = (row for row in rows if len(row) == length)
    return [np.asarray([row], dtype=np.int64) for row in islice(long, CALIBRATED_ON)]


if __name__ == "__main__":
    try:
        variants()
    except CascadeError as error:
        raise SystemExit(f"eval.encoder_variants: {error}") from None
