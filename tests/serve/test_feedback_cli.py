"""The verb ``cascade feedback export``: what people corrected, for the next training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cascade.bundle import Columns, Manifest
from cascade.clean import VERSION as CLEANING
from cascade.errors import BundleError, InputError
from cascade.files import Row, read_rows
from cascade.saving import write
from cascade.stages.base import QUEUE
from serve.feedback_cli import feedback as verb
from serve.store import Store, decisions, feedback, new_id
from train.read import read_table
from train.starter import generate

Keep = Callable[..., None]
Run = Callable[..., Result]


@pytest.fixture
def run(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the verb on the store, beside a bundle with two queues."""
    columns, heads = Columns(("text",), "queue"), {QUEUE: ("Billing", "Sales")}
    manifest = Manifest("b", "2026-11-01", heads, ("linear",), columns, CLEANING)
    write(tmp_path / "bundles" / "b", manifest, {})
    monkeypatch.setenv("CASCADE_DATABASE", store.url.render_as_string())
    monkeypatch.setenv("CASCADE_BUNDLE", str(tmp_path / "bundles" / "b"))
    return lambda *args: CliRunner().invoke(
        verb, ["export", *map(str, args)], catch_exceptions=False
    )


@pytest.fixture
def keep(store: Store) -> Keep:
    """Keeps a decision for Billing, and where it belongs."""

    def made(ticket: str, queue: str, text: str = "", created: float = 0.0) -> None:
        its = {"id": ticket, "queue": "Billing", "confidence": 0.51234567, "stage": "linear"}
        its |= {"decision_id": new_id(), "bundle": "b", "action": "route", "pending": False}
        with store.write() as connection:
            decisions.add(connection, its | {"labels": {}}, "f")
            if text:
                decisions.add_text(connection, str(its["decision_id"]), text)
            told = feedback.add(connection, feedback.API, str(its["decision_id"]), queue, "anna")
            if created:
                table = feedback.feedback
                changed = table.update().where(table.c.id == told).values(created=created)
                connection.execute(changed)

    return made


def table(path: Path) -> list[dict[str, str | None]]:
    rows = list(read_rows(path))
    assert all(isinstance(row, Row) for row in rows)
    return [row.values for row in rows if isinstance(row, Row)]


@pytest.mark.parametrize(
    "name", ["out.csv", "out.tsv", "out.jsonl.gz", "out.csv.gz", "out.parquet"]
)
def test_each_format_holds_the_same(run: Run, keep: Keep, tmp_path: Path, name: str) -> None:
    keep("4711", "Sales", 'my "vpn",\tsays\n<name>\r and =more', created=1795000000.0)
    keep("4712", "Tomorrow")
    result = run(tmp_path / name)
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600, "customers wrote it"
    first, second = table(tmp_path / name)
    text = first.pop("text")
    assert text == 'my "vpn",\tsays\n<name>\r and =more'
    assert first.pop("new_queue") in ("", "False")
    assert first == {
        "id": "4711",
        "queue": "Sales",
        "predicted": "Billing",
        "stage": "linear",
        "confidence": "0.512346",
        "action": "route",
        "source": "api",
        "by": "anna",
        "bundle": "b",
        "created": "2026-11-18T11:06:40+00:00",
    }
    assert second["new_queue"] in ("yes", "True")
    assert not second["text"]
    assert "2 tickets in" in result.stderr
    assert "queues that" in result.stderr
    assert "Tomorrow" in result.stderr


def test_it_says_what_cannot_be_learned_from_and_what_helps(
    run: Run, keep: Keep, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    keep("1", "Billing", "an invoice")
    keep("2", "Sales")
    told = run(out).stderr
    assert f"2 tickets in {out}; of 1 another queue was predicted" in told
    assert "1 have no text, so nothing can be learned from them: none are kept" in told
    assert "CASCADE_KEEP_TEXT_DAYS" in told
    told = run(out, "--text-only").stderr
    assert "1 tickets in" in told
    assert "no text" not in told
    assert [row["id"] for row in table(out)] == ["1"]


def test_older_feedback_is_left_out_when_asked(run: Run, keep: Keep, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    keep("old", "Sales", created=1795046399.0)  # a second before midnight, UTC
    keep("new", "Sales", created=1795046400.0)
    run(out, "--since", "2026-11-19")
    assert [row["id"] for row in table(out)] == ["new"]


def test_nothing_to_write_is_a_table_with_a_head_alone(run: Run, tmp_path: Path) -> None:
    assert "0 tickets in" in run(tmp_path / "out.csv").stderr
    assert (tmp_path / "out.csv").read_text().startswith("id,text,queue,")


@pytest.mark.parametrize("name", ["out.xlsx", "missing/out.csv"])
def test_a_file_that_cannot_be_written_is_named_and_leaves_nothing_behind(
    run: Run, keep: Keep, tmp_path: Path, name: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=name):
        run(tmp_path / name)
    assert [its for its in sorted(tmp_path.rglob("*")) if "sqlite" not in its.name] == [
        its for its in before if "sqlite" not in its.name
    ]


def test_a_bundle_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nowhere"):
        run(tmp_path / "out.csv", "--bundle", tmp_path / "nowhere")


def test_training_reads_the_file_as_it_is(run: Run, keep: Keep, tmp_path: Path) -> None:
    tickets = list(generate(160, seed=5))
    for ticket in tickets:
        keep(ticket.id, ticket.queue, f"{ticket.subject}\n{ticket.body}")
    keep("silent", "Billing")
    out = tmp_path / "feedback.csv"
    run(out)
    # As ``cascade train feedback.csv --text text --label queue`` does.
    read, report = read_table(out, Columns(("text",), "queue"), quiet=True)
    assert [*read.labels] == [ticket.queue for ticket in tickets]
    assert [len(lines) for lines in report.dropped.values()] == [1]
