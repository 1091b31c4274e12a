"""What is printed."""

from __future__ import annotations

import copy
from typing import Any

from eval.bench.table import short, table
from eval.prices import read_prices

ALONE = {"tickets": 50, "ms_p50": 0.01234, "ms_p95": 1.5, "ms_p99": None, "cpu_ms": 12.34}
BATCH = {"size": 256, "rounds": 3, "ms": 0.04, "cpu_ms": 1.8, "per_cpu_second": 555.6}


def row(stage: str, words: int | None, **more: Any) -> dict[str, Any]:
    return {
        "stage": stage,
        "words": words,
        "asked": stage != "llm",
        "alone": ALONE,
        "batch": BATCH,
    } | more


TOLD: dict[str, Any] = {
    "machine": {"cores": 2},
    "load": {"seconds": 1.418, "mib": 216.4},
    "limits": {
        "copy_gb_s": 20.6,
        "linear": {"gather_gb_s": 9.81, "terms": 129541, "row_bytes": 32},
        "encoder": {"gops": 438.2, "int8": True, "shape": [128, 384, 1536]},
    },
    "rows": [
        row("linear", 10, limit_ms=0.0042, reached=0.21),
        row("linear", None, limit_ms=0.5, reached=0.3),
        row("encoder", 900, limit_ms=None, reached=None),
        row("llm", 10),
        row("llm", None),
        row("route", 10, settled={"linear": 1.0}),
        row("route", None, settled={"linear": 0.7, "human": 0.3}),
    ],
}
PRICES = read_prices()


def test_it_fits_a_hundred_columns() -> None:
    wide = copy.deepcopy(TOLD)
    for its in wide["rows"]:
        its["alone"] = ALONE | dict.fromkeys(("ms_p50", "ms_p95", "ms_p99", "cpu_ms"), 12345.6)
        its["batch"] = BATCH | {"cpu_ms": 12345.6, "per_cpu_second": 1234567.0}
        its |= {"limit_ms": 12345.6, "reached": 1.0}
    assert max(map(len, [*table(TOLD, PRICES), *table(wide, PRICES)])) <= 100


def test_a_row_tells_times_rate_and_limit() -> None:
    line = next(line for line in table(TOLD, PRICES) if line.startswith("linear"))
    cells = line.replace("|", " ").split()
    assert cells[:6] == ["linear", "10", "0.0123", "1.50", "–", "12.3"]
    assert cells[6:] == ["1.80", "556", "0.0042", "21", "%"]


def test_stages_that_the_gates_do_not_ask_are_marked() -> None:
    lines = table(TOLD, PRICES)
    at = next(i for i, line in enumerate(lines) if line.startswith("llm"))
    assert lines[at + 1].startswith("(not asked)")
    assert sum("(not asked)" in line for line in lines) == 1


def test_below_stand_the_limits_and_what_a_million_tickets_take() -> None:
    text = "\n".join(table(TOLD, PRICES))
    assert "one core copies 20.6 GB/s" in text
    assert "gathers 9.81 GB/s, in rows of 32 bytes out of 129,541" in text
    assert "multiplies 438 GOPS of int8 (128 × 384 × 1536)" in text
    assert "loads in 1.42 s; a process holds 216 MiB" in text
    assert "settled by: 70 % linear, 30 % human" in text
    # 1.8 ms each: 0.5 hours at 0.05, and 1,111 a second on two cores
    assert "1,111 tickets a second; a million take 0.50 core hours, 0.025 EUR" in text


def test_without_onnx_the_fix_is_named() -> None:
    blind = copy.deepcopy(TOLD)
    blind["limits"]["encoder"]["gops"] = None
    assert "needs onnx: pip install 'ticket-cascade[train]'" in "\n".join(table(blind, PRICES))


def test_milliseconds_have_three_digits_from_microseconds_up() -> None:
    told = [short(value) for value in (0.00123, 0.0231, 0.231, 2.31, 23.1, 2310, None)]
    assert told == ["0.0012", "0.0231", "0.231", "2.31", "23.1", "2,310", "–"]


def test_strange_generated_tickets_are_told() -> None:
    lost = copy.deepcopy(TOLD) | {"tickets": "starter"}
    lost["rows"][-1]["settled"] = {"human": 0.9, "linear": 0.1}
    hint = "--tickets FILE"
    assert any(hint in line for line in table(lost, PRICES))
    assert not any(hint in line for line in table(lost | {"tickets": "mine.csv"}, PRICES))
    assert not any(hint in line for line in table(TOLD | {"tickets": "starter"}, PRICES))
