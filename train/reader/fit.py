"""Training the reader on episodes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from train.precision import fastest_dtype
from train.reader.episodes import Episode, Source, episodes
from train.reader.model import Reader


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the reader is trained.

    Attributes:
        minutes: most time that training may take.
        pools: pools that episodes are drawn from, up to 1,500 episodes each.
        batch: episodes a step.
        rate: highest learning rate; it rises over the first 3 % of the run and falls in a line.
        forget: share of the tokens that a step does not see, drawn anew each time.
        tokens: most tokens of one text.
        teach: weight of the loss by which a text's sum agrees with the whole pretrained encoder's.
        early: weight of the answers after earlier examples, beside 1 for the ticket's.
    """

    minutes: float = 30.0
    pools: int = 250
    batch: int = 32
    rate: float = 2e-4
    forget: float = 0.1
    tokens: int = 48
    teach: float = 1.0
    early: float = 0.1


@dataclass(frozen=True, slots=True)
class Material:
    """Each source's texts as token ids, and what the whole pretrained encoder makes of them."""

    sources: Sequence[Source]
    ids: list[list[list[int]]]
    taught: list[NDArray[np.float32]]
    """For each source ``(n, width)``, unit vectors."""


def fit(
    reader: Reader,
    material: Material,
    recipe: Recipe,
    judge: Callable[[], str],
    *,
    seed: int = 0,
) -> int:
    """Train in place; ``judge`` is asked ten times on the way for a line to print.

    Returns:
        The number of steps that were made.
    """
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    reader.to(device)
    half = fastest_dtype(device)
    reader.words.requires_grad_(False)  # rare words would drift, and queues never seen need them
    parameters = [p for p in reader.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.01},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=recipe.rate,
        betas=(0.9, 0.98),
    )
    random = np.random.default_rng(seed)
    drawn = [episode for pool in episodes(material.sources, recipe.pools, seed) for episode in pool]
    order = random.permutation(len(drawn))
    steps = len(order) // recipe.batch
    began, judged, step = time.monotonic(), 0.0, 0
    with tqdm(total=100, unit="%", desc="training the reader") as bar:
        for step in range(steps):
            done = max(step / steps, (time.monotonic() - began) / (recipe.minutes * 60))
            if done >= 1:
                break
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate * min(done / 0.03 + 1e-2, (1 - done) / 0.97)
            batch = [drawn[i] for i in order[step * recipe.batch : (step + 1) * recipe.batch]]
            reader.train()
            with torch.autocast(device.type, dtype=half, enabled=half is not torch.float32):
                loss = _loss(reader, material, batch, recipe, random, device)
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            bar.n = round(done * 100)
            bar.set_postfix_str(f"step {step} of {steps}, loss {loss.item():.3f}")
            if done - judged >= 0.1:
                judged = done
                bar.write(f"  {(time.monotonic() - began) / 60:5.1f} min  {judge()}")
    bar.write(f"  {(time.monotonic() - began) / 60:5.1f} min  {judge()}")
    return step


def _loss(
    reader: Reader,
    material: Material,
    batch: Sequence[Episode],
    recipe: Recipe,
    random: np.random.Generator,
    device: torch.device,
) -> Tensor:
    """Cross-entropy at the marks, and the distance of the texts' sums from the teacher's."""
    rows, marks, targets, weights, taught = [], [], [], [], []
    for episode in batch:
        parts = laid_out(reader, material, episode, recipe.forget, recipe.tokens, random)
        ids, places, truth, known = parts
        rows.append(ids)
        marks.append(places)
        targets.append(truth)
        weights.append([0.0] + [recipe.early] * (len(places) - 2) + [1.0])
        taught += known
    longest = max(map(len, rows))
    padded = torch.full((len(rows), longest), reader.codes, dtype=torch.long)
    for at, ids in enumerate(rows):
        padded[at, : len(ids)] = torch.as_tensor(ids)
    out, sums = reader.read(padded.to(device))
    where = torch.as_tensor([at * longest + p for at, ps in enumerate(marks) for p in ps])
    answers = out.reshape(-1, out.shape[-1])[where.to(device)]
    weight = torch.as_tensor([w for ws in weights for w in ws], device=device)
    target = torch.as_tensor([t for ts in targets for t in ts], device=device)
    asked = functional.nll_loss(answers, target, reduction="none")
    told = torch.as_tensor(np.stack(taught), device=device)
    away = 1 - (sums.reshape(-1, sums.shape[-1])[where.to(device)] * told).sum(-1)
    return (asked * weight).sum() / weight.sum() + recipe.teach * away.mean()


def laid_out(
    reader: Reader,
    material: Material,
    episode: Episode,
    forget: float,
    most: int,
    random: np.random.Generator,
) -> tuple[list[int], list[int], list[int], list[NDArray[np.float32]]]:
    """An episode as the reader sees it, with codes drawn anew.

    Returns:
        The token ids; the places of the marks; at each mark the right code, or that of "none of
        them" where no earlier example has it; and each text's vector of the teacher.
    """
    labels = material.sources[episode.source].labels
    shown = set(labels[list(episode.shown)].tolist())
    code = dict(zip(shown, random.permutation(reader.codes).tolist(), strict=False))
    ids: list[int] = []
    places, truth, taught = [], [], []
    for at, row in enumerate((*episode.shown, episode.ticket)):
        text = material.ids[episode.source][row][:most]
        ids += [token for token in text if random.random() >= forget] or text[:1]
        label = int(labels[row])
        known = label in labels[list(episode.shown[:at])]
        truth.append(code[label] if known else reader.codes)
        places.append(len(ids))
        ids.append(reader.codes if at == len(episode.shown) else code[label])
        taught.append(material.taught[episode.source][row])
    return ids, places, truth, taught
