"""A bundle is measured on labelled tickets: every part of the record, from the real thing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cascade.bundle import Bundle
from cascade.stages.base import QUEUE
from eval.judge import QUICK, Depth, How, judge
from eval.labelled import Labelled, read_labelled
from eval.recommend import recommend
from eval.report import table, write_report
from eval.study import plain
from train.starter import write


@pytest.fixture(scope="module")
def held(reader_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    """60 tickets of another seed."""
    path = tmp_path_factory.mktemp("held") / "held.csv"
    write(path, 60, seed=77)
    manifest = Bundle.open(reader_bundle).manifest
    return read_labelled(path, manifest.columns, manifest.heads[QUEUE])


@pytest.fixture(scope="module")
def record(reader_bundle: Path, held: Labelled) -> dict[str, Any]:
    """With all parts but the service, at little depth."""
    depth = Depth(timed=20, asked=5, repeated=6, stressed=6, http=False)
    return judge(reader_bundle, held, How(depth, quiet=True), say=lambda line: None)


def test_each_stage_the_cascade_and_the_language_model_have_a_row(record: dict[str, Any]) -> None:
    assert [row["name"] for row in record["rows"]] == [
        "linear alone",
        "encoder alone",
        "neighbours alone",
        "all stages, always on",
        "cascade",
        "LLM on every ticket, zero-shot",
        "LLM on every ticket, 8-shot",
    ]
    for row in record["rows"]:
        assert 0 <= row["macro_f1"] <= 1 and row["macro_f1_95"][0] <= row["macro_f1"]
        assert 0 < row["ms_p50"] <= row["ms_p95"] <= row["ms_p99"]
        assert row["cpu_ms"] > 0 and row["cost"]["currency"] == "EUR"
    assert record["rows"][0]["memory_mib"] > 10


def test_every_part_is_there_and_is_about_these_tickets(
    record: dict[str, Any], held: Labelled
) -> None:
    assert record["data"]["tickets"] == sum(record["data"]["queues"].values()) == len(held)
    assert record["slices"][0]["tickets"] == len(held)
    assert record["stability"]["approaches"]["cascade"]["queue_changed"] == 0
    assert record["stress"][0]["change"] == "as they are"
    assert record["mistakes"]["tickets"] == len(held)
    assert sum(its["settled"] or 0 for its in record["stages"]) <= 1
    assert {"confusion", "reliability", "risk_coverage", "latency", "cost"} <= set(record["plots"])
    assert record["in_context"]["tickets"] == 5


def test_the_record_becomes_a_report_a_table_and_advice(
    record: dict[str, Any], tmp_path: Path
) -> None:
    full: Any = {**record, "recommendation": recommend(record), "command": "cascade eval a b"}
    page = write_report(full, tmp_path)
    html = page.read_text()
    assert full["recommendation"][0].split(":")[0] in html
    assert not [line for line in html.splitlines() if "http://" in line and "w3.org" not in line]
    assert json.loads((tmp_path / "report.json").read_text())["rows"] == record["rows"]
    assert "cascade" in (tmp_path / "report.md").read_text()
    assert all(len(line) < 120 for line in table(full)[:6])
    assert "plots" not in json.loads(plain(full))


def test_a_report_holds_no_ticket_text_unless_asked_to(
    record: dict[str, Any], held: Labelled
) -> None:
    told = json.dumps({key: its for key, its in record.items() if key != "plots"})
    for text in held.texts:
        middle = text[len(text) // 2 :][:40]
        assert middle not in told


def test_quick_leaves_out_what_takes_long(linear_bundle: Path, held: Labelled) -> None:
    manifest = Bundle.open(linear_bundle).manifest
    assert manifest.heads[QUEUE] == held.queues
    record = judge(linear_bundle, held, How(QUICK, quiet=True), say=lambda line: None)
    assert not {"stability", "stress", "http", "in_context"} & set(record)
    assert recommend(record)[0].startswith("Deploy")
