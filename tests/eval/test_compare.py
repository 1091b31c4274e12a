"""Two bundles on the same tickets: paired, and honest about what cannot be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from cascade.bundle import Bundle, Columns
from cascade.errors import InputError
from eval.compare import compare, lines
from train.fit import train
from train.options import Options
from train.promise import Promise
from train.starter import write


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("held") / "held.csv"
    write(path, 120, seed=78)
    return path


def columns(bundle: Path) -> Columns:
    its = Bundle.open(bundle).manifest.columns
    return Columns(its.text, its.label)


def test_a_bundle_is_as_good_as_itself(linear_bundle: Path, held: Path) -> None:
    result = compare(linear_bundle, linear_bundle, held, columns(linear_bundle), lambda line: None)
    assert result["difference"] == {
        "macro_f1": 0.0,
        "macro_f1_95": [0.0, 0.0],
        "accuracy": 0.0,
        "settled": 0.0,
        "precision": 0.0,
    }
    assert (result["gained"], result["lost"], result["p"]) == (0, 0, 1.0)
    assert result["verdict"].startswith("No difference can be told")


def test_a_bundle_trained_on_more_is_found_better(
    linear_bundle: Path, held: Path, tmp_path: Path
) -> None:
    write(tmp_path / "more.csv", 1_000, seed=4)
    options = Options(columns(linear_bundle), minutes=0, promise=Promise(0.5, 0.6), quiet=True)
    more = train(tmp_path / "more.csv", tmp_path / "more", options, lambda line: None).path
    better = compare(linear_bundle, more, held, columns(more), lambda line: None)
    worse = compare(more, linear_bundle, held, columns(more), lambda line: None)
    assert better["difference"]["macro_f1"] > 0 > worse["difference"]["macro_f1"]
    low, high = better["difference"]["macro_f1_95"]
    assert low <= better["difference"]["macro_f1"] <= high
    assert (better["gained"], better["lost"]) == (worse["lost"], worse["gained"])
    assert better["verdict"].startswith("The new bundle is better")
    assert worse["verdict"].startswith("The new bundle is worse")
    told = "\n".join(lines(better))
    assert "macro-F1" in told and f"{better['gained']} tickets are right now" in told


def test_bundles_without_a_queue_in_common_are_refused(
    linear_bundle: Path, held: Path, tmp_path: Path
) -> None:
    rows = [f"{'alpha' if n % 2 else 'beta'} {n} words,{'A' if n % 2 else 'B'}" for n in range(80)]
    (tmp_path / "other.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    options = Options(Columns(("text",), "label"), minutes=0, promise=Promise(0.5), quiet=True)
    other = train(tmp_path / "other.csv", tmp_path / "other", options, lambda line: None).path
    with pytest.raises(InputError, match="no queue in common"):
        compare(linear_bundle, other, held, columns(linear_bundle), lambda line: None)
