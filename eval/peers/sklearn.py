"""scikit-learn's plain text classifier, written for scikit-learn 1.9.

The pipeline of its tutorial for text data: `TfidfVectorizer` and `LogisticRegression`, both with
their default settings, but for ``max_iter``, which scikit-learn itself tells to raise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from eval.labelled import Labelled
from eval.peers.peer import Peer, spread, versions


def fit(train: Labelled, seed: int) -> Peer:
    """TF-IDF of words and a logistic regression, on raw texts."""
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000, random_state=seed))
    model.fit(train.texts, train.y)

    def answer(texts: list[str]) -> NDArray[np.float32]:
        return spread(model.predict_proba(texts), model.classes_, len(train.queues))

    return Peer("scikit-learn TF-IDF + LR", versions("scikit-learn") + ", defaults", answer)
