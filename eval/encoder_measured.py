"""How good and how fast an encoder is, alone and behind the linear stage of its bundle."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from cascade.bundle import Bundle
from cascade.loading import load_stages
from cascade.stages.base import QUEUE, Adviser, softmax
from cascade.stages.encoder import TokenWindow
from eval.encoder_students import Part
from eval.encoder_weights import window_of
from eval.paired import drop
from train.measures import macro_f1, quality
from train.promise import Promise
from train.walk import Walk
from train.witnesses import Witnesses, join_stages


@dataclass(frozen=True, slots=True)
class Said:
    """What a model said of ``n`` tickets, one by one.

    Attributes:
        logits: ``(n, k)`` of the queues.
        ms: ``(n,)`` CPU milliseconds, tokenising included.
    """

    logits: NDArray[np.float32]
    ms: NDArray[np.float64]

    @property
    def best(self) -> NDArray[np.int64]:
        """``(n,)`` best queues."""
        return np.asarray(self.logits.argmax(axis=1))


def ask(
    session: ort.InferenceSession, window: TokenWindow, texts: Sequence[str], queues: int
) -> Said:
    """Ask a session about texts, one by one and unpadded."""
    logits = np.empty((len(texts), queues), dtype=np.float32)
    ms = np.empty(len(texts))
    for row, text in enumerate(texts):
        began = time.process_time()
        ids = np.asarray([window(text)], dtype=np.int64)
        logits[row] = session.run(["logits"], {"input_ids": ids})[0][0, :queues]
        ms[row] = (time.process_time() - began) * 1000
    return Said(logits, ms)


class Measured:
    """A bundle's encoder and linear stage on its own gate and test split."""

    def __init__(self, bundle: Bundle, gate: Part, test: Part) -> None:
        self.gate, self.test, self.window = gate, test, window_of(bundle)
        self.queues = bundle.manifest.heads[QUEUE]
        opened = Bundle.open(bundle.path)
        opened.manifest = replace(opened.manifest, stages=("linear",))
        (linear,) = load_stages(opened, 1, None)
        assert not isinstance(linear, Adviser)
        began = time.process_time()
        self.linear = {part: linear.predict(its.texts)[QUEUE] for part, its in self.parts.items()}
        spent = (time.process_time() - began) * 1000
        self.linear_ms = spent / (len(gate.texts) + len(test.texts))

    @property
    def classes(self) -> int:
        """How many queues there are."""
        return len(self.queues)

    @property
    def parts(self) -> dict[str, Part]:
        """The two splits by name."""
        return {"gate": self.gate, "test": self.test}

    def ask(self, session: ort.InferenceSession, part: Part, cap: int | None = None) -> Said:
        """Ask about a split, with another cap on the tokens if one is given."""
        own = self.window.cap
        self.window.cap = cap or own
        try:
            return ask(session, self.window, part.texts, self.classes)
        finally:
            self.window.cap = own

    def alone(self, said: Said, exact: Said) -> dict[str, Any]:
        """How good an encoder is by itself, against the float32 one on the same tickets."""
        y = self.test.y[: len(said.ms)]
        before, after = exact.best[: len(y)], said.best
        return {
            **quality(y, after, self.classes),
            "against_float32": drop(y, before, after, self.classes),
            "same_queue": round(float((before == after).mean()), 4),
            "largest_logit_difference": round(
                float(np.abs(said.logits - exact.logits[: len(y)]).max()), 4
            ),
            "mean_ms": round(float(said.ms.mean()), 3),
        }

    def cascade(
        self, gate: Sequence[Said], test: Sequence[Said]
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """The cascade of the linear stage and one or more encoders, its gates fitted anew.

        Returns:
            ``(n,)`` queues of the test split, and its figures.
        """
        names = ["linear", *(f"encoder {number}" for number in range(len(gate)))]
        seen = [self.linear["gate"], *(softmax(its.logits) for its in gate)]
        asked = [self.linear["test"], *(softmax(its.logits) for its in test)]
        witnesses = Witnesses(names, [{QUEUE: p} for p in seen], {QUEUE: self.gate.y}, self.queues)
        gates = join_stages(witnesses, Promise()).gates
        arrays = [its.joins[QUEUE](asked[: at + 1]) for at, its in enumerate(gates)]
        walk = Walk.along(gates, arrays, [None] * len(gates), self.test.y)
        best = np.asarray(walk.joined.argmax(axis=1))
        ms = self.linear_ms + sum(
            float(its.ms[walk.stage > at].sum()) / len(best) for at, its in enumerate(test)
        )
        return best, {
            "macro_f1": round(macro_f1(self.test.y, best, self.classes), 4),
            "joined_macro_f1": round(
                macro_f1(self.test.y, arrays[-1].argmax(axis=1), self.classes), 4
            ),
            "reached": [round(float((walk.stage > at).mean()), 4) for at in range(len(test))],
            "cpu_ms": round(ms, 3),
        }
