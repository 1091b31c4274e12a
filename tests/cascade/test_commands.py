"""``cascade route`` and ``cascade score``: what people see."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cascade.batch import run
from cascade.batch.block import ROWS
from cascade.batch.cli import score
from cascade.batch.jobs import Job
from cascade.batch.journal import Journal
from cascade.bundle import Bundle
from cascade.commands import describe, describe_why, route
from cascade.decision import Choice, Decision, Label, StageTrace
from cascade.engines.here import Here
from cascade.errors import BundleError, CascadeError, ColumnError, InputError
from cascade.explain import Explanation, Neighbour, Passage, Word
from cascade.router import Cascade
from cascade.saving import write as write_bundle
from cascade.ticket import MAX_CHARACTERS
from train.starter import write

TEXT = "cannot log into the vpn since this morning"


@pytest.fixture(scope="module")
def tickets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tickets") / "in.csv"
    write(path, 300, seed=21)
    return path


def call(verb: object, *args: str | Path, stdin: bytes = b"") -> Result:
    """Run a verb; errors meant for people pass through, as the front door prints them."""
    result = CliRunner().invoke(verb, [str(arg) for arg in args], input=stdin)  # type: ignore[arg-type]
    if isinstance(result.exception, CascadeError):
        raise result.exception
    return result


# --- route ---


def test_route_prints_the_decision_for_people(linear_bundle: Path) -> None:
    result = call(route, TEXT, "--bundle", linear_bundle)
    (decision,) = Cascade.load(linear_bundle).route([TEXT])
    assert result.exit_code == 0
    assert decision.queue in result.stdout.splitlines()[0]
    assert f"{decision.confidence:.1%}" in result.stdout
    assert decision.bundle in result.stdout


def test_route_prints_the_decision_as_json(linear_bundle: Path) -> None:
    plain = json.loads(call(route, TEXT, "--json", "--bundle", linear_bundle).stdout)
    (decision,) = Cascade.load(linear_bundle).route([TEXT])
    expected = json.loads(json.dumps(decision.to_dict()))
    for answer in (plain, expected):
        for trace in answer["stages"]:
            del trace["ms"]
    assert plain == expected


def test_route_reads_standard_input_of_any_bytes(linear_bundle: Path) -> None:
    by_argument = json.loads(call(route, TEXT, "--json", "--bundle", linear_bundle).stdout)
    piped = call(route, "-", "--json", "--bundle", linear_bundle, stdin=TEXT.encode())
    assert json.loads(piped.stdout)["confidence"] == by_argument["confidence"]
    junk = call(route, "-", "--bundle", linear_bundle, stdin=b"Gr\xfc\xdfe, kein Zugang \xff")
    assert junk.exit_code == 0


def test_the_bundle_may_come_from_the_environment(
    linear_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASCADE_BUNDLE", str(linear_bundle))
    assert call(route, TEXT).exit_code == 0


@pytest.mark.parametrize("stdin", [b"", b" \n"])
def test_an_empty_ticket_is_refused(linear_bundle: Path, stdin: bytes) -> None:
    with pytest.raises(InputError, match="the ticket is empty"):
        call(route, "-", "--bundle", linear_bundle, stdin=stdin)


def test_a_ticket_that_is_too_long_is_refused(linear_bundle: Path) -> None:
    with pytest.raises(InputError, match="longer than 1,000,000 characters"):
        call(route, "-", "--bundle", linear_bundle, stdin=b"x" * (MAX_CHARACTERS + 1))


def test_without_a_bundle_route_tells_how_to_train_one(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cascade train"):
        call(route, TEXT, "--bundle", tmp_path / "none")


def test_a_decision_in_lines() -> None:
    decision = Decision(
        id=None,
        queue="bug",
        confidence=0.62,
        stage="human",
        action="review",
        alternatives=(Choice("access", 0.3),),
        labels={"urgency": Label("high", 0.9)},
        stages=(StageTrace("linear", "access", 0.62, 0.25),),
        bundle="it-1",
        reason="no stage is sure enough",
    )
    assert describe(decision) == [
        "review, perhaps bug (62.0%)",
        "  because no stage is sure enough",
        "  linear      62.0%     0.25 ms",
        "  else       access 30.0%",
        "  urgency: high (90.0%)",
        "  bundle     it-1",
    ]


def test_route_asks_every_stage_when_told_to(linear_bundle: Path) -> None:
    args = (TEXT, "--bundle", linear_bundle, "--every-stage")
    plain = json.loads(call(route, *args, "--json").stdout)
    assert [its["stage"] for its in plain["opinions"]] == ["linear"]
    lines = call(route, *args).stdout.splitlines()
    assert lines[lines.index("each stage alone") + 1].endswith(plain["opinions"][0]["queue"])
    assert "each stage alone" not in call(route, *args[:-1]).stdout


def test_route_explains_when_asked(linear_bundle: Path) -> None:
    args = (TEXT, "--bundle", linear_bundle)
    plain = json.loads(call(route, *args, "--json", "--explain").stdout)
    assert "explanation" not in json.loads(call(route, *args, "--json").stdout)
    why = plain["explanation"]
    assert why["queue"] == plain["queue"]
    assert why["against"] == plain["alternatives"][0]["queue"]
    assert why["words"]
    assert all(word["text"] in TEXT for word in why["words"])
    assert [passage["stage"] for passage in why["gates"]] == ["linear"]
    lines = call(route, *args, "--explain").stdout.splitlines()
    assert f"  {why['gates'][0]['text']}" in lines
    assert any(line.startswith(f"  words for {plain['queue']}: ") for line in lines)


def test_an_explanation_in_lines() -> None:
    why = Explanation(
        queue="Network",
        against="Hardware",
        words=(Word("VPN", 2.104), Word("laptop", -0.42), Word("log in", 0.1)),
        neighbours=(Neighbour(7, "Network", 0.312, "The vpn drops"),),
        gates=(Passage("linear", "Network", 0.97, 0.95, 0.02, "linear: 97.0 % for Network, ..."),),
    )
    assert describe_why(why) == [
        "why",
        "  linear: 97.0 % for Network, ...",
        "  words for Network: VPN +2.10, log in +0.10",
        "  words for Hardware: laptop -0.42",
        "  past tickets with most in common:",
        "    Network (31% of the words): The vpn drops",
    ]
    assert describe_why(Explanation("Network", None, (), (), ())) == ["why"]


# --- score ---


def test_score_writes_one_decision_a_row_and_says_what_it_did(
    linear_bundle: Path, tickets: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.csv"
    result = call(score, tickets, out, "--bundle", linear_bundle, "--quiet")
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 300
    assert rows[0]["id"] == "T-0000001", "the id column is known from training"
    assert f"scored 300 of 300 rows into {out}" in result.stderr
    settled = sum(row["stage"] == "linear" for row in rows)
    assert f"{settled / 300:.1%} settled by linear ({settled:,})" in result.stderr
    assert result.stdout == ""


def test_score_names_the_bad_rows_with_their_lines(linear_bundle: Path, tmp_path: Path) -> None:
    lines = ["id,subject,body", *(f"{n},,hunter2 {n},x" for n in range(12)), "99,vpn,broken"]
    (tmp_path / "in.csv").write_text("\n".join(lines))
    result = call(score, tmp_path / "in.csv", tmp_path / "o.csv", "--bundle", linear_bundle)
    assert result.exit_code == 0
    assert "scored 1 of 13 rows" in result.stderr
    assert "12 rows could not be scored; all are in" in result.stderr
    assert "line 2: 4 fields, but the header has 3" in result.stderr
    assert result.stderr.count("4 fields") == 10, "no more than ten are shown"
    assert "hunter2" not in result.stderr


def test_score_of_bad_rows_only_is_no_crash(linear_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,subject,body\n1,,\n")
    result = call(score, tmp_path / "in.csv", tmp_path / "o.csv", "--bundle", linear_bundle)
    assert result.exit_code == 0
    assert "scored 0 of 1 rows" in result.stderr


def test_score_takes_other_columns(linear_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"key": "K-1", "message": "vpn is broken"}\n')
    out = tmp_path / "o.jsonl"
    args = ("--text", "message", "--id", "key", "--bundle", linear_bundle, "--quiet")
    call(score, tmp_path / "in.jsonl", out, *args)
    assert json.loads(out.read_text())["id"] == "K-1"


def test_a_file_without_the_id_of_training_is_scored_with_a_note(
    linear_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("subject,body\nvpn,broken\n")
    result = call(score, tmp_path / "in.csv", tmp_path / "o.csv", "--bundle", linear_bundle)
    assert result.exit_code == 0
    assert "has no column 'id', so decisions carry no id" in result.stderr


def test_of_several_files_those_with_ids_keep_them(linear_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    without, with_id = "subject,body\nvpn,broken\n", "id,subject,body\n7,vpn,broken\n"
    for name, text in (("a", without), ("b", with_id), ("c", without)):
        (tmp_path / "in" / f"{name}.csv").write_text(text)
    result = call(score, tmp_path / "in", tmp_path / "out", "--bundle", linear_bundle)
    assert "a.csv has no column 'id' (nor have 1 more), so decisions carry no id" in result.stderr
    ids = [next(csv.DictReader((tmp_path / "out" / f"{name}.csv").open()))["id"] for name in "abc"]
    assert ids == ["", "7", ""]


def test_an_id_that_nobody_asked_for_is_pointed_at(linear_bundle: Path, tmp_path: Path) -> None:
    its = Bundle.open(linear_bundle)
    without = replace(its.manifest, columns=replace(its.manifest.columns, id=None))
    bundle = write_bundle(tmp_path / "b", without, {name: its.read(name) for name in its.files})
    (tmp_path / "in.csv").write_text("id,text\n7,vpn is broken\n")
    args = ("--text", "text", "--bundle", bundle.path)
    result = call(score, tmp_path / "in.csv", tmp_path / "o.csv", *args)
    assert "has a column 'id'; --id id copies it" in result.stderr
    quiet = call(score, tmp_path / "in.csv", tmp_path / "p.csv", *args, "--id", "id")
    assert "--id" not in quiet.stderr


def test_an_id_column_that_was_named_must_be_there(linear_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("subject,body\nvpn,broken\n")
    args = ("--id", "key", "--bundle", linear_bundle)
    with pytest.raises(ColumnError, match="no column 'key'"):
        call(score, tmp_path / "in.csv", tmp_path / "o.csv", *args)


def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(
    linear_bundle: Path, tickets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = (tickets, tmp_path / "o.csv", "--bundle", linear_bundle, "--quiet")
    save = Journal.save

    def save_and_stop(*given: object) -> None:
        save(*given)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "save", save_and_stop)
        stopped = call(score, *args)
    assert stopped.exit_code == 130
    assert "stopped; the same command goes on from here" in stopped.stderr
    again = call(score, *args)
    assert again.exit_code == 0
    assert f"went on after the {ROWS} rows of an interrupted run" in again.stderr
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 301


def test_fresh_does_not_go_on(linear_bundle: Path, tickets: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run.score(
            Here(Cascade.load(linear_bundle)),
            [Job(0, tickets, tmp_path / "o.csv", ("subject", "body"), "id")],
            progress=lambda summary, share: (_ for _ in ()).throw(KeyboardInterrupt),
        )
    args = ("--fresh", "--bundle", linear_bundle, "--quiet")
    result = call(score, tickets, tmp_path / "o.csv", *args)
    assert "went on" not in result.stderr


def test_every_decision_names_the_bundle(
    linear_bundle: Path, tickets: Path, tmp_path: Path
) -> None:
    call(score, tickets, tmp_path / "o.csv", "--bundle", linear_bundle, "--quiet")
    with (tmp_path / "o.csv").open() as file:
        assert {row["bundle"] for row in csv.DictReader(file)} == {Bundle.open(linear_bundle).id}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files of tickets, one of them with bad rows."""
    (tmp_path / "in").mkdir()
    write(tmp_path / "in/a.csv", 30, seed=1)
    write(tmp_path / "in/c.csv.gz", 20, seed=2)
    (tmp_path / "in/b.jsonl").write_text('{"subject": "vpn", "body": "down", "id": "B"}\n[]\n')
    return tmp_path / "in"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_score_of_a_folder_writes_a_file_for_each(
    linear_bundle: Path, folder: Path, tmp_path: Path, workers: str
) -> None:
    out = tmp_path / "out"
    args = ("--bundle", linear_bundle, "--quiet", "--workers", workers)
    result = call(score, folder, out, *args)
    assert f"scored 51 of 52 rows into {out}" in result.stderr
    assert f"all are in {out / 'b.jsonl'}.errors.csv" in result.stderr
    assert f"{folder / 'b.jsonl'}, line 2: not a JSON object" in result.stderr
    names = ["a.csv", "b.jsonl", "b.jsonl.errors.csv", "c.csv.gz"]
    assert sorted(path.name for path in out.iterdir()) == names
    for name in ("a.csv", "b.jsonl", "c.csv.gz"):
        call(score, folder / name, tmp_path / name, *args)
        assert (out / name).read_bytes() == (tmp_path / name).read_bytes()


def test_an_interrupted_folder_goes_on_in_the_file_where_it_was(
    linear_bundle: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = (folder, tmp_path / "out", "--bundle", linear_bundle, "--workers", "1")
    save, saves = Journal.save, iter(range(100))

    def stop_in_the_second(*given: object) -> None:
        save(*given)  # type: ignore[arg-type]
        if next(saves) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "save", stop_in_the_second)
        assert call(score, *args).exit_code == 130
    first = (tmp_path / "out/a.csv").stat()
    again = call(score, *args)
    assert "went on after the 32 rows of an interrupted run" in again.stderr
    assert "scored 51 of 52 rows" in again.stderr
    assert (tmp_path / "out/a.csv").stat() == first, "what was complete is left alone"
    names = ["a.csv", "b.jsonl", "b.jsonl.errors.csv", "c.csv.gz"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names


def test_a_column_that_one_file_of_many_lacks_is_told_before_any_is_scored(
    linear_bundle: Path, folder: Path, tmp_path: Path
) -> None:
    (folder / "z.csv").write_text("id,text\n1,vpn\n")
    with pytest.raises(ColumnError, match=r"z\.csv: no column 'subject'"):
        call(score, folder, tmp_path / "out", "--bundle", linear_bundle)
    assert list((tmp_path / "out").iterdir()) == []


def test_progress_tells_tickets_speed_and_time_left(
    linear_bundle: Path, folder: Path, tmp_path: Path
) -> None:
    args = ("--bundle", linear_bundle, "--workers", "1")
    shown = call(score, folder, tmp_path / "out", *args).stderr
    assert re.search(r"scoring in: 100% \|.*\| 00:0\d<00:00, 52 tickets, [\d,]+/s", shown)
