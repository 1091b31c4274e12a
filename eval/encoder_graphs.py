"""What can be made of an exported encoder without training: fused, quantised, halved graphs.

Each is compared in `eval.encoder_variants`; what won is in `train.export` and `cascade.onnx`.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper
from onnxruntime import quantization as q
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers import float16, optimizer

from cascade.onnx import LEFT_OUT

LEVELS = {
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
Ids = Sequence[NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Graph:
    """A model and how a session of it is made.

    Attributes:
        like: name of the one whose answers are the same, which need not be measured again.
    """

    name: str
    model: bytes
    level: str = "all"
    left_out: tuple[str, ...] = LEFT_OUT
    like: str | None = None

    def session(self, keep: Path | None = None) -> ort.InferenceSession:
        """A session as of `cascade.onnx.session`, but for level and what is left out.

        Args:
            keep: where the graph is written as it is run.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.graph_optimization_level = LEVELS[self.level]
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if keep:
            options.optimized_model_filepath = str(keep)
        return ort.InferenceSession(
            self.model,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=list(self.left_out),
        )

    def operators(self) -> dict[str, int]:
        """How often each operator stands in the graph as it is run."""
        with tempfile.TemporaryDirectory() as folder, _quietly():
            file = Path(folder) / "run.onnx"
            self.session(file)
            graph = onnx.load(file).graph
        return dict(Counter(node.op_type for node in graph.node).most_common())


def graphs(float32: bytes, heads: int, hidden: int, known: Ids) -> Iterator[Graph]:
    """All that can be made of a float32 model.

    Args:
        heads, hidden: of its attention, and its width.
        known: ids of tickets, each ``(1, tokens)``, on which static scales are fitted.
    """
    yield Graph("float32", float32)
    for level in ("basic", "extended"):
        yield Graph(f"float32, {level} optimisations only", float32, level, like="float32")
    tuned = _tuned(float32, heads, hidden)
    yield Graph("float32, by onnxruntime.transformers", tuned, left_out=(), like="float32")
    fused = attention_fused(float32, heads)
    yield Graph("float32, attention fused", fused, like="float32")
    yield Graph("float16", _halved(float32))
    plain = dynamic(float32, per_channel=True)
    yield Graph("int8 dynamic", plain)
    yield Graph("int8 dynamic, sums and norms fused", plain, left_out=(), like="int8 dynamic")
    yield Graph("int8 dynamic, a scale a matrix", dynamic(float32, per_channel=False))
    yield Graph("int8 dynamic, 7 bits", dynamic(float32, per_channel=True, reduce_range=True))
    matrices = dynamic(float32, per_channel=True, op_types_to_quantize=["MatMul", "Gemm"])
    yield Graph("int8 dynamic, float32 embeddings", matrices)
    yield Graph("int8 dynamic, attention fused", dynamic(fused, per_channel=True))
    for kind, layout in (("QDQ", q.QuantFormat.QDQ), ("QOperator", q.QuantFormat.QOperator)):
        for way in (q.CalibrationMethod.MinMax, q.CalibrationMethod.Percentile):
            if kind == "QDQ" or way is q.CalibrationMethod.MinMax:
                yield Graph(f"int8 static, {kind}, {way.name}", static(float32, known, layout, way))
    for bits, block in ((8, 128), (4, 32), (4, 64), (4, 128)):
        yield Graph(f"int{bits} weights, blocks of {block}", blocks(float32, bits, block))


def dynamic(model: bytes, **options: Any) -> bytes:
    """Activations to int8 by scales of their own at each run."""

    def make(source: Path, target: Path) -> None:
        extra = {"DefaultTensorType": onnx.TensorProto.FLOAT}  # behind operators of ONNX Runtime
        q.quantize_dynamic(
            source, target, weight_type=q.QuantType.QInt8, extra_options=extra, **options
        )

    return _made(model, make)


def static(model: bytes, known: Ids, layout: q.QuantFormat, way: q.CalibrationMethod) -> bytes:
    """Activations to int8 by scales that were fitted on tickets; products of weights alone."""
    graph = onnx.load_from_string(model).graph
    weights = {its.name for its in graph.initializer}
    free = [n.name for n in graph.node if n.op_type == "MatMul" and n.input[1] not in weights]

    def make(source: Path, target: Path) -> None:
        q.quantize_static(
            source,
            target,
            _Known(known),
            quant_format=layout,
            op_types_to_quantize=["MatMul"],
            nodes_to_exclude=free,
            per_channel=True,
            activation_type=q.QuantType.QUInt8,
            weight_type=q.QuantType.QInt8,
            calibrate_method=way,
            extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
        )

    return _made(model, make)


class _Known(q.CalibrationDataReader):  # type: ignore[misc]  # it has no types
    def __init__(self, known: Ids) -> None:
        self._left = iter(known)

    def get_next(self) -> dict[str, NDArray[np.int64]] | None:
        ids = next(self._left, None)
        return None if ids is None else {"input_ids": ids}


def blocks(model: bytes, bits: int, block: int) -> bytes:
    """Weights in blocks with a scale each; products in int8, each row by a scale of its own."""
    quantiser = MatMulNBitsQuantizer(
        onnx.load_from_string(model),
        bits=bits,
        block_size=block,
        is_symmetric=True,
        accuracy_level=4,
    )
    with _quietly():
        quantiser.process()
    return bytes(quantiser.model.model.SerializeToString())


def _halved(model: bytes) -> bytes:
    with _quietly():
        made = float16.convert_float_to_float16(
            onnx.load_from_string(model), keep_io_types=True, disable_shape_infer=True
        )
    return bytes(made.SerializeToString())


def attention_fused(model: bytes, heads: int) -> bytes:
    """Each attention as one operator; onnxruntime.transformers does not find it in our graph."""
    made = onnx.load_from_string(model)
    nodes = list(made.graph.node)
    makers = {output: node for node in nodes for output in node.output}
    users = {name: node for node in nodes for name in node.input}

    def behind(name: str) -> str:
        """The product that was cut into heads."""
        while makers[name].op_type in ("Mul", "Transpose", "Reshape"):
            name = makers[name].input[0]
        return name

    for softmax in [node for node in nodes if node.op_type == "Softmax"]:
        scores, mixed = makers[softmax.input[0]], users[softmax.output[0]]
        joined = users[users[mixed.output[0]].output[0]]
        ends = [behind(name) for name in (*scores.input, mixed.input[1])]
        one = helper.make_node(
            "MultiHeadAttention", ends, joined.output, domain="com.microsoft", num_heads=heads
        )
        nodes[nodes.index(joined)] = one
    needed = {output.name for output in made.graph.output}
    kept = []
    for node in reversed(nodes):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    del made.graph.node[:]
    made.graph.node.extend(reversed(kept))
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return bytes(made.SerializeToString())


def _tuned(model: bytes, heads: int, hidden: int) -> bytes:
    def make(source: Path, target: Path) -> None:
        made = optimizer.optimize_model(
            str(source), model_type="bert", num_heads=heads, hidden_size=hidden, opt_level=1
        )
        made.save_model_to_file(str(target))

    return _made(model, make)


def _made(model: bytes, make: Callable[[Path, Path], None]) -> bytes:
    with tempfile.TemporaryDirectory() as folder, _quietly():
        source, target = Path(folder) / "source.onnx", Path(folder) / "target.onnx"
        source.write_bytes(model)
        make(source, target)
        return target.read_bytes()


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the advice that these tools log."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
