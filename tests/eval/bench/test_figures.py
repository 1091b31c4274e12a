"""What docs/scale.md says of the kept results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cascade.errors import InputError
from eval.bench.figures import BENCH, LOAD, SCALING, days, growth, lengths


def row(stage: str, words: int | None, cpu_ms: float, **more: Any) -> dict[str, Any]:
    batch = {"cpu_ms": cpu_ms, "per_cpu_second": 1000 / cpu_ms}
    return {"stage": stage, "words": words, "asked": stage != "llm", "batch": batch} | more


def line(ms: float) -> dict[str, float]:
    return {"fixed_s": 1.52, "ms": ms, "r2": 0.99991, "worst": 0.021}


def spent(tickets: int, cpu_s: float) -> dict[str, float]:
    return {"tickets": tickets, "cpu_s": cpu_s, "mib": 216.4}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    bench = {
        "machine": {"cores": 2, "cpu": "AMD EPYC"},
        "load": {"seconds": 1.418, "mib": 216.4},
        "limits": {
            "copy_gb_s": 20.6,
            "linear": {"gather_gb_s": 9.8},
            "encoder": {"gops": 438.2, "int8": True},
        },
        "rows": [
            row("linear", 10, 0.02, reached=0.25),
            row("linear", None, 0.05, reached=0.5),
            row("llm", 10, 20.0),
            row("llm", None, 25.0),
            row("route", 10, 0.5),
            row("route", None, 1.8, settled={"linear": 0.8, "human": 0.2}),
        ],
    }
    scaling = {
        "all": {
            "rows": [spent(1000, 3.4)],
            "line": line(1.81),
            "read": 200,
            "written": 100,
            "left_out": [100_000, 1_000_000],
        },
        "first_stage": {
            "rows": [spent(1000, 1.7), spent(10_000, 3.0), spent(1_000_000, 151.5)],
            "line": line(0.15),
            "left_out": [],
        },
        "workers": {"tickets": 20_000, "ratio": 1.91, "same": True},
    }
    load = {"clients": {"1": {"per_second": 198.0}, "8": {"per_second": 374.0}}}
    for name, told in ((BENCH, bench), (SCALING, scaling), (LOAD, load)):
        (tmp_path / name).write_text(json.dumps(told))
    return tmp_path


def test_times_stand_by_length_with_the_share_of_the_limit(results: Path) -> None:
    lines = lengths(results)
    assert "| words | linear | route | route, a CPU second |" in lines
    assert "| 10 | 0.0200 (25 %) | 0.500 | 2,000 |" in lines
    assert "| as they come | 0.0500 (50 %) | 1.80 | 556 |" in lines
    assert "int8 at 438 GOPS" in lines[-1] and "loads in 1.4 s" in lines[-1]
    assert "llm" not in "\n".join(lines), "the gates do not ask it"


def test_growth_has_a_row_a_size_and_the_lines(results: Path) -> None:
    text = "\n".join(growth(results))
    assert "| 1,000 | 1.7 s, 216 MiB | 3.4 s, 216 MiB |" in text
    assert "| 1,000,000 | 151.5 s, 216 MiB |  |" in text
    assert "0.150 ms a ticket; R² of that line 0.9999, no point further off than 2 %." in text
    assert "As they come: 1.5 s for loading and 1.81 ms a ticket. For want of time" in text
    assert "not measured: 100,000 and more." in text
    assert "1/1.91 of the time of one" in text and "the same bytes" in text
    told = json.loads((results / SCALING).read_text())
    (results / SCALING).write_text(json.dumps(told | {"workers": None, "first_stage": None}))
    assert "there is no such ticket" in "\n".join(growth(results))
    assert "Two workers" not in "\n".join(growth(results))


def test_a_day_is_worked_out_from_cpu_time_and_prices(results: Path) -> None:
    text = "\n".join(days(results))
    assert "| tickets a day | 60,000 | 1,000,000 | 1,000,000,000 |" in text
    assert "| tickets a second, mean | 0.7 | 12 | 11,574 |" in text
    # 1.8 ms each: 0.03, 0.5 and 500 hours at 0.05 each
    assert "| core hours a day | 0.0300 | 0.500 | 500 |" in text
    assert "| 0.0015 | 0.025 | 25.00 |" in text
    assert "| to read a day | 12 MB | 200 MB | 200 GB |" in text
    # 20 % of 60,000, 1.5 minutes each, in days of 8 hours
    assert "people who review 20 %, 1.5 minutes each | 38 | 625 | 625,000 |" in text
    assert "A million tickets take 0.50 core hours, 0.025 EUR." in text
    assert "route 1,111 tickets a second" in text and "they did 374" in text


def test_missing_results_are_named_with_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"bench_it_service_topics\.json: .* cascade bench --json"):
        lengths(tmp_path)
