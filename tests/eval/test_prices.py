"""``prices.toml``: what is read, what is refused and how, and what 1,000 tickets cost."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.errors import InputError
from eval.prices import PRICES, Prices, per_1000, read_prices

ROUND = Prices("EUR", 3.6, 36.0, 0.01, 0.03, 2.0, 1.5, 10.0)


def written(folder: Path, **changes: object) -> Path:
    """A file with round prices; None leaves a key out."""
    lines = []
    for key, value in {**asdict(ROUND), **changes}.items():
        shown = f'"{value}"' if isinstance(value, str) else str(value).lower()
        lines += [f"{key} = {shown}"] if value is not None else []
    file = folder / "prices.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


# --- what is read ---


def test_the_file_that_comes_along_can_be_read_and_says_what_is_what() -> None:
    prices = read_prices()
    assert prices.currency == "EUR"
    assert 0 < prices.core_hour < prices.gpu_hour < 60 * prices.minute
    assert prices.minutes_per_review > 0
    assert PRICES.read_text().count("\n# ") >= 5


def test_prices_come_from_the_file(tmp_path: Path) -> None:
    assert read_prices(written(tmp_path)) == ROUND
    assert read_prices(written(tmp_path, currency="USD", minute=3)).minute == 3.0


# --- what is refused ---


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"core_hour": None}, "core_hour is missing; add a line core_hour = 0.0"),
        ({"core_hours": 1}, "there is no key 'core_hours'; did you mean 'core_hour'?"),
        ({"minute": -1}, "minute is -1; it should be a number from 0 up"),
        ({"minute": "a lot"}, "minute is 'a lot'; it should be a number from 0 up"),
        ({"gpu_hour": True}, "gpu_hour is True; it should be a number from 0 up"),
        ({"gpu_hour": float("inf")}, "gpu_hour is inf; it should be a number from 0 up"),
        ({"gpu_hour": float("nan")}, "gpu_hour is nan; it should be a number from 0 up"),
        ({"currency": 3}, 'write currency = "EUR"'),
        ({"currency": None}, 'write currency = "EUR"'),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    """It names the file, the key and the fix."""
    file = written(tmp_path, **changes)
    with pytest.raises(InputError) as caught:
        read_prices(file)
    said = str(caught.value)
    assert said.startswith(f"{file}: ") and "\n" not in said
    assert message in said


def test_a_file_that_is_not_there_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: cannot be read"):
        read_prices(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("minute = ")
    with pytest.raises(InputError, match=r"broken\.toml: not valid TOML"):
        read_prices(broken)


# --- what tickets cost ---


def test_a_core_is_paid_by_its_time() -> None:
    # 1,000 tickets of 10 ms are 10 seconds; a second of this core is 0.001.
    assert per_1000(ROUND, cpu_ms=10) == {
        "currency": "EUR",
        "machine": 0.01,
        "llm": 0.0,
        "people": 0.0,
        "misroutes": 0.0,
        "sum": 0.01,
    }


def test_a_language_model_of_ones_own_is_paid_by_the_gpus_time() -> None:
    # 40 calls of 2 seconds, at 0.01 a second.
    assert per_1000(ROUND, 0, llm_calls_share=0.04, llm_seconds=2)["llm"] == 0.8


def test_a_metered_one_is_paid_by_its_tokens() -> None:
    cost = per_1000(ROUND, 0, llm_calls_share=1, input_tokens=2000, output_tokens=10)
    assert cost["llm"] == pytest.approx(1000 * (2 * 0.01 + 0.01 * 0.03))


def test_who_sends_everything_to_review_is_not_cheap() -> None:
    lazy, working = per_1000(ROUND, 0.1, review_share=1), per_1000(ROUND, 50, review_share=0.1)
    assert lazy["machine"] < working["machine"]
    assert lazy["people"] == 3000
    assert lazy["sum"] > 9 * working["sum"]


def test_who_asks_nobody_pays_for_what_goes_wrong() -> None:
    bold = per_1000(ROUND, 0.1, misrouted_share=0.06)
    careful = per_1000(ROUND, 0.1, review_share=0.1, misrouted_share=0.02)
    assert bold["misroutes"] == 1200 and careful["misroutes"] == 400
    assert careful["sum"] < bold["sum"]


shares = st.floats(0, 1)


@given(shares, shares, shares, st.floats(0, 1e4), st.floats(0, 100))
def test_the_sum_is_that_of_its_parts_and_grows_with_each(
    review: float, wrong: float, calls: float, cpu_ms: float, seconds: float
) -> None:
    cost = per_1000(ROUND, cpu_ms, review, wrong, calls, seconds)
    parts = ("machine", "llm", "people", "misroutes")
    assert cost["sum"] == pytest.approx(sum(cost[part] for part in parts), abs=2e-4)
    assert per_1000(ROUND, cpu_ms + 1, review, wrong, calls, seconds)["sum"] > cost["sum"]
