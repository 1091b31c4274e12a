"""In-context learning as a baseline: the llm stage's model on every ticket, without the cascade.

The same test tickets go to the model with and without examples, to the neighbours' vote, and to
the whole cascade, so that what fine-tuning is worth against examples in a prompt can be read off
one table.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cascade.errors import InputError
from cascade.router import Cascade
from cascade.stages.base import QUEUE
from cascade.stages.llm import SHOTS, LLMStage
from cascade.stages.neighbours import NeighboursStage
from eval.labelled import Labelled
from eval.latency import percentiles
from train.measures import quality, queue_numbers


def in_context(
    cascade: Cascade, labelled: Labelled, tickets: int, *, seed: int = 0, quiet: bool = False
) -> dict[str, Any]:
    """Figures of the llm stage's model alone, zero-shot and few-shot, and of what it stands beside.

    With more queues than a prompt can list, the shortlist is the neighbours'. A ticket without
    an answer counts as wrong.

    Args:
        labelled: tickets that nothing was fitted on.
        tickets: how many of them to ask about, drawn by seed.

    Returns:
        ``tickets``, ``backend``; ``shots``: by name the quality, ``answered``, and times; and of
        the same tickets the quality of the ``neighbours``' vote and of the ``cascade``.

    Raises:
        InputError: the bundle has no llm stage.
    """
    by_name = {stage.name: stage for stage in cascade.stages}
    llm, neighbours = by_name.get("llm"), by_name.get("neighbours")
    if not isinstance(llm, LLMStage) or not isinstance(neighbours, NeighboursStage):
        raise InputError("the bundle has no llm stage, so there is nobody to ask")
    some = labelled.sample(tickets, seed)
    y, k = some.y, len(cascade.queues)
    votes = neighbours.predict(some.cleaned)[QUEUE]
    shots = {
        name: _asked(name, llm.with_shots(count), some, votes, quiet)
        for name, count in {"zero-shot": 0, f"{SHOTS}-shot": SHOTS}.items()
    }
    decided = queue_numbers(cascade.route(some.texts), cascade.queues)
    return {
        "tickets": len(some),
        "backend": llm.backend.name,
        "shots": shots,
        "neighbours": quality(y, votes.argmax(axis=1), k),
        "cascade": quality(y, decided, k),
    }


def _asked(
    name: str, stage: LLMStage, some: Labelled, votes: NDArray[np.float32], quiet: bool
) -> dict[str, Any]:
    guess = np.full(len(some), -1, dtype=np.int64)
    ms = np.empty(len(some))
    cpu = time.process_time()
    for at in tqdm(range(len(some)), desc=f"  {name}", unit="ticket", leave=False, disable=quiet):
        start = time.perf_counter()
        advice = stage.advise([some.cleaned[at]], votes[at : at + 1], None)
        ms[at] = (time.perf_counter() - start) * 1000
        if not advice.reasons[0]:
            guess[at] = int(advice.probabilities[QUEUE][0].argmax())
    cpu = time.process_time() - cpu
    return {
        **quality(some.y, guess, len(some.queues)),
        "answered": round(float((guess >= 0).mean()), 4),
        **percentiles(ms),
        "ms_mean": round(float(ms.mean()), 2),
        "cpu_ms": round(1000 * cpu / len(some), 2),
    }
