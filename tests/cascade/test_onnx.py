"""ONNX Runtime sessions: one thread, and runs that end when they must."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from cascade.onnx import LEFT_OUT, run_until, session


@pytest.fixture
def slow() -> bytes:
    """``x`` times itself, 3,000 times in a row."""
    nodes = [helper.make_node("MatMul", [f"x{n}", "x0"], [f"x{n + 1}"]) for n in range(3_000)]
    shape = ["n", "n"]
    graph = helper.make_graph(
        nodes,
        "slow",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("x3000", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def test_a_run_is_broken_off_at_its_deadline(slow: bytes) -> None:
    model = session(slow)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        run_until(model, {"x0": np.eye(256, dtype=np.float32)}, began + 0.1)
    assert time.monotonic() - began < 0.6
    assert run_until(model, {"x0": np.eye(1, dtype=np.float32)}, began + 60) == 1


def test_what_cannot_be_run_names_the_kind_of_error_only(slow: bytes) -> None:
    with pytest.raises(ValueError, match=r"^\w+$"):
        run_until(session(slow), {"x0": np.ones((2, 3), dtype=np.float32)}, time.monotonic() + 60)


def test_a_model_comes_from_bytes_or_from_a_file(slow: bytes, tmp_path: Path) -> None:
    onnx.save(onnx.load_from_string(slow), tmp_path / "m.onnx")
    for source in (slow, tmp_path / "m.onnx"):
        assert [entry.name for entry in session(source).get_inputs()] == ["x0"]


def test_one_thread_whatever_the_machine_has(slow: bytes) -> None:
    options = session(slow).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


@pytest.fixture
def normalising() -> bytes:
    """The norm of the sum of ``x`` and ``y``, as behind each sublayer of a transformer."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "n", 4]) for name in "xyz"]
    scale, bias = (
        numpy_helper.from_array(np.full(4, value, dtype=np.float32), name)
        for value, name in ((1, "scale"), (0, "bias"))
    )
    nodes = [
        helper.make_node("Add", ["x", "y"], ["sum"]),
        helper.make_node("LayerNormalization", ["sum", "scale", "bias"], ["z"]),
    ]
    graph = helper.make_graph(nodes, "norm", values[:2], values[2:], [scale, bias])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("left_out", "runs"),
    [((), ["SkipLayerNormalization"]), (LEFT_OUT, ["Add", "LayerNormalization"])],
)
def test_sums_are_not_fused_with_the_norms_behind_them(
    normalising: bytes,
    left_out: tuple[str, ...],
    runs: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The optimisation goes by a name, which a later ONNX Runtime might give up."""

    class Kept(ort.SessionOptions):  # type: ignore[misc]  # it has no types
        def __init__(self) -> None:
            super().__init__()
            self.optimized_model_filepath = str(tmp_path / "optimised.onnx")

    monkeypatch.setattr(ort, "SessionOptions", Kept)
    monkeypatch.setattr("cascade.onnx.LEFT_OUT", left_out)
    session(normalising)
    graph = onnx.load(tmp_path / "optimised.onnx").graph
    assert [node.op_type for node in graph.node] == runs


@pytest.mark.parametrize("source", [b"not a model", Path("no/such/file.onnx")])
def test_what_is_no_model_is_a_value_error(source: bytes | Path) -> None:
    with pytest.raises(ValueError, match=r"^\w+$"):
        session(source)
