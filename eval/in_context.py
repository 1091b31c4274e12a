"""In-context learning as a baseline: the llm stage's model on every ticket, without the cascade.

The same test tickets go to the model with and without examples, to the neighbours' vote, and to
the whole cascade, so that what fine-tuning is worth against examples in a prompt can be read off
one table.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cascade.clean import clean
from cascade.errors import InputError
from cascade.router import Cascade
from cascade.stages.base import QUEUE
from cascade.stages.llm import SHOTS, LLMStage
from cascade.stages.neighbours import NeighboursStage
from train.measures import quality, times


def in_context(
    cascade: Cascade,
    texts: Sequence[str],
    y: NDArray[np.int64],
    tickets: int,
    *,
    seed: int = 0,
    quiet: bool = False,
) -> dict[str, Any]:
    """Figures of the llm stage's model alone, zero-shot and few-shot, and of what it stands beside.

    With more queues than a prompt can list, the shortlist is the neighbours'. A ticket without
    an answer counts as wrong.

    Args:
        texts: raw, of tickets that nothing was fitted on.
        y: ``(n,)`` their queues.
        tickets: how many of them to ask about, drawn by seed.

    Raises:
        InputError: the bundle has no llm stage.
    """
    by_name = {stage.name: stage for stage in cascade.stages}
    llm, neighbours = by_name.get("llm"), by_name.get("neighbours")
    if not isinstance(llm, LLMStage) or not isinstance(neighbours, NeighboursStage):
        raise InputError("the bundle has no llm stage, so there is nobody to ask")
    rows = np.sort(np.random.default_rng(seed).permutation(len(y))[:tickets])
    asked, truth = [texts[row] for row in rows], y[rows]
    cleaned = [clean(text) for text in asked]
    votes = neighbours.predict(cleaned)[QUEUE]
    classes = len(cascade.queues)
    out: dict[str, Any] = {"tickets": len(rows), "backend": llm.backend.name}
    for name, shots in (("zero-shot", 0), (f"{SHOTS}-shot", SHOTS)):
        stage = llm.with_shots(shots)
        guess = np.full(len(rows), -1, dtype=np.int64)
        ms = np.empty(len(rows))
        for at in tqdm(range(len(rows)), desc=name, unit="ticket", disable=quiet):
            start = time.perf_counter()
            advice = stage.advise([cleaned[at]], votes[at : at + 1], None)
            ms[at] = (time.perf_counter() - start) * 1000
            if not advice.reasons[0]:
                guess[at] = int(advice.probabilities[QUEUE][0].argmax())
        answered = guess >= 0
        wrong = (truth + 1) % classes
        told = quality(truth, np.where(answered, guess, wrong), classes)
        out[name] = {**told, "answered": round(float(answered.mean()), 4), **times(ms)}
    out["neighbours"] = quality(truth, votes.argmax(axis=1), classes)
    number = {queue: at for at, queue in enumerate(cascade.queues)}
    routed = np.asarray([number[cascade.route([text])[0].queue] for text in asked])
    out["cascade"] = quality(truth, routed, classes)
    return out
