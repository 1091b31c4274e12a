"""How long a ticket would take at the machine's limit, for the two stages that compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from safetensors.numpy import load

from cascade.bundle import Bundle
from cascade.stages.base import Adviser, Stage
from cascade.stages.encoder import EncoderStage
from cascade.stages.linear import LinearStage
from eval.bench.clock import significant
from eval.bench.limits import gathering, multiplying, reading
from eval.bench.work import work

TOKENS = 128
"""Of the ticket whose largest multiplication by weights the machine is timed on."""
READING = 0.02
"""Seconds that reading the words of one line's texts is timed for."""


class Bound(Protocol):
    """The machine's limit for one stage."""

    told: dict[str, Any]
    """What the machine can do, by name."""

    def of(self, texts: Sequence[str]) -> dict[str, Any]:
        """Of cleaned texts, per ticket: ``limit_ms`` (None if unknown) and what makes it up."""
        ...


class LinearBound:
    """Words are found, and rows of the coefficients gathered as fast as numpy can.

    ``told``: ``gather_gb_s``, and of which matrix: ``terms`` and ``row_bytes``. `of` a text:
    ``terms``, ``bytes`` and ``reading_ms``.
    """

    def __init__(self, bundle: Bundle, stage: LinearStage, seconds: float) -> None:
        arrays = load(bundle.read(f"{stage.name}/model.safetensors"))
        matrices = [its for name, its in arrays.items() if name.startswith("coefficients.")]
        rows, columns = len(matrices[0]), sum(matrix.shape[1] for matrix in matrices)
        kind = matrices[0].dtype
        self._stage, self._row = stage, columns * kind.itemsize
        self._rate = gathering((rows, columns), kind, seconds)
        self.told = {
            "gather_gb_s": significant(self._rate),
            "terms": rows,
            "row_bytes": self._row,
        }

    def of(self, texts: Sequence[str]) -> dict[str, Any]:
        """See `Bound.of`."""
        terms = float(np.mean([self._terms(text) for text in texts]))
        reading_ms = reading(texts, READING)
        gathering_ms = terms * self._row / self._rate / 1e6
        return {
            "terms": round(terms, 1),
            "bytes": round(terms * self._row),
            "reading_ms": significant(reading_ms),
            "limit_ms": significant(reading_ms + gathering_ms),
        }

    def _terms(self, text: str) -> int:
        """Different n-grams of a text that the stage knows."""
        return sum(len(added) for _, added in self._stage.contributions(text, 0, 1))


class EncoderBound:
    """Its matrices are multiplied as fast as the largest of them is, alone and again and again.

    ``told``: ``gops`` (1e9 operations a second, None if not measured), ``int8`` and ``shape``. `of`
    a text: ``tokens`` and ``operations``.
    """

    def __init__(self, bundle: Bundle, stage: EncoderStage, seconds: float) -> None:
        self._stage, self._model = stage, bundle.read(f"{stage.name}/model.onnx")
        its = work(self._model, min(TOKENS, stage.window.cap))
        self._rate = multiplying(its.largest, int8=its.int8, seconds=seconds)
        self.told = {
            "gops": significant(self._rate) if self._rate else None,
            "int8": its.int8,
            "shape": list(its.largest),
        }

    def of(self, texts: Sequence[str]) -> dict[str, Any]:
        """See `Bound.of`."""
        tokens = float(np.mean([len(self._stage.window(text)) for text in texts]))
        operations = work(self._model, round(tokens)).operations
        return {
            "tokens": round(tokens, 1),
            "operations": operations,
            "limit_ms": significant(operations / self._rate / 1e6) if self._rate else None,
        }


def bound(bundle: Bundle, stage: Stage | Adviser, seconds: float) -> Bound | None:
    """The machine's limit for a stage, measured for so long; None where nothing bounds it."""
    if isinstance(stage, LinearStage):
        return LinearBound(bundle, stage, seconds)
    if isinstance(stage, EncoderStage):
        return EncoderBound(bundle, stage, seconds)
    return None
