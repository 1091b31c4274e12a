"""What a cap on the encoder's tokens costs in macro-F1, and saves in time.

    python -m eval.caps bundles/starter tickets.csv.gz --caps 64,128,192,256,384

The bundle's encoder reads the same tickets under each cap, on one core. The file should hold
tickets that the bundle was not trained on. Writes eval/results/caps_NAME.json.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
import numpy as np
from tokenizers import Tokenizer

from cascade.bundle import Bundle
from cascade.errors import CascadeError
from cascade.stages.base import QUEUE
from cascade.stages.encoder import EncoderStage, TokenWindow
from eval.datasets import RESULTS
from train.measures import interval, macro_f1
from train.read import encode, read_table


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--caps", default="64,128,192,256,384,512", show_default=True)
@click.option("--rows", default=1500, show_default=True, help="Most tickets to read.")
def caps(bundle: Path, file: Path, caps: str, rows: int) -> None:
    """Measure BUNDLE's encoder on FILE under several caps."""
    opened = Bundle.open(bundle)
    heads = opened.manifest.heads
    table, _ = read_table(file, opened.manifest.columns, min_rows=1)
    table = table.take(np.arange(min(rows, len(table))))
    y = encode(table, heads)[QUEUE]
    config = json.loads(opened.read("encoder/config.json"))
    model = opened.read("encoder/model.onnx")
    results = []
    for cap in map(int, caps.split(",")):
        tokenizer = Tokenizer.from_str(opened.read("encoder/tokenizer.json").decode())
        window = TokenWindow(tokenizer, cap, config["head_share"])
        stage = EncoderStage(model, window, heads)
        guess, wall, cpu = np.empty(len(table), dtype=np.int64), [], []
        for at, text in enumerate(table.texts):
            started, used = time.perf_counter(), time.process_time()
            guess[at] = stage.predict([text])[QUEUE][0].argmax()
            wall.append((time.perf_counter() - started) * 1000)
            cpu.append((time.process_time() - used) * 1000)
        low, high = interval(y, guess, len(heads[QUEUE]))
        results.append(
            {
                "cap": cap,
                "macro_f1": round(macro_f1(y, guess, len(heads[QUEUE])), 4),
                "macro_f1_95": [round(low, 4), round(high, 4)],
                "cut": round(float(np.mean([len(window(t)) == cap for t in table.texts])), 4),
                "ms_p95": round(float(np.percentile(wall, 95)), 1),
                "cpu_ms_p95": round(float(np.percentile(cpu, 95)), 1),
            }
        )
        click.echo(json.dumps(results[-1]))
    target = RESULTS / f"caps_{opened.manifest.name}.json"
    command = f"python -m eval.caps {bundle} {file.name} --caps {caps} --rows {rows}"
    plain = {"command": command, "trained_cap": config["cap"], "results": results}
    target.write_text(json.dumps(plain, indent=2) + "\n")


if __name__ == "__main__":
    try:
        caps()
    except CascadeError as error:
        raise SystemExit(f"eval.caps: {error}") from None
