"""A tiny encoder and tickets that it can learn, for the tests of all ways of teaching it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from train.bert import Encoder, pretrained
from train.recipe import Lessons


@pytest.fixture
def model(
    encoder_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Encoder]:
    """Makes the same untrained model each time; it takes a dropout.

    It is trained in float32: the choice of a precision is by speed, so it could differ from one
    run to the next.
    """
    for way in ("encoder", "contrastive"):
        monkeypatch.setattr(f"train.{way}.fastest_dtype", lambda device: torch.float32)

    def make(dropout: float = 0.0) -> Encoder:
        backbone, _, _ = pretrained(str(encoder_folder("bert")))
        torch.manual_seed(0)
        return Encoder(backbone, 5, dropout)

    return make


@pytest.fixture(scope="session")
def lessons() -> Callable[..., Lessons]:
    """Tickets whose first word tells the queue and whose last ones tell the urgency.

    ``lessons(rows, seed, unknown)``: the urgency of the share ``unknown`` is not known.
    """

    def make(rows: int, seed: int = 0, unknown: float = 0.3) -> Lessons:
        random = np.random.default_rng(seed)
        queue, urgency = random.permutation(np.arange(rows) % 3), random.integers(0, 2, rows)
        ids = []
        for q, u in zip(queue.tolist(), urgency.tolist(), strict=True):
            noise = random.integers(100, 500, random.integers(1, 8)).tolist()
            ids.append([2, 20 + q, *noise, *[50 + u] * 4, 3])
        urgency = np.where(random.random(rows) < unknown, -1, urgency)
        nothing = np.full((rows, 3), 1 / 3, dtype=np.float32)
        return Lessons(ids, {"queue": queue, "urgency": urgency}, nothing)

    return make
