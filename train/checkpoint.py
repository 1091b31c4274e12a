"""Where training stood, so that it can go on after Ctrl-C or a crash. safetensors, no pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from cascade.stages.base import Heads
from train.bert import Encoder
from train.recipe import Lessons, Recipe


@dataclass(slots=True)
class Standing:
    """How far training is.

    Attributes:
        fingerprint: of the data and the options; a checkpoint of another run is not used.
        seconds: spent on training so far.
        number: passes that were ended.
        batch: batches that were ended in the current pass.
        best: lowest held-out loss so far.
        waited: evaluations since then.
        evaluated: share of the run at the last evaluation.
        cooling: share of the run at which the rate began to fall to 0, because nothing was won.
    """

    fingerprint: str
    seconds: float = 0.0
    number: int = 0
    batch: int = 0
    best: float = float("inf")
    waited: int = 0
    evaluated: float = 0.0
    cooling: float | None = None
    history: list[dict[str, float]] = field(default_factory=list)


def save(
    path: Path,
    standing: Standing,
    model: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write a checkpoint; the one before stays until the new one is whole."""
    tensors = {f"model.{name}": value.contiguous() for name, value in model.items()}
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            tensors[f"optimizer.{index}.{name}"] = value.contiguous()
    temporary = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, temporary, metadata={"standing": json.dumps(asdict(standing))})
    temporary.replace(path)


def load(
    path: Path, fingerprint: str, model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> Standing | None:
    """Go on from a checkpoint: fills the model and the optimizer.

    Returns:
        Where training stood, or None if there is no checkpoint of this run.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            standing = Standing(**json.loads(file.metadata()["standing"]))
            if standing.fingerprint != fingerprint:
                return None
            groups: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}}
            for key in file.keys():  # noqa: SIM118 - not a dict
                group, _, name = key.partition(".")
                groups[group][name] = file.get_tensor(key)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None  # half written or of another version: training starts anew
    model.load_state_dict(groups["model"])
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in groups["optimizer"].items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return standing


def fingerprint(model: Encoder, lessons: Lessons, heads: Heads, recipe: Recipe, seed: int) -> str:
    """Of all that a run depends on, in hexadecimal: another one must not go on from here."""
    digest = hashlib.sha256(json.dumps([asdict(recipe), dict(heads), seed]).encode())
    # The pretrained weights too: many encoders share a vocabulary, and so give the same ids.
    for name, value in model.backbone.state_dict().items():
        digest.update(f"{name} {tuple(value.shape)}".encode())
        digest.update(value.cpu().contiguous().view(torch.uint8).numpy().tobytes())
    for ids in lessons.ids:
        digest.update(np.asarray(ids, dtype=np.int32).tobytes())
    for name in heads:
        digest.update(lessons.targets[name].tobytes())
    return digest.hexdigest()
