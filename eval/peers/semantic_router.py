"""semantic-router's index of examples, written for semantic-router 1.1.

An `IndexedRouter` with its default settings (the 5 nearest utterances, their mean similarity a
route) over a `LocalEncoder` of all-MiniLM-L6-v2, which sentence-transformers runs. Utterances are
training tickets, `EMBEDDED` at most. It is asked ticket by ticket, as that is all its public
interface offers. It needs openai below 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from semantic_router import IndexedRouter, Route
from semantic_router.encoders.local import LocalEncoder

from eval.baselines import EMBEDDED, stratified
from eval.labelled import Labelled
from eval.peers.peer import Peer, minilm, versions


def fit(train: Labelled, seed: int) -> Peer:
    """A route a queue, its utterances the queue's tickets."""
    few = train.take(stratified(train.y, EMBEDDED, seed))
    routes = [
        Route(name=str(queue), utterances=few.take(np.flatnonzero(few.y == queue)).texts)
        for queue in np.unique(few.y)
    ]
    router = IndexedRouter(encoder=LocalEncoder(name=minilm(), device="cpu"), routes=routes)

    def answer(texts: list[str]) -> NDArray[np.float32]:
        out = np.zeros((len(texts), len(train.queues)), dtype=np.float32)
        for row, text in enumerate(texts):
            for choice in router(text, limit=None):
                out[row, int(choice.name)] = max(choice.confidence, 0)
        # Similarities, as shares: the library calls them probabilities once they are calibrated,
        # which changes none of its choices.
        total = out.sum(axis=1, keepdims=True)
        out /= np.where(total > 0, total, 1)
        return out

    note = f"{versions('semantic-router')}, defaults, {len(few):,} utterances, all-MiniLM-L6-v2"
    return Peer("semantic-router", note, answer)
