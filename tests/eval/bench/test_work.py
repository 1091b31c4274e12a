"""Operations are counted from what the runtime says that it ran."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from cascade.errors import BundleError
from eval.bench.work import work

WIDTH, WIDER, TOKENS = 16, 48, 10


def model(nodes: Sequence[Any], weights: dict[str, np.ndarray[Any, Any]], out: int) -> bytes:
    """A model whose nodes are given ``rows``, looked up in ``table``, and give ``out``."""
    start = helper.make_node("Gather", ["table", "input_ids"], ["rows"])
    graph = helper.make_graph(
        [start, *nodes],
        "tiny",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"])],
        [helper.make_tensor_value_info("out", out, None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    sets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    return bytes(helper.make_model(graph, opset_imports=sets, ir_version=10).SerializeToString())


def ones(*shape: int, kind: type = np.float32) -> np.ndarray[Any, Any]:
    return np.ones(shape, dtype=kind)


def test_a_multiplication_by_weights_counts_two_for_each_product() -> None:
    nodes = [helper.make_node("MatMul", ["rows", "weights"], ["out"])]
    made = model(nodes, {"table": ones(5, WIDTH), "weights": ones(WIDTH, WIDER)}, TensorProto.FLOAT)
    told = work(made, TOKENS)
    assert told.operations == 2 * TOKENS * WIDTH * WIDER
    assert told.largest == (TOKENS, WIDTH, WIDER) and not told.int8


def test_so_does_one_of_integers_and_the_largest_is_told() -> None:
    nodes = [
        helper.make_node("MatMulInteger", ["rows", "weights"], ["whole"]),
        helper.make_node("Cast", ["whole"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["wide", "last"], ["out"]),
    ]
    weights = {
        "table": ones(5, WIDTH, kind=np.uint8),
        "weights": ones(WIDTH, WIDER, kind=np.int8),
        "last": ones(WIDER, 2),
    }
    told = work(model(nodes, weights, TensorProto.FLOAT), TOKENS)
    assert told.operations == 2 * TOKENS * (WIDTH * WIDER + WIDER * 2)
    assert told.largest == (TOKENS, WIDTH, WIDER) and told.int8


@pytest.mark.parametrize("fused", [False, True])
def test_attention_counts_the_same_fused_or_not(fused: bool) -> None:
    heads, size = 2, WIDTH // 2
    weights = {"table": ones(5, WIDTH), "weights": ones(WIDTH, WIDTH)}
    if fused:
        attend = [
            helper.make_node(
                "MultiHeadAttention",
                ["rows", "rows", "rows"],
                ["seen"],
                domain="com.microsoft",
                num_heads=heads,
            )
        ]
    else:
        weights["apart"] = np.array([1, -1, heads, size], dtype=np.int64)
        weights["together"] = np.array([1, -1, WIDTH], dtype=np.int64)
        attend = [
            helper.make_node("Reshape", ["rows", "apart"], ["split"]),
            helper.make_node("Transpose", ["split"], ["query"], perm=[0, 2, 1, 3]),
            helper.make_node("Transpose", ["split"], ["key"], perm=[0, 2, 3, 1]),
            helper.make_node("MatMul", ["query", "key"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["shares"]),
            helper.make_node("MatMul", ["shares", "query"], ["heads"]),
            helper.make_node("Transpose", ["heads"], ["back"], perm=[0, 2, 1, 3]),
            helper.make_node("Reshape", ["back", "together"], ["seen"]),
        ]
    nodes = [*attend, helper.make_node("MatMul", ["seen", "weights"], ["out"])]
    told = work(model(nodes, weights, TensorProto.FLOAT), TOKENS)
    assert told.operations == 4 * TOKENS**2 * WIDTH + 2 * TOKENS * WIDTH**2
    assert told.largest == (TOKENS, WIDTH, WIDTH)


def test_a_model_that_cannot_be_run_or_multiplies_nothing_is_named() -> None:
    with pytest.raises(BundleError, match=r"model\.onnx cannot be run"):
        work(b"no model", TOKENS)
    nodes = [helper.make_node("Relu", ["rows"], ["out"])]
    with pytest.raises(BundleError, match="multiplies no matrices"):
        work(model(nodes, {"table": ones(5, WIDTH)}, TensorProto.FLOAT), TOKENS)
