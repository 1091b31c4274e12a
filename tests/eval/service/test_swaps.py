"""Changes of bundle while clients ask."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cascade.errors import CascadeError
from eval.service import swaps as module
from eval.service.steady import Answer
from eval.service.swaps import Change, figures, swaps

TEXTS = [f"vpn ☎ is down since this morning, {number}" for number in range(12)]


@pytest.fixture
def namesake(linear_bundle: Path, tmp_path: Path) -> Path:
    """The same bundle under another name, and so with another id."""
    copied = Path(shutil.copytree(linear_bundle, tmp_path / "namesake"))
    manifest = json.loads((copied / "bundle.json").read_text())
    (copied / "bundle.json").write_text(json.dumps(manifest | {"name": "namesake"}))
    return copied


def test_no_client_notices(
    linear_bundle: Path, namesake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CALM", 0.2)
    told = swaps(linear_bundle, TEXTS, namesake, changes=2, clients=2, workers=2)
    assert (told["changes"], told["clients"], told["failed"]) == (2, 2, 0)
    assert len(told["bundles"]) == 2
    assert sum(told["bundles"].values()) == told["requests"] > 0
    assert told["agree_ms_max"] < 1000
    assert len(told["memory_mib"]) == 3
    assert min(told["memory_mib"]) > 50


def test_a_bundle_that_is_refused_ends_it(
    linear_bundle: Path, namesake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CALM", 0.0)
    (namesake / "gates.json").write_text("{}")
    with pytest.raises(CascadeError, match=r"not put into service: .*gates\.json: damaged"):
        swaps(linear_bundle, TEXTS, namesake, changes=1, clients=1, workers=1)


def test_answers_are_told_apart_by_whether_a_bundle_was_loaded() -> None:
    change = Change(asked=10.0, done=12.0, bundle="new")
    answers = [
        Answer(5.0, 5.01, 200, "old"),
        Answer(10.5, 10.53, 200, "old"),
        Answer(11.8, 11.81, 200, "new"),
        Answer(11.9, 11.95, 200, "old"),  # a worker that had not swapped yet
        Answer(11.95, 11.96, 503, "new"),
        Answer(12.5, 12.53, 200, "new"),
        Answer(12.9, 13.0, 0, ""),
    ]
    told = figures(answers, [change])
    assert (told["requests"], told["failed"]) == (7, 2)
    assert told["statuses"] == {"0": 1, "200": 5, "503": 1}
    assert told["bundles"] == {"new": 2, "old": 3}
    assert told["loading"]["ms_p50"] == pytest.approx(30.0)
    assert told["calm"]["ms_p50"] == pytest.approx(20.0)
    assert told["agree_ms_max"] == pytest.approx(90.0)
    assert (told["seconds_p50"], told["seconds_max"]) == (2.0, 2.0)


def test_workers_that_swap_together_never_disagree() -> None:
    change = Change(asked=1.0, done=2.0, bundle="new")
    answers = [Answer(1.5, 1.6, 200, "old"), Answer(1.7, 1.8, 200, "new")]
    assert figures(answers, [change])["agree_ms_max"] == 0
    assert figures(answers[:1], [change])["calm"] == {"ms_p50": None, "ms_p95": None}
