"""Train the built-in reader: ``python -m train.reader --data ../shared/data --minutes 25``.

Writes ``model.onnx``, ``tokenizer.json`` and ``card.json`` into ``cascade/llm/built_in/``. What it
comes to on labels that it never saw is measured by ``python -m eval.neighbours --ask``.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch.nn import functional
from tqdm import tqdm

from cascade.errors import CascadeError
from cascade.llm.base import MAX_CANDIDATES
from cascade.llm.reader import BUILT_IN
from cascade.machine import cores
from train.bert import Encoder, pretrained
from train.reader.episodes import Episode, episodes, read_sources
from train.reader.export import export
from train.reader.fit import Material, Recipe, fit, laid_out
from train.reader.model import Reader
from train.reader.words import shrink

JUDGED = 600
"""Episodes of pools that were not trained on, by which progress is told."""
TEACHER_TOKENS = 64


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--minutes", default=25.0, show_default=True, type=click.FloatRange(0))
@click.option("--layers", default=3, show_default=True, help="Of the encoder's six.")
@click.option("--rank", default=160, show_default=True, help="Width of the word table.")
@click.option("--seed", default=0, show_default=True)
@click.option("--out", default=BUILT_IN, type=click.Path(path_type=Path, file_okay=False))
def main(data: Path, minutes: float, layers: int, rank: int, seed: int, out: Path) -> None:
    """Train the small reader that comes with the package, and export it."""
    torch.set_num_threads(cores())
    torch.manual_seed(seed)
    backbone, content, name = pretrained(None)
    tokenizer, kept = shrink(content, MAX_CANDIDATES)
    sources = read_sources(data)
    own = Tokenizer.from_str(tokenizer)
    ids = [[e.ids for e in own.encode_batch(list(s.texts))] for s in sources]
    taught = [teach(backbone, content, source.texts) for source in sources]
    material = Material(sources, ids, taught)
    reader = Reader(copy.deepcopy(backbone), torch.tensor(kept), layers=layers, rank=rank)
    fresh = [e for pool in episodes(sources, 8, seed + 1_000_000) for e in pool]
    drawn = np.random.default_rng(seed).permutation(len(fresh))[:JUDGED]
    judged = [fresh[i] for i in drawn]
    recipe = Recipe(minutes=minutes)
    history: list[float] = []

    def judge() -> str:
        history.append(accuracy(reader, material, judged))
        return f"{history[-1]:.3f} of {len(judged)} episodes of other pools right"

    steps = fit(reader, material, recipe, judge, seed=seed)
    model = export(reader)
    card: dict[str, Any] = {
        "base": name,
        "layers": layers,
        "rank": rank,
        "words": len(kept),
        "trained_on": [source.name for source in sources],
        "episodes": steps * recipe.batch,
        "recipe": asdict(recipe),
        "seed": seed,
        "accuracy_on_other_pools": [round(value, 4) for value in history],
        "bytes": len(model),
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "model.onnx").write_bytes(model)
    (out / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    (out / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    click.echo(f"wrote {out} ({len(model) / 2**20:.1f} MiB)")


def accuracy(reader: Reader, material: Material, judged: Sequence[Episode]) -> float:
    """Share of episodes whose answer is right, "none of them" included."""
    reader.eval()
    right = 0
    random = np.random.default_rng(0)
    with torch.no_grad():
        for episode in judged:
            ids, _, truth, _ = laid_out(reader, material, episode, 0.0, 48, random)
            right += int(reader(torch.tensor([ids]))[0, -1].argmax()) == truth[-1]
    return right / len(judged)


def teach(backbone: Any, content: str, texts: Sequence[str]) -> NDArray[np.float32]:
    """``(n, width)`` unit vectors: the whole pretrained encoder's mean over each text."""
    tokenizer = Tokenizer.from_str(content)
    tokenizer.no_padding()
    encoder = Encoder(backbone, 2).eval()
    ids = [encoding.ids[:TEACHER_TOKENS] for encoding in tokenizer.encode_batch(list(texts))]
    out = np.empty((len(ids), backbone.config.hidden_size), dtype=np.float32)
    order = np.argsort([len(row) for row in ids], kind="stable")
    with torch.no_grad():
        for start in tqdm(range(0, len(order), 64), desc="asking the teacher", unit="batch"):
            rows = order[start : start + 64].tolist()
            longest = max(len(ids[row]) for row in rows)
            batch = torch.zeros(len(rows), longest, dtype=torch.long)
            mask = torch.zeros(len(rows), longest)
            for at, row in enumerate(rows):
                batch[at, : len(ids[row])] = torch.tensor(ids[row])
                mask[at, : len(ids[row])] = 1
            states = encoder.states(batch, mask).float()
            mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            out[rows] = functional.normalize(mean, dim=-1).numpy()
    return out


if __name__ == "__main__":
    try:
        main()
    except CascadeError as error:
        raise SystemExit(f"train.reader: {error}") from None
