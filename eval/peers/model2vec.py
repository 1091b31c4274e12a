"""Model2Vec's trained classifier, written for model2vec 0.10.

`StaticModelForClassification` with the default settings of its training guide, from a static model
that is first distilled from all-MiniLM-L6-v2 with the default settings of `model2vec.distill`. The
guide's own choice, potion-base-32M, which it calls its best model, lies on a model hub, and an
offline machine gets nothing from there; these figures may fall short of what it would give.
Distilling takes a minute or two of CPU. The extra ``model2vec[distill]`` wants transformers below
5.4, but works with 5.23, so its libraries are installed by name.
"""

from __future__ import annotations

import numpy as np
from model2vec.distill import distill
from model2vec.train import StaticModelForClassification
from numpy.typing import NDArray

from eval.labelled import Labelled
from eval.peers.peer import Peer, minilm, spread, versions


def fit(train: Labelled, seed: int) -> Peer:
    """A static model distilled from MiniLM, fine-tuned with a head, and freed of torch."""
    classifier = StaticModelForClassification.from_static_model(model=distill(minilm()))
    classifier.fit(train.texts, train.y.tolist(), random_seed=seed, device="cpu")
    numbers = [int(number) for number in classifier.classes]
    pipeline = classifier.to_pipeline()

    def answer(texts: list[str]) -> NDArray[np.float32]:
        return spread(pipeline.predict_proba(texts), numbers, len(train.queues))

    note = versions("model2vec") + ", defaults; distilled from all-MiniLM-L6-v2"
    return Peer("Model2Vec classifier", note, answer)
