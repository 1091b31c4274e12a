"""The documents' tables are those of the kept results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cascade.errors import InputError
from eval.summary import DOCUMENTS, PART, filled

ROW = {
    "name": "cascade",
    "kind": "cascade",
    "macro_f1": 0.8741,
    "macro_f1_95": [0.862, 0.886],
    "accuracy": 0.876,
    "settled": 0.789,
    "settled_macro_f1": 0.941,
    "ms_p50": 0.5,
    "ms_p95": 12.5,
    "cpu_ms": 2.1,
}
STAGES = [
    {"stage": "linear", "reached": 1.0, "settled": 0.64, "right": 0.961, "ms_p95": 0.7},
    {"stage": "llm", "reached": 0.0, "settled": 0.0, "right": None},
    {"stage": "human", "reached": 0.21, "settled": None, "right": 0.6},
]


def test_tables_come_from_the_results(tmp_path: Path) -> None:
    (tmp_path / "few.json").write_text(json.dumps({"rows": [ROW], "stages": STAGES}))
    after = filled("before\n<!-- figures few -->\nold\n<!-- end -->\nafter\n", tmp_path)
    assert "old" not in after and after.startswith("before\n") and after.endswith("\nafter\n")
    assert "| **cascade** | 0.874 (0.862–0.886) | 0.876 | 79 % |" in after
    assert "| linear | 100 % | 64 % | 96.1 % | 0.70 ms |" in after
    assert "| a person, with a suggestion | 21 % |" in after
    assert "llm" not in after, "a stage that nothing reaches has no row"
    assert filled(after, tmp_path) == after


def test_missing_results_are_named_with_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cascade study gone --keep"):
        filled("<!-- figures gone -->\n<!-- end -->", tmp_path)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_documents_say_what_the_results_say(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert PART.search(text)
    assert filled(text) == text, "run python -m eval.summary"
