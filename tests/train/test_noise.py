"""Suspects: what is doubted, what never is, and what people are told about it."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from cascade.bundle import Columns
from cascade.clean import clean
from train.fit import train
from train.linear import WORDS, Choice, fit_linear
from train.noise import (
    COLUMNS,
    MOST,
    NOBODY,
    ODDS,
    Suspects,
    find_suspects,
    ids_by_line,
    in_words,
    telling_words,
    write_suspects,
)
from train.options import Options
from train.read import Table
from train.starter import generate

WORDS_ALONE = Choice((WORDS,), 100.0, {})
"""Choosing takes most of the time of a fit."""


def shares(*rows: tuple[float, ...]) -> NDArray[np.float32]:
    return np.asarray(rows, dtype=np.float32)


# --- who is a suspect ---


def test_a_suspect_is_one_of_which_another_queue_is_much_likelier() -> None:
    sure, unsure, clash = (0.9, 0.05, 0.05), (0.3, 0.6, 0.1), (0.02, 0.95, 0.03)
    found = find_suspects(np.asarray([0, 0, 0, 1]), shares(sure, unsure, clash, clash))
    assert found.rows.tolist() == [2]
    assert (found.given[0], found.likelier[0]) == (0, 1)
    assert found.p_given[0] == pytest.approx(0.02)
    assert found.p_likelier[0] == pytest.approx(0.95)


def test_the_surest_come_first() -> None:
    rows = shares((0.03, 0.9, 0.07), (0.01, 0.9, 0.09), (0.02, 0.9, 0.08), *[(1, 0, 0)] * 5)
    assert find_suspects(np.zeros(8, dtype=np.int64), rows).rows.tolist() == [1, 2, 0]


def test_a_queue_too_rare_to_be_in_the_fold_is_not_doubted() -> None:
    """Its probability is exactly 0, which says nothing about the ticket."""
    rows = shares((0, 1, 0), (0, 1, 0), (0.5, 0.5, 0))
    assert len(find_suspects(np.asarray([0, 0, 0]), rows)) == 0


@given(st.data())
def test_what_holds_of_all_suspects(data: st.DataObject) -> None:
    n, k = data.draw(st.integers(1, 30)), data.draw(st.integers(2, 4))
    raw = data.draw(arrays(np.float32, (n, k), elements=st.floats(0, 1, width=32)))
    out = (raw + np.float32(1e-4)) / (raw + np.float32(1e-4)).sum(axis=1, keepdims=True)
    y = data.draw(arrays(np.int64, n, elements=st.integers(0, k - 1)))
    before = out.copy()
    found = find_suspects(y, out)
    assert np.array_equal(out, before), "the probabilities are still needed"
    assert len(set(found.rows.tolist())) == len(found)
    assert np.array_equal(found.given, y[found.rows])
    assert np.array_equal(found.p_given, out[found.rows, found.given])
    assert np.array_equal(found.p_likelier, out[found.rows, found.likelier])
    odds = found.p_likelier / found.p_given
    assert (odds > ODDS * (1 - 1e-5)).all()
    assert (np.diff(odds) <= 1e-3 * odds[:-1]).all(), "the surest first"
    weights = found.weights(n)
    assert ((weights > 0) & (weights <= 1 + 1e-5)).all()
    left = Counter(y.tolist())
    for queue, doubted in Counter(found.given.tolist()).items():
        assert doubted <= MOST * left[queue], "no queue is talked away"


def test_a_suspect_counts_the_less_the_surer_it_is_and_nobody_is_left_out() -> None:
    rows = shares((1, 0, 0), (0.01, 0.4, 0.59), (0.01, 0.8, 0.19), *[(1, 0, 0)] * 2)
    weights = find_suspects(np.zeros(5, dtype=np.int64), rows).weights(5)
    assert weights.tolist() == pytest.approx([1, ODDS / 59, ODDS / 80, 1, 1])
    assert NOBODY.weights(2).tolist() == [1, 1]


# --- planted ones ---


@pytest.fixture(scope="module")
def planted() -> tuple[Table, NDArray[np.int64], set[int]]:
    """Starter tickets without noise of their own but for 5 % that got another queue."""
    tickets = list(generate(800, seed=31))
    queues = sorted({ticket.queue for ticket in tickets})
    random = np.random.default_rng(0)
    y = np.asarray([queues.index(ticket.queue) for ticket in tickets])
    wrong = random.permutation(len(y))[:40]
    y[wrong] = (y[wrong] + random.integers(1, len(queues), len(wrong))) % len(queues)
    texts = [clean(f"{ticket.subject}\n{ticket.body}") for ticket in tickets]
    labels = [queues[number] for number in y]
    return Table(texts, labels, {}, [], list(range(2, 802)), ""), y, set(wrong.tolist())


def test_planted_labels_are_found_far_more_often_than_by_chance(
    planted: tuple[Table, NDArray[np.int64], set[int]],
) -> None:
    table, y, wrong = planted
    heads = {"queue": tuple(sorted(set(table.labels)))}
    fit = fit_linear(table.texts, {"queue": y}, heads, choice=WORDS_ALONE, quiet=True)
    found = set(fit.suspects.rows.tolist())
    assert len(found) >= 10
    assert len(found & wrong) / len(found) > 5 * len(wrong) / len(y)
    assert fit.notes["suspects"] == len(found)


# --- the list ---


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_list_names_the_ticket_the_labels_and_the_reason(tmp_path: Path) -> None:
    bug, access = "crash error screen freeze", "password login locked vpn"
    letters = "abcdefghij"
    texts = [f"{words} {letter * 4}" for words in (bug, access) for letter in letters]
    y = np.asarray([0] * 10 + [1] * 10)
    y[3] = 1
    queues = ("bug", "access")
    fit = fit_linear(texts, {"queue": y}, {"queue": queues}, choice=WORDS_ALONE, quiet=True)
    one = np.asarray([3])
    suspects = Suspects(one, y[one], np.asarray([0]), shares((0.01,))[0], shares((0.99,))[0])
    table = Table(texts, [queues[k] for k in y], {}, [], list(range(2, 22)), "")
    file = tmp_path / "new" / "it.suspects.csv"
    write_suspects(file, suspects, table, {5: "T-5"}, fit.stage, queues)
    (row,) = read(file)
    assert list(row) == list(COLUMNS)
    assert (row["id"], row["line"]) == ("T-5", "5")
    assert (row["label"], row["likelier"]) == ("access", "bug")
    assert (row["p_label"], row["p_likelier"]) == ("0.0100", "0.9900")
    assert row["reason"].startswith("the words say bug: ")
    said = row["reason"].split(": ")[1].split(";")[0].split(", ")
    assert set(said) < set(bug.split())
    assert row["reason"].endswith("; 8 of its 8 nearest neighbours are labelled bug, 0 access")
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_without_suspects_the_list_has_a_header_only(tmp_path: Path) -> None:
    """An older list would be taken for this training's."""
    file = tmp_path / "it.suspects.csv"
    file.write_text("old")
    fit = fit_linear(
        ["aaa bbb", "aaa ccc", "ddd eee", "ddd fff"],
        {"queue": np.asarray([0, 0, 1, 1])},
        {"queue": ("x", "y")},
        quiet=True,
    )
    write_suspects(file, NOBODY, Table([], [], {}, [], [], ""), {}, fit.stage, ("x", "y"))
    assert read(file) == []
    assert file.read_text().strip() == ",".join(COLUMNS)


def test_the_telling_words_are_whole_words_of_the_ticket() -> None:
    tickets = list(generate(300, seed=6))
    queues = sorted({ticket.queue for ticket in tickets})
    texts = [clean(f"{ticket.subject}\n{ticket.body}") for ticket in tickets]
    y = np.asarray([queues.index(ticket.queue) for ticket in tickets])
    heads = {"queue": tuple(queues)}
    stage = fit_linear(texts, {"queue": y}, heads, choice=WORDS_ALONE, quiet=True).stage
    billing = queues.index("Billing")
    words = telling_words(stage, "please refund the invoice, I cannot login", billing, 0)
    assert words[0] in ("refund", "invoice")
    assert telling_words(stage, "", billing, 0) == []


def test_reasons_in_words() -> None:
    assert in_words([], [], "bug", "access") == "the words say access"
    assert in_words(["vpn"], ["access", "bug", "access"], "bug", "access") == (
        "the words say access: vpn; 2 of its 3 nearest neighbours are labelled access, 1 bug"
    )


def test_ids_are_read_by_line_and_may_be_missing(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text('id,text\nT-1,"two\nlines"\n,one\nT-3,one\n')
    assert ids_by_line(file, "id") == {2: "T-1", 4: "", 5: "T-3"}
    assert ids_by_line(file, "ticket") == {}


# --- in cascade train ---


@pytest.fixture(scope="module")
def confused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tickets as plain as they can be, two of which have the other queue."""
    file = tmp_path_factory.mktemp("noise") / "tickets.csv"
    words = {"network": "vpn tunnel router wifi", "billing": "invoice refund price payment"}
    letters = "abcdefghijklmnopqrstuvwxyz"
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("number", "body", "team"))
        for n in range(200):
            team = sorted(words)[n % 2]
            said = f"{words[team]} {letters[n % 26] * 3}{letters[n // 26] * 3}"
            wrong = {"network": "billing", "billing": "network"}[team]
            writer.writerow((f"T-{n}", said, wrong if n in WRONG else team))
    return file


WRONG = (20, 21, 60, 61, 90, 91)
"""Some of them are in the train split whatever the seed."""
CHOICES = Options(Columns(("body",), "team", id="number"), minutes=0, quiet=True)


def test_training_lists_the_suspects_beside_the_bundle(confused: Path, tmp_path: Path) -> None:
    said: list[str] = []
    bundle = train(confused, tmp_path / "it", CHOICES, said.append)
    listed = tmp_path / "it.suspects.csv"
    rows = read(listed)
    assert rows
    lines = confused.read_text().splitlines()
    for row in rows:
        number = int(row["id"].removeprefix("T-"))
        assert number in WRONG
        assert lines[int(row["line"]) - 1].startswith(f"{row['id']},")
        assert lines[int(row["line"]) - 1].endswith(f",{row['label']}")
    (line,) = [line for line in said if str(listed) in line]
    assert line.startswith(f"{len(rows)} tickets (")
    assert not [name for name in bundle.files if "suspects" in name]


def test_labels_that_are_trusted_are_not_looked_at(confused: Path, tmp_path: Path) -> None:
    said: list[str] = []
    train(confused, tmp_path / "it", replace(CHOICES, trust_labels=True), said.append)
    assert [path.name for path in tmp_path.iterdir()] == ["it"]
    assert not [line for line in said if "suspects" in line]
