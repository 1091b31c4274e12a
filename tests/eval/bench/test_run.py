"""All that a bench measures, on real bundles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cascade.errors import BundleError, InputError
from cascade.llm.settings import URL
from cascade.router import Cascade
from eval.bench.run import bench, in_process, loading
from eval.bench.texts import LENGTHS, starter


@pytest.fixture(scope="module")
def told(reader_bundle: Path) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(URL, raising=False)
        return bench(reader_bundle, starter(40, seed=5), 1.0)


def rows(told: dict[str, Any], stage: str) -> Iterator[dict[str, Any]]:
    return (row for row in told["rows"] if row["stage"] == stage)


def test_every_stage_is_timed_at_all_lengths_and_as_tickets_come(told: dict[str, Any]) -> None:
    stages = list(dict.fromkeys(row["stage"] for row in told["rows"]))
    assert stages == ["clean", "linear", "encoder", "neighbours", "llm", "route"]
    for stage in stages:
        assert [row["words"] for row in rows(told, stage)] == [*LENGTHS, None]
    for row in told["rows"]:
        assert row["alone"]["ms_p50"] > 0 and row["alone"]["cpu_ms"] > 0
        assert row["batch"]["per_cpu_second"] > 0


def test_the_limit_is_less_than_what_a_stage_takes(told: dict[str, Any]) -> None:
    for row in rows(told, "linear"):
        assert 0 < row["reached"] < 1 and row["reading_ms"] < row["limit_ms"]
    for row in rows(told, "encoder"):
        assert 0 < row["reached"] < 1.5  # of a tiny model, with the machine busy


def test_what_is_read_grows_with_the_words(told: dict[str, Any]) -> None:
    terms = [row["terms"] for row in rows(told, "linear")][:-1]
    assert terms == sorted(terms) and terms[0] < terms[-1]
    row_bytes = told["limits"]["linear"]["row_bytes"]
    assert all(
        row["bytes"] == pytest.approx(row["terms"] * row_bytes, rel=0.05)
        for row in rows(told, "linear")
    )
    tokens = [row["tokens"] for row in rows(told, "encoder")][:-1]
    assert tokens == sorted(tokens) and tokens[-1] == 48  # the bundle's cap


def test_the_route_says_which_stages_settle(told: dict[str, Any]) -> None:
    for row in rows(told, "route"):
        assert sum(row["settled"].values()) == pytest.approx(1, abs=0.001)


def test_the_machine_and_the_loading_stand_beside(told: dict[str, Any]) -> None:
    assert told["machine"]["cores"] >= 1
    assert told["limits"]["copy_gb_s"] > 0 and told["limits"]["encoder"]["gops"] > 0
    assert told["load"]["seconds"] > 0 and told["load"]["mib"] > 20


def test_a_server_is_never_asked(open_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL, "http://127.0.0.1:9/v1")  # nobody is there, and that is not noticed
    cascade = Cascade.load(open_bundle, threads=1, llm=in_process)
    (decision,) = cascade.route(["vpn is down"])
    assert decision.stage == "human"
    assert cascade.advisers["llm"]["backend"] == "nobody"
    assert cascade.advisers["llm"]["counts"] == {"open": 1}


def test_a_bundle_of_one_stage_has_no_encoder(linear_bundle: Path) -> None:
    told = bench(linear_bundle, starter(20), 1.0)
    assert {row["stage"] for row in told["rows"]} == {"clean", "linear", "route"}
    assert "encoder" not in told["limits"]
    assert loading(str(linear_bundle), ["vpn is down"])["seconds"] < 10


def test_what_cannot_be_measured_is_an_error(linear_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a bundle"):
        bench(tmp_path / "none", starter(5), 1.0)
    with pytest.raises(InputError, match="cleaning leaves nothing"):
        bench(linear_bundle, ["​"], 1.0)
