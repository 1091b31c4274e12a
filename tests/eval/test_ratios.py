"""The cascade beside other ways to route the same tickets: who is how many times faster."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cascade.bundle import Bundle
from cascade.router import Cascade
from cascade.stages.base import QUEUE
from eval import ratios as its
from eval import tables
from eval.approach import witnesses
from eval.datasets import Files
from eval.ratios import ratios

TEXTS = ["cannot log into the vpn", "charged twice for one invoice, please refund me"]


class Busy:
    """Answers after so many milliseconds of work a ticket."""

    def __init__(self, name: str, ms: float) -> None:
        self.name, self._ms = name, ms

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        until = time.process_time() + len(texts) * self._ms / 1000
        while time.process_time() < until:
            pass
        return np.ones((len(texts), 2), dtype=np.float32)


def test_work_is_counted_and_not_waiting() -> None:
    took = its._timed(
        {"quick": Busy("quick", 1.0), "slow": Busy("slow", 10.0)}, ["text"] * 50, 1, quiet=True
    )
    assert took["quick"]["batch_cpu_ms"] == pytest.approx(1.0, rel=0.3)
    assert took["slow"]["cpu_ms"] == pytest.approx(10.0, rel=0.3)


@pytest.fixture(scope="module")
def told(tiny_bundle: Path, starter_file: Path) -> dict[str, Any]:
    bundle = Bundle.open(tiny_bundle)
    files = Files(starter_file, bundle.manifest.columns)
    budgets = ["encoder<=50%"]
    return ratios(bundle, files, budgets=budgets, others=[], whole=bundle, rounds=1, quiet=True)


def test_each_other_way_stands_beside_each_cascade(told: dict[str, Any]) -> None:
    assert [row["name"] for row in told["ours"]] == [
        "cascade",
        "cascade, encoder<=50%",
        "linear alone",
    ]
    encoder, again = told["others"]
    assert [encoder["name"], again["name"]] == ["encoder alone", "encoder alone, all layers"]
    assert encoder["macro_f1"] == again["macro_f1"], "here it is the same one"
    for name, beside in encoder["beside"].items():
        (ours,) = [row for row in told["ours"] if row["name"] == name]
        expected = encoder["batch_cpu_ms"] / ours["batch_cpu_ms"]
        assert beside["speed"] == pytest.approx(expected, rel=0.02, abs=0.02)
        assert beside["loss"] == pytest.approx(encoder["macro_f1"] - ours["macro_f1"], abs=2e-4)
        assert beside["loss_95"][0] <= beside["loss"] <= beside["loss_95"][1]


def test_the_tables_have_a_row_a_way_and_a_column_a_cascade(told: dict[str, Any]) -> None:
    ours, others = "\n".join(tables.ratios(told)).split("\n\n")
    assert [line.split(" | ")[0] for line in ours.splitlines()[2:]] == [
        "| cascade",
        "| cascade, encoder<=50%",
        "| linear alone",
    ]
    assert {row.count("|") for row in others.splitlines()} == {6}
    assert " ×" in others


def test_the_encoder_of_a_bundle_says_the_same_in_a_pipeline_of_transformers(
    tiny_bundle: Path,
) -> None:
    pytest.importorskip("transformers")
    from eval.peers.same_encoder import same_encoder

    said = same_encoder(Bundle.open(tiny_bundle)).predict(TEXTS)
    (encoder,) = [s for s in witnesses(Cascade.load(tiny_bundle)) if s.name == "encoder"]
    np.testing.assert_allclose(said, encoder.predict(TEXTS)[QUEUE], atol=0.05)
