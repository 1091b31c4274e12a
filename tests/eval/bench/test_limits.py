"""What one core can do at most."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from eval.bench.limits import copying, gathering, multiplying, reading

FLOAT = np.dtype(np.float32)


def test_copying_and_gathering_are_rates_of_a_real_machine() -> None:
    assert 0.5 < copying(0.05) < 1000
    assert 0.05 < gathering((1000, 8), FLOAT, 0.02) < 1000


def test_gathering_is_slower_where_the_matrix_fits_no_cache() -> None:
    small, large = (gathering((rows, 8), FLOAT, 0.1) for rows in (1000, 6_000_000))
    assert large < 0.8 * small


def test_reading_takes_longer_the_longer_the_texts_are() -> None:
    short, long = (reading(["vpn is down again " * n] * 20, 0.01) for n in (1, 50))
    assert 0 < 5 * short < long


def test_small_integers_are_multiplied_and_so_are_floats() -> None:
    for int8 in (True, False):
        rate = multiplying((64, 96, 128), int8=int8, seconds=0.02)
        assert rate is not None and 0.1 < rate < 100_000


def test_without_onnx_there_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert multiplying((8, 8, 8), int8=True, seconds=0.01) is None
