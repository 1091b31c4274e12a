"""Making the stages of a bundle: all four of them, with the package's own reader in the last."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from cascade.bundle import Bundle, Columns
from cascade.errors import InputError, TrainingError
from cascade.examples import Pool
from cascade.gate import Gates
from cascade.llm.base import Answer, NoAnswer, Question
from cascade.llm.reader import Reader
from cascade.llm.settings import LLMSettings
from cascade.router import Cascade
from cascade.stages.llm import LLMStage
from train.options import Options
from train.stages import Made, add_examples, witness

Run = Callable[..., "subprocess.CompletedProcess[str]"]
STAGES = ("linear", "encoder", "neighbours", "llm")


# --- from a file to a bundle with four stages, and on ---


def test_the_bundle_holds_all_that_its_stages_need(reader_bundle: Path) -> None:
    bundle = Bundle.open(reader_bundle)
    bundle.verify()
    assert bundle.manifest.stages == STAGES
    assert {name.split("/")[0] for name in bundle.files} >= {*STAGES, "examples"}
    config = json.loads(bundle.read("llm/config.json"))
    assert config["backend"] == Reader().name
    assert set(config["descriptions"]) <= set(bundle.manifest.heads["queue"])
    gates = Gates.from_dict(json.loads(bundle.read("gates.json")))
    assert tuple(gate.stage for gate in gates.gates) == STAGES
    assert "llm" in bundle.read("card.md").decode()


def test_it_routes(reader_bundle: Path) -> None:
    cascade = Cascade.load(reader_bundle, threads=1)
    cascade.warm_up()
    assert cascade.advisers == {"llm": {"backend": Reader().name, "fitted": True, "counts": {}}}
    decisions = cascade.route(["cannot log in", "please send the invoice again", "zzz"])
    assert {d.queue for d in decisions} <= set(cascade.queues)
    assert all(d.stage in (*STAGES, "human") for d in decisions)


def test_it_scores_a_file(
    command: Run, open_bundle: Path, starter_file: Path, tmp_path: Path
) -> None:
    with gzip.open(starter_file, "rt", encoding="utf-8", newline="") as file:
        rows = list(islice(csv.DictReader(file), 20))
    with (tmp_path / "in.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    args = (tmp_path / "in.csv", tmp_path / "out.csv", "--bundle", open_bundle, "--quiet")
    done = command("score", *args)
    assert done.returncode == 0, done.stderr
    assert "settled by llm" in done.stderr
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        scored = list(csv.DictReader(file))
    assert [row["id"] for row in scored] == [row["id"] for row in rows]
    assert {row["stage"] for row in scored} <= {"llm", "human"}


# --- a server in training ---


def pool() -> Pool:
    texts = [f"{word} {n * 'x'}x" for word in ("invoice refund", "printer paper") for n in range(9)]
    return Pool({"queue": ("Billing", "Hardware")}, texts, {"queue": np.repeat([0, 1], 9)})


def test_a_server_that_is_down_ends_training_with_its_address(tmp_path: Path) -> None:
    from train.linear import fit_linear

    heads = {"queue": ("Billing", "Hardware")}
    texts, targets = list(pool().texts), {"queue": np.repeat([0, 1], 9)}
    linear = fit_linear(texts, targets, heads, seed=0, quiet=True)
    settings = LLMSettings("http://127.0.0.1:9/v1", store=tmp_path / "answers")
    options = Options(Columns(("text",), "label"), llm=settings, quiet=True)
    with pytest.raises(InputError, match=r"^http://127\.0\.0\.1:9/v1: the LLM .* is down"):
        add_examples(Made(), texts, targets, heads, linear, options, lambda line: None)


class Some:
    """Answers tickets with an ``x`` at most twice; the others it leaves out."""

    name = "some"

    def __init__(self, kind: str = "late") -> None:
        self.kind = kind

    def ask(self, question: Question, deadline: float) -> Answer:
        if question.ticket.count("x") > 2:
            raise NoAnswer(self.kind, "a reason")
        return Answer((0.9, 0.1))


def test_an_adviser_is_asked_about_the_rows_it_is_given() -> None:
    stage = LLMStage(Some(), pool(), {})
    texts = ["zero", "x one", "x x two", "x x x three", "four"]
    ask = witness(stage, texts, quiet=True)
    assert callable(ask)
    joined = np.full((3, 2), 0.5, dtype=np.float32)
    said, answered = ask(np.asarray([1, 3, 4]), joined)
    assert answered == [True, False, True]
    assert said[[0, 2]] == pytest.approx(np.asarray([[0.9, 0.1]] * 2))
    assert stage.state["counts"] == {"answered": 2, "late": 1}


def test_no_rows_are_no_questions() -> None:
    ask = witness(LLMStage(Some(), pool(), {}), ["a"], quiet=True)
    assert callable(ask)
    said, answered = ask(np.empty(0, dtype=np.int64), np.empty((0, 2), dtype=np.float32))
    assert (said.shape, answered) == ((0, 2), [])


@pytest.mark.parametrize("kind", ["failed", "late", "nonsense"])
def test_a_bundle_whose_llm_never_answered_is_not_made(kind: str) -> None:
    texts = ["x x x zebrafalcon"] * 3
    ask = witness(LLMStage(Some(kind), pool(), {}), texts, quiet=True)
    assert callable(ask)
    with pytest.raises(TrainingError, match=rf"no answer to any ticket \({kind} 3\)") as caught:
        ask(np.arange(3), np.full((3, 2), 0.5, dtype=np.float32))
    assert "zebrafalcon" not in str(caught.value)


def test_one_that_is_unsure_of_all_is_no_fault() -> None:
    ask = witness(LLMStage(Some("unsure"), pool(), {}), ["x x x"], quiet=True)
    assert callable(ask)
    assert ask(np.arange(1), np.full((1, 2), 0.5, dtype=np.float32))[1] == [False]
