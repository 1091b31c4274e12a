"""How much an encoder computes for a ticket, as ONNX Runtime tells what it ran.

Operations are counted from the shapes in the runtime's own profile, so it does not matter how the
graph was fused or quantised, and nothing but the runtime is needed.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from cascade.errors import BundleError

Shape = Sequence[int]


@dataclass(frozen=True, slots=True)
class Work:
    """The matrix multiplications of one run.

    Attributes:
        operations: 2 for each multiplication with its addition.
        largest: ``(rows, inner, columns)`` of the largest one by a matrix of weights.
        int8: whether that one multiplies integers.
    """

    operations: int
    largest: tuple[int, int, int]
    int8: bool


def work(model: bytes, tokens: int) -> Work:
    """What an encoder computes for a ticket of so many tokens.

    Args:
        model: ONNX, ``input_ids`` ``(1, tokens)`` int64 in.

    Raises:
        BundleError: it cannot be loaded or run, or multiplies no matrices.
    """
    nodes = [_Node(event) for event in _profile(model, tokens) if event.get("cat") == "Node"]
    weights = [node for node in nodes if node.operations and len(node.out) <= 3]
    if not weights:
        raise BundleError("encoder: model.onnx multiplies no matrices")
    largest = max(weights, key=lambda node: node.operations)
    shape = (math.prod(largest.out[:-1]), largest.given[-1], largest.out[-1])
    return Work(sum(node.operations for node in nodes), shape, largest.int8)


class _Node:
    """One operator of a profile, with the shapes of its first input and its first output."""

    def __init__(self, event: dict[str, Any]) -> None:
        told = event["args"]
        self.name: str = told["op_name"]
        self.given = _first(told["input_type_shape"])
        self.out = _first(told["output_type_shape"])
        integers = ("Integer", "Quantize", "NBits")
        self.int8 = self.name.startswith("Q") or any(word in self.name for word in integers)

    @property
    def operations(self) -> int:
        """0 where it multiplies no matrices."""
        if "Attention" in self.name:
            *_, tokens, width = self.out
            products = 4 * tokens * tokens * width  # scores, and what they weigh
            # With its weights inside, it makes queries, keys and values itself.
            inside = self.name in ("Attention", "QAttention")
            return products + (6 * tokens * self.given[-1] * width if inside else 0)
        if "MatMul" in self.name or "Gemm" in self.name:
            return 2 * self.given[-1] * math.prod(self.out)
        return 0


def _first(shapes: Sequence[dict[str, list[int]]]) -> list[int]:
    return next(iter(shapes[0].values()), []) if shapes else []


def _profile(model: bytes, tokens: int) -> list[dict[str, Any]]:
    """Events of one run."""
    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "run"))
        try:
            session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            session.run(None, {"input_ids": np.ones((1, tokens), dtype=np.int64)})
        # ONNX Runtime's own exceptions share no base class but Exception.
        except Exception as error:
            raise BundleError(
                f"encoder: model.onnx cannot be run ({type(error).__name__})"
            ) from None
        events: list[dict[str, Any]] = json.loads(Path(session.end_profiling()).read_text("utf-8"))
        return events
