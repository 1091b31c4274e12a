"""The machine at hand, and what is installed on it."""

from __future__ import annotations

import pytest

from cascade import machine


def test_there_is_a_core_and_versions_are_told() -> None:
    assert machine.cores() >= 1
    assert {"ticket-cascade", "numpy", "onnxruntime"} <= set(machine.versions())


def test_the_memory_that_was_held_is_told_also_once_it_is_free() -> None:
    before = machine.peak_mib()
    assert len(bytearray(b"x") * 2**28) == 2**28
    assert machine.peak_mib() >= max(before, 256)


def test_a_library_that_is_not_there_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LIBRARIES", ("numpy", "no-such-library"))
    assert list(machine.versions()) == ["numpy"]
