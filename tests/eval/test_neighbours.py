"""The command: what it measures is printed and written."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cascade.examples import Pool
from cascade.llm.base import Question
from cascade.stages.base import QUEUE
from eval.few_shot import NEIGHBOURS, Setting, measure, measure_vote
from eval.neighbours import main


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Setting:
    """The only one there is: two tickets of which the vote gets one right."""
    queues = ("left", "right")
    pool = Pool({QUEUE: queues}, ["red paint", "green paint"], {QUEUE: np.asarray([0, 1])})
    questions = [Question("red ink", queues), Question("more red ink", queues)]
    made = Setting("small", questions, ["left", "right"], pool)
    monkeypatch.setattr("eval.neighbours.settings", lambda data: [made])
    return made


def run(tmp_path: Path, *options: str) -> tuple[str, dict[str, object]]:
    out = tmp_path / "few_shot.json"
    result = CliRunner().invoke(main, ["--data", str(tmp_path), "--out", str(out), *options])
    assert result.exit_code == 0, result.output
    return result.output, json.loads(out.read_text())


def test_the_vote_is_printed_and_written(setting: Setting, tmp_path: Path) -> None:
    said, written = run(tmp_path)
    row = measure_vote(setting)
    assert row.vote == 0.5
    assert f"{row.vote:.3f}" in said
    assert written == {"neighbours": NEIGHBOURS, "seed": 0, "rows": [asdict(row)], "asked": []}


def test_who_is_set_for_the_llm_stage_is_asked_the_same(setting: Setting, tmp_path: Path) -> None:
    from cascade.llm.reader import Reader

    said, written = run(tmp_path, "--ask")
    row = measure(setting, Reader())
    assert written["asked"] == [asdict(row)]
    assert f"{row.backend}: {row.accuracy:.3f}" in said
