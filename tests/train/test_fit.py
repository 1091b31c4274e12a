"""From a file to a bundle: what it holds, what it says, and that the same data make the same."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cascade.bundle import Bundle, Columns
from cascade.clean import VERSION
from cascade.errors import BundleError, InputError, TrainingError
from cascade.gate import Gates
from cascade.loading import load_scope, load_stages
from cascade.router import Cascade
from cascade.stages.base import SIGNALS
from cascade.stages.linear import LinearStage
from train import fit
from train.encoder import Interrupted
from train.fit import train
from train.options import Options
from train.promise import Promise
from train.starter import generate, write

# Subjects are short, so that a training takes a second.
COLUMNS = Columns(("subject",), "queue", ("urgency",), "id")
LINEAR = Options(COLUMNS, minutes=0, promise=Promise(0.8, 0.6), quiet=True)
ROWS = 400

Folder = Callable[[str], Path]


@pytest.fixture(scope="module")
def tickets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fit") / "tickets.csv"
    write(path, ROWS, seed=51)
    return path


@pytest.fixture(scope="module")
def made(tickets: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, list[str]]:
    """A linear-only bundle, and the lines that training said."""
    lines: list[str] = []
    return train(tickets, tmp_path_factory.mktemp("out") / "it", LINEAR, lines.append), lines


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def silent(line: str) -> None:
    """Nothing is said."""


# --- what is in the bundle ---


def test_the_manifest_tells_what_it_was_made_of(made: tuple[Bundle, list[str]]) -> None:
    manifest = made[0].manifest
    assert manifest.name == "it"
    assert manifest.stages == ("linear",)
    assert manifest.columns == COLUMNS
    assert manifest.clean_version == VERSION
    assert list(manifest.heads) == ["queue", "urgency"]
    assert manifest.heads["queue"] == tuple(sorted(manifest.heads["queue"]))
    data = manifest.data
    assert data["file"] == "tickets.csv"
    assert data["train"] + data["gate"] + data["test"] == data["rows"]
    assert len(data["sha256"]) == 64
    assert manifest.versions["scikit-learn"]
    assert manifest.figures["tickets"] == data["test"]


def test_the_files_are_those_of_the_design(made: tuple[Bundle, list[str]]) -> None:
    assert made[0].files == {
        "linear/config.json",
        "linear/vocabulary.json",
        "linear/model.safetensors",
        "scope/config.json",
        "scope/scope.safetensors",
        "gates.json",
        "card.md",
    }
    made[0].verify()


def test_the_figures_are_those_of_the_loaded_bundle(made: tuple[Bundle, list[str]]) -> None:
    bundle, _ = made
    gates = Gates.from_dict(json.loads(bundle.read("gates.json")))
    assert Cascade.load(bundle.path).gates == gates
    card = bundle.read("card.md").decode()
    assert f"{bundle.manifest.figures['cascade']['macro_f1']:.4f}" in card


def test_what_is_said_is_what_happened(made: tuple[Bundle, list[str]], tickets: Path) -> None:
    bundle, lines = made
    said = "\n".join(lines)
    assert f"read {ROWS} rows from {tickets} (CSV)" in lines[0]
    assert "queue: " in said
    assert "split random, stratified by label, seed 0" in said
    assert f"fitting the gates on {bundle.manifest.data['gate']} tickets" in said
    assert f"testing on {bundle.manifest.data['test']} tickets" in said
    assert "| **cascade** |" in said
    assert lines[-1] == f"wrote {bundle.path} ({bundle.id})"


def test_what_each_part_took_is_said_and_kept(made: tuple[Bundle, list[str]]) -> None:
    bundle, lines = made
    parts = bundle.manifest.figures["training"]
    assert list(parts) == [
        "reading and cleaning",
        "splitting",
        "linear stage",
        "list of suspects",
        "gates",
        "testing",
    ]
    assert all(its["minutes"] >= 0 and its["memory_mib"] > 10 for its in parts.values())
    said = [line.rsplit(maxsplit=3)[0] for line in lines[-len(parts) - 3 : -2]]
    assert said == [*parts, "in all"]


def test_the_same_data_and_seed_make_the_same_bundle(
    made: tuple[Bundle, list[str]], tickets: Path, tmp_path: Path
) -> None:
    again = train(tickets, tmp_path / "it", LINEAR, silent)
    assert again.id == made[0].id
    other = train(tickets, tmp_path / "other", replace(LINEAR, seed=1), silent)
    assert {name: other.read(name) for name in ("linear/model.safetensors",)} != {
        name: again.read(name) for name in ("linear/model.safetensors",)
    }


def test_no_ticket_of_the_test_split_was_learned_from(
    tickets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[str]] = {}
    fit_linear, evaluate = fit.fit_linear, fit.evaluate

    def learn(texts: list[str], *args: Any, **kwargs: Any) -> Any:
        seen["train"] = list(texts)
        return fit_linear(texts, *args, **kwargs)

    def test(cascade: Cascade, texts: list[str], targets: Any) -> Any:
        seen["test"] = list(texts)
        return evaluate(cascade, texts, targets)

    monkeypatch.setattr(fit, "fit_linear", learn)
    monkeypatch.setattr(fit, "evaluate", test)
    train(tickets, tmp_path / "it", LINEAR, silent)
    assert 6 < len(seen["train"]) / len(seen["test"]) < 10
    assert not set(seen["train"]) & set(seen["test"])


# --- other splits ---


def test_by_time(tickets: Path, tmp_path: Path) -> None:
    options = replace(LINEAR, columns=replace(COLUMNS, date="created"))
    bundle = train(tickets, tmp_path / "it", options, silent)
    assert str(bundle.manifest.data["split"]).startswith("by time: train until 2024-01-")


def test_a_test_file_of_its_own(tickets: Path, tmp_path: Path) -> None:
    write(tmp_path / "test.csv", 60, seed=52)
    options = replace(LINEAR, test_file=tmp_path / "test.csv")
    bundle = train(tickets, tmp_path / "it", options, silent)
    data = bundle.manifest.data
    assert data["test"] == bundle.manifest.figures["tickets"] <= 60
    assert data["train"] + data["gate"] == data["rows"]


def test_a_test_file_with_an_unknown_label(tickets: Path, tmp_path: Path) -> None:
    rows = [
        {"id": t.id, "subject": t.subject, "body": t.body, "queue": queue, "urgency": "low"}
        for t, queue in zip(generate(4, 53), ["Billing", "Sales", "Oracle", "Sales"], strict=True)
    ]
    rows[0]["urgency"] = "high"
    options = replace(LINEAR, test_file=write_rows(tmp_path / "test.csv", rows))
    with pytest.raises(InputError, match=r"test\.csv: the label 'Oracle' is not in"):
        train(tickets, tmp_path / "it", options, silent)
    assert not (tmp_path / "it").exists()


# --- tickets of no queue ---


@pytest.fixture(scope="module")
def with_spam(tickets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tickets, and 200 advertisements labelled ``spam``."""
    with tickets.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    words = [
        "pills",
        "casino",
        "lottery",
        "loan",
        "winner",
        "bonus",
        "prize",
        "cheap",
        "luxury",
        "watches",
    ]
    for number in range(200):
        some = [words[(number * step) % 10] for step in (1, 3, 7)]
        subject = f"{' '.join(some)} offer {number}"
        rows.append({**rows[0], "id": f"S{number}", "subject": subject, "queue": "spam"})
    return write_rows(tmp_path_factory.mktemp("spam") / "tickets.csv", rows)


def test_what_is_labelled_as_out_of_scope_is_no_queue_and_teaches_what_to_refuse(
    with_spam: Path, made: tuple[Bundle, list[str]], tmp_path: Path
) -> None:
    bundle = train(with_spam, tmp_path / "it", replace(LINEAR, out_of_scope="spam"), silent)
    assert bundle.manifest.heads == made[0].manifest.heads
    assert bundle.manifest.data["out_of_scope"] == "spam"
    scope, unaware = load_scope(bundle), load_scope(made[0])
    assert scope is not None
    assert unaware is not None
    (stage,) = load_stages(bundle, 1, None)
    assert isinstance(stage, LinearStage)
    texts = ["cheap pills bonus offer", "luxury casino prize"]
    seen = stage.predict(texts)
    assert scope.outside("linear", seen[SIGNALS], seen["queue"]).all()
    assert len(set(scope.evidence["linear"].weights.tolist())) > 1, "learned"
    assert len(set(unaware.evidence["linear"].weights.tolist())) == 1, "even"


def test_the_figures_are_those_of_tickets_that_have_a_queue(
    with_spam: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested: list[int] = []
    evaluate = fit.evaluate

    def test(cascade: Cascade, texts: list[str], targets: Any) -> Any:
        tested.extend(targets["queue"].tolist())
        return evaluate(cascade, texts, targets)

    monkeypatch.setattr(fit, "evaluate", test)
    train(with_spam, tmp_path / "it", replace(LINEAR, out_of_scope="spam"), silent)
    assert tested
    assert min(tested) == 0


def test_an_out_of_scope_label_that_no_row_has(tickets: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--out-of-scope 'ham': not one of the labels of .*csv"):
        train(tickets, tmp_path / "it", replace(LINEAR, out_of_scope="ham"), silent)


def test_out_of_scope_leaves_two_queues_at_least(tmp_path: Path) -> None:
    rows = [{"subject": f"{'vpn' if n % 2 else 'invoice'} {n}", "queue": n % 2} for n in range(40)]
    path = write_rows(tmp_path / "t.csv", rows)
    options = replace(LINEAR, columns=Columns(("subject",), "queue"), out_of_scope="1")
    with pytest.raises(InputError, match="one label only beside '1'"):
        train(path, tmp_path / "it", options, silent)


# --- little data ---


@pytest.mark.parametrize("date", [None, "day"])
def test_five_tickets_a_queue_are_enough_for_a_bundle_that_loads(
    tmp_path: Path, date: str | None
) -> None:
    words = {"bug": "crash error screen", "billing": "invoice refund price"}
    rows = [
        {"text": f"{words[queue]} {'abcdefghij'[n] * 4}", "queue": queue, "day": f"2025-01-1{n}"}
        for n in range(5)
        for queue in words
    ]
    path = write_rows(tmp_path / "few.csv", rows)
    options = replace(LINEAR, columns=Columns(("text",), "queue", date=date), min_rows=5)
    bundle = train(path, tmp_path / "it", options, silent)
    (decision,) = Cascade.load(bundle.path).route(["the screen shows an error after a crash"])
    assert decision.queue == "bug"


def test_a_further_label_that_few_tickets_have(tmp_path: Path) -> None:
    rows = [
        {"text": f"{t.subject} {t.body}", "queue": t.queue, "mood": ""} for t in generate(200, 54)
    ]
    for n in range(20):
        rows[n * 9]["mood"] = ["glad", "angry"][n % 2]
    path = write_rows(tmp_path / "few.csv", rows)
    options = replace(LINEAR, columns=Columns(("text",), "queue", ("mood",)))
    bundle = train(path, tmp_path / "it", options, silent)
    (decision,) = Cascade.load(bundle.path).route(["the screen shows an error after a crash"])
    assert decision.labels["mood"].value in ("glad", "angry")


def test_a_form_letter_in_many_copies_cannot_be_split(tmp_path: Path) -> None:
    letter = "please find attached the order of our office in the usual way and place " * 4
    rows = [
        {"text": f"{letter} {'abcdefghij'[n % 10] * 3}{n}x", "queue": "ab"[n % 2]}
        for n in range(40)
    ]
    options = replace(LINEAR, columns=Columns(("text",), "queue"))
    with pytest.raises(TrainingError, match="more than near-duplicates"):
        train(write_rows(tmp_path / "same.csv", rows), tmp_path / "it", options, silent)


# --- what must not happen ---


def test_nothing_is_read_before_it_is_known_that_the_bundle_can_be_written(
    tmp_path: Path,
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.tex").write_text("years")
    (tmp_path / "file").write_text("x")
    for out in ("work", "file", "file/below"):
        with pytest.raises(BundleError, match=r"choose another --out|cannot be written"):
            train(tmp_path / "no-such-file.csv", tmp_path / out, LINEAR, silent)


@pytest.mark.parametrize("name", ["stage", "action", "line", "confidence", "bundle", "reason"])
def test_a_further_label_must_not_be_called_like_a_column_of_scored_files(
    tickets: Path, tmp_path: Path, name: str
) -> None:
    options = replace(LINEAR, columns=replace(COLUMNS, also=(name,)))
    with pytest.raises(InputError, match=f"--also {name}: .* the column '{name}' twice"):
        train(tickets, tmp_path / "it", options, silent)


def test_training_that_fails_leaves_the_old_bundle(
    tickets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = train(tickets, tmp_path / "it", LINEAR, silent)

    def fail(*args: object) -> None:
        raise TrainingError("on purpose")

    monkeypatch.setattr(fit, "evaluate", fail)
    with pytest.raises(TrainingError, match="on purpose"):
        train(tickets, tmp_path / "it", replace(LINEAR, seed=9), silent)
    assert Cascade.load(tmp_path / "it").bundle_id == old.id


# --- the encoder ---


@pytest.mark.parametrize("kind", ["distilbert", "roberta"])
def test_an_encoder_of_another_architecture_trains_exports_and_routes(
    encoder_folder: Folder, tickets: Path, tmp_path: Path, kind: str
) -> None:
    folder = encoder_folder(kind)
    options = replace(LINEAR, minutes=0.03, encoder=str(folder), tokens=48)
    bundle = train(tickets, tmp_path / "it", options, silent)
    assert bundle.manifest.stages == ("linear", "encoder")
    config = json.loads(bundle.read("encoder/config.json"))
    assert config["cap"] == 48
    assert str(folder) in bundle.read("card.md").decode()
    (decision,) = Cascade.load(bundle.path).route(["please send the invoice again"])
    assert decision.queue in bundle.manifest.heads["queue"]
    assert set(bundle.manifest.figures["stages"]) == {"linear", "encoder"}
    left = {f.name for f in tmp_path.iterdir()}
    assert left == {"it", "it.suspects.csv"}, "the checkpoint is gone"


def test_an_encoder_of_fewer_layers_is_taught_by_the_whole_one(
    encoder_folder: Folder, tickets: Path, tmp_path: Path
) -> None:
    folder = encoder_folder("bert")
    options = replace(LINEAR, minutes=0.06, encoder=str(folder), tokens=48)
    said: list[str] = []
    whole = train(tickets, tmp_path / "whole", options, silent)
    short = train(tickets, tmp_path / "short", replace(options, layers=1), said.append)
    assert "teaching 1 layers what all of them say" in said
    assert "'student': {'layers': 1" in short.read("card.md").decode()
    sizes = [len(its.read("encoder/model.onnx")) for its in (short, whole)]
    assert sizes[0] < sizes[1]
    (decision,) = Cascade.load(short.path).route(["please send the invoice again"])
    assert decision.queue in short.manifest.heads["queue"]


def test_layers_that_the_encoder_has_not_end_training_before_it_begins(
    encoder_folder: Folder, tickets: Path, tmp_path: Path
) -> None:
    options = replace(LINEAR, minutes=0.03, encoder=str(encoder_folder("bert")), layers=9)
    with pytest.raises(TrainingError, match="--encoder-layers 9: the encoder has 2; take 1 to 1"):
        train(tickets, tmp_path / "it", options, silent)


def test_the_cap_is_never_more_than_the_encoder_can_read(
    encoder_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Roberta counts positions from behind the padding token, so it reads fewer than it has."""
    monkeypatch.setattr("train.few.FEW", 0)
    write(tmp_path / "long.csv", 150, seed=51)
    columns = replace(COLUMNS, text=("subject", "body"), also=())
    encoder = str(encoder_folder("roberta"))
    options = replace(LINEAR, columns=columns, minutes=0.02, encoder=encoder, tokens=8192)
    bundle = train(tmp_path / "long.csv", tmp_path / "it", options, silent)
    assert json.loads(bundle.read("encoder/config.json"))["cap"] == 79
    (decision,) = Cascade.load(bundle.path).route(["please send the invoice again " * 90])
    assert decision.queue in bundle.manifest.heads["queue"]


def test_int8_that_costs_too_much_is_not_taken_and_it_is_said(
    encoder_folder: Folder, tickets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.export.INT8_COST", -2.0)
    monkeypatch.setattr("train.few.FEW", 0)
    lines: list[str] = []
    options = replace(LINEAR, minutes=0.02, encoder=str(encoder_folder("bert")), tokens=32)
    bundle = train(tickets, tmp_path / "it", options, lines.append)
    assert json.loads(bundle.read("encoder/config.json"))["precision"] == "float32"
    assert [line for line in lines if "the encoder stays float32" in line]
    assert "'precision': 'float32'" in bundle.read("card.md").decode()


def test_ctrl_c_keeps_a_checkpoint_and_the_same_call_goes_on(
    encoder_folder: Folder, tickets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.few.FEW", 0)  # else it would be stopped in the trial of ways
    options = replace(LINEAR, minutes=0.05, encoder=str(encoder_folder("bert")), tokens=32)
    with monkeypatch.context() as patch:

        def stop(*args: object) -> None:
            raise KeyboardInterrupt

        patch.setattr("train.encoder._Run.evaluate", stop)
        with pytest.raises(Interrupted):
            train(tickets, tmp_path / "it", options, silent)
    assert (tmp_path / ".it.checkpoint.safetensors").is_file()
    assert not (tmp_path / "it").exists()
    seen: list[float] = []
    run = fit_run_init(monkeypatch, seen)
    train(tickets, tmp_path / "it", options, silent)
    assert run == seen
    assert seen[0] > 0, "the seconds before the interruption count"
    assert {f.name for f in tmp_path.iterdir()} == {"it", "it.suspects.csv"}


def fit_run_init(monkeypatch: pytest.MonkeyPatch, seen: list[float]) -> list[float]:
    """Note how many seconds of training a run begins with."""
    from train import encoder

    begin = encoder._Run.__init__

    def noted(run: Any, *args: Any) -> None:
        begin(run, *args)
        seen.append(run.standing.seconds)

    monkeypatch.setattr(encoder._Run, "__init__", noted)
    return seen


def test_an_encoder_that_does_not_load_is_an_error_before_training(
    tickets: Path, tmp_path: Path
) -> None:
    options = replace(LINEAR, minutes=1, encoder=str(tmp_path / "none"))
    with pytest.raises(TrainingError, match=r"--encoder .*none: cannot be loaded"):
        train(tickets, tmp_path / "it", options, silent)
