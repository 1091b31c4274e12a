"""What one core of this machine can do at most, in the terms of the two stages that compute.

Copying and gathering for the linear stage, which adds up rows of a large matrix; multiplying
matrices for the encoder. Every figure is the best of several runs, in CPU time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cascade.onnx import session
from cascade.stages.ngrams import words
from eval.bench.clock import best

COPIED = 2**27
"""Bytes: more than the caches of a core and its neighbours hold."""
GATHERED = 100_000
"""Rows of one run."""
# Scikit-learn's own pattern: a limit must not change with how the stage goes about it.
OPSET, IR = 21, 10
"""Of the ONNX models that are made here; 21 is from 2024, so that older runtimes know it."""


def copying(seconds: float) -> float:
    """GB a second that numpy copies: bytes read and bytes written both count."""
    source = np.ones(COPIED, dtype=np.uint8)
    target = np.zeros_like(source)
    return 2 * COPIED / best(lambda: np.copyto(target, source), seconds) / 1e9


def gathering(shape: tuple[int, int], dtype: np.dtype[Any], seconds: float) -> float:
    """GB a second that numpy gathers as rows of a matrix, in an order that nothing can foresee.

    Args:
        shape: of the matrix, whose size decides which cache it lies in.
        dtype: of its numbers.
    """
    matrix = np.ones(shape, dtype=dtype)
    rows = np.random.default_rng(0).integers(0, shape[0], GATHERED)
    out = np.empty((GATHERED, shape[1]), dtype=dtype)
    # With another mode numpy gathers into a buffer first.
    took = best(lambda: np.take(matrix, rows, axis=0, out=out, mode="clip"), seconds)
    return out.nbytes / took / 1e9


def reading(texts: Sequence[str], seconds: float) -> float:
    """CPU milliseconds a text that finding its words takes: the floor of any such stage."""

    def read() -> None:
        for text in texts:
            words(text.lower())

    return 1000 * best(read, seconds) / len(texts)


def multiplying(shape: tuple[int, int, int], *, int8: bool, seconds: float) -> float | None:
    """1e9 operations a second that ONNX Runtime reaches on one core.

    Args:
        shape: ``(rows, inner, columns)``: a matrix of activations by one of weights.
        int8: of unsigned by signed bytes, else of float32.

    Returns:
        None where ``onnx``, which writes the model, is not installed: the extra ``train`` has it.
    """
    run = _multiplication(shape, int8)
    return None if run is None else 2 * np.prod(shape, dtype=float) / best(run, seconds) / 1e9


def _multiplication(shape: tuple[int, int, int], int8: bool) -> Callable[[], object] | None:
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ModuleNotFoundError:
        return None
    rows, inner, columns = shape
    random = np.random.default_rng(0)
    given = random.integers(0, 255, (rows, inner))
    weights = random.integers(-127, 127, (inner, columns))
    kinds = ("uint8", "int8") if int8 else ("float32", "float32")
    types = (
        (TensorProto.UINT8, TensorProto.INT32) if int8 else (TensorProto.FLOAT, TensorProto.FLOAT)
    )
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger" if int8 else "MatMul", ["given", "weights"], ["out"])],
        "multiplication",
        [helper.make_tensor_value_info("given", types[0], [rows, inner])],
        [helper.make_tensor_value_info("out", types[1], [rows, columns])],
        [numpy_helper.from_array(weights.astype(kinds[1]), "weights")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    model = session(made.SerializeToString())
    activations = {"given": given.astype(kinds[0])}
    return lambda: model.run(None, activations)
