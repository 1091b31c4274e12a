"""Joining witnesses, and gates: the laws that both must keep."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from cascade.errors import BundleError
from cascade.gate import Gate, Gates, join
from cascade.stages.base import softmax

GATES = Gates(
    0.95,
    (
        Gate("linear", {"queue": (0.8,), "urgency": (1.1,)}, 0.91, 0.6, 0.96),
        Gate("encoder", {"queue": (0.3, 0.9), "urgency": (0.2, 1.0)}, 0.88, 0.5, 0.95),
    ),
)


@st.composite
def witnesses(draw: st.DrawFn) -> tuple[list[NDArray[np.float32]], list[float]]:
    """Some stages' probabilities, zeros and ones among them, and weights."""
    n, k, stages = draw(st.tuples(st.integers(1, 6), st.integers(2, 5), st.integers(1, 3)))
    counts = hnp.arrays(np.float32, (n, k), elements=st.sampled_from([0.0, 1e-9, 0.1, 1.0, 50.0]))
    arrays = [draw(counts) for _ in range(stages)]
    rows = [a / np.maximum(a.sum(axis=1, keepdims=True), 1e-9) for a in arrays]
    weights = draw(st.lists(st.floats(0, 20), min_size=stages, max_size=stages))
    return [row.astype(np.float32) for row in rows], weights


@given(witnesses())
def test_joined_rows_are_probabilities_whatever_zeros_there_are(
    drawn: tuple[list[NDArray[np.float32]], list[float]],
) -> None:
    joined = join(*drawn)
    assert joined.dtype == np.float32
    assert np.isfinite(joined).all()
    assert (joined >= 0).all()
    assert np.allclose(joined.sum(axis=1), 1, atol=1e-5)


@given(witnesses(), st.randoms(use_true_random=False))
def test_joining_commutes_with_any_order_of_the_rows(
    drawn: tuple[list[NDArray[np.float32]], list[float]], random: st.random.Random
) -> None:
    arrays, weights = drawn
    order = list(range(len(arrays[0])))
    random.shuffle(order)
    assert np.array_equal(join([a[order] for a in arrays], weights), join(arrays, weights)[order])


@given(witnesses())
def test_a_row_joined_alone_is_the_row_joined_among_others(
    drawn: tuple[list[NDArray[np.float32]], list[float]],
) -> None:
    arrays, weights = drawn
    whole = join(arrays, weights)
    for row in range(len(whole)):
        assert np.array_equal(join([a[row : row + 1] for a in arrays], weights)[0], whole[row])


def test_a_weight_of_one_leaves_one_stage_as_it_is() -> None:
    given_ = np.asarray([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], dtype=np.float32)
    assert np.allclose(join([given_], [1.0]), given_, atol=1e-6)


def test_a_stage_without_weight_has_no_say() -> None:
    sure = np.asarray([[0.9, 0.1]], dtype=np.float32)
    other = np.asarray([[0.0, 1.0]], dtype=np.float32)
    assert np.array_equal(join([sure, other], [1.0, 0.0]), join([sure], [1.0]))
    assert np.allclose(join([sure, other], [0.0, 0.0]), 0.5)


def test_no_stage_has_a_veto() -> None:
    never = np.asarray([[0.0, 1.0]], dtype=np.float32)
    sure = np.asarray([[1 - 1e-6, 1e-6]], dtype=np.float32)
    assert join([never, sure], [1.0, 2.0])[0, 0] > 0.99


def test_two_witnesses_who_agree_are_surer_than_one() -> None:
    array = np.asarray([[0.7, 0.3]], dtype=np.float32)
    assert join([array, array], [1.0, 1.0])[0, 0] > 0.7 + 0.1


@given(hnp.arrays(np.float32, (3, 4), elements=st.floats(-(2.0**99), 2.0**99, width=32)))
def test_softmax_never_overflows(logits: NDArray[np.float32]) -> None:
    out = softmax(logits)
    assert np.isfinite(out).all()
    assert np.allclose(out.sum(axis=1), 1, atol=1e-5)


def test_a_gate_settles_from_its_threshold_on() -> None:
    confidence = np.asarray([0.9099, 0.91, 0.95], dtype=np.float32)
    assert GATES.gates[0].settles(confidence).tolist() == [False, True, True]


@given(st.floats(0, 1, width=32))
def test_a_threshold_that_was_written_to_json_settles_the_same(threshold: float) -> None:
    """The threshold is some ticket's own confidence, so the last bit decides."""
    gates = Gates(0.9, (Gate("linear", {"queue": (1.0,)}, float(np.float32(threshold))),))
    read = Gates.from_dict(json.loads(json.dumps(gates.to_dict())))
    assert read.gates[0].settles(np.asarray([threshold], dtype=np.float32)).all()


def test_a_threshold_above_one_settles_nothing() -> None:
    assert not Gate("x", {}, 1.01).settles(np.ones(3, dtype=np.float32)).any()


def test_gates_are_read_back_from_json() -> None:
    assert Gates.from_dict(json.loads(json.dumps(GATES.to_dict()))) == GATES


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("threshold", -0.1, "threshold of linear is not >= 0"),
        ("threshold", float("nan"), "threshold of linear is not >= 0"),
        ("threshold", "high", "damaged"),
        ("weights", {"queue": [1.0, 2.0]}, "bad weights of linear for 'queue'"),
        ("weights", {"queue": []}, "bad weights"),
        ("weights", {"queue": [-1.0]}, "bad weights"),
        ("weights", {"queue": [float("nan")]}, "bad weights"),
        ("weights", {"queue": [float("inf")]}, "bad weights"),
        ("weights", [1.0], "damaged"),
        ("coverage", 10**400, "damaged"),
    ],
)
def test_gates_that_make_no_sense(field: str, value: object, message: str) -> None:
    plain = GATES.to_dict()
    plain["gates"][0][field] = value
    with pytest.raises(BundleError, match=message):
        Gates.from_dict(plain)


@pytest.mark.parametrize("plain", [None, [], {}, {"gates": [{}], "target_precision": 1}, "gates"])
def test_gates_that_are_none(plain: object) -> None:
    with pytest.raises(BundleError, match=r"gates\.json: damaged"):
        Gates.from_dict(plain)
