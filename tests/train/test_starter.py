"""The starter data are as the user described real mail: skewed, long-tailed, noisy and hard."""

from __future__ import annotations

import csv
import gzip
import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import datetime
from itertools import islice, pairwise
from pathlib import Path
from random import Random
from statistics import median

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade.errors import InputError
from train.starter import COLUMNS, QUEUES, StarterTicket, generate, write
from train.starter.check import MARKS, baseline, near_duplicates, shingles, text_of
from train.starter.command import starter
from train.starter.grammar import Slot, Speaker, bank, parse
from train.starter.slots import LASTING, MAKERS
from train.starter.tickets import SHARES
from train.starter.writer import INTENTS, SENTIMENTS, URGENCIES

ROWS = 20_000


@pytest.fixture(scope="module")
def tickets() -> list[StarterTicket]:
    return list(generate(ROWS, seed=3))


@pytest.fixture(scope="module")
def lengths(tickets: list[StarterTicket]) -> list[int]:
    return [len(text_of(ticket).split()) for ticket in tickets]


@pytest.mark.parametrize("queue", QUEUES)
def test_queues_come_in_the_shares_the_user_gave(tickets: list[StarterTicket], queue: str) -> None:
    for labels in ([t.queue for t in tickets], [t.true_queue for t in tickets]):
        assert Counter(labels)[queue] / ROWS == pytest.approx(SHARES[queue], abs=0.015)


def test_tickets_have_10_to_900_words_and_about_120_in_the_median(lengths: list[int]) -> None:
    assert min(lengths) >= 10
    assert max(lengths) <= 900
    assert 105 <= median(lengths) <= 135
    assert sum(n <= 30 for n in lengths) / ROWS > 0.08, "terse writers"
    assert sum(n >= 400 for n in lengths) / ROWS > 0.03, "rambling ones"


def test_three_percent_of_the_labels_are_moved_and_never_evenly(
    tickets: list[StarterTicket],
) -> None:
    moves = Counter((t.true_queue, t.queue) for t in tickets if t.queue != t.true_queue)
    assert sum(moves.values()) / ROWS == pytest.approx(0.03, abs=0.005)
    assert moves["Account Access", "Technical Bug"] > 2 * moves["Account Access", "Sales"]
    assert moves["Feature Request", "Technical Bug"] > 2 * moves["Feature Request", "Compliance"]


def test_no_ticket_is_empty_and_ids_and_times_go_up(tickets: list[StarterTicket]) -> None:
    assert all(ticket.body.strip() for ticket in tickets)
    assert len({ticket.id for ticket in tickets}) == ROWS
    times = [datetime.fromisoformat(ticket.created) for ticket in tickets]
    assert all(one < after for one, after in pairwise(times))
    assert all(time.tzinfo is not None for time in times)


def test_urgency_and_sentiment_are_spread_over_every_queue(tickets: list[StarterTicket]) -> None:
    for queue in QUEUES:
        own = [t for t in tickets if t.true_queue == queue]
        # Nobody's shop stands still for want of a dark mode.
        assert {t.urgency for t in own} >= set(URGENCIES[: 3 if queue == "Feature Request" else 4])
        assert {t.sentiment for t in own} == set(SENTIMENTS)
        assert max(Counter(t.urgency for t in own).values()) / len(own) < 0.75


@pytest.mark.parametrize(
    ("wording", "urgency"),
    [
        (r"No rush|Take your time", "low"),
        (r"every minute counts|All work has stopped", "critical"),
    ],
)
def test_urgency_follows_the_wording(
    tickets: list[StarterTicket], wording: str, urgency: str
) -> None:
    said = Counter(t.urgency for t in tickets if re.search(wording, t.body))
    assert said[urgency] / said.total() > 0.95


@pytest.mark.parametrize(
    ("thing", "least", "most"),
    [
        ("log", 0.08, 0.3),
        ("quote", 0.2, 0.5),
        ("html", 0.05, 0.15),
        ("url", 0.03, 0.3),
        ("e-mail address", 0.3, 0.8),
    ],
)
def test_mail_holds_what_mail_holds(
    tickets: list[StarterTicket], thing: str, least: float, most: float
) -> None:
    assert least < sum(bool(MARKS[thing].search(t.body)) for t in tickets) / ROWS < most


def test_subjects_are_missing_or_useless_in_many_tickets(tickets: list[StarterTicket]) -> None:
    assert 0.05 < sum(not t.subject for t in tickets) / ROWS < 0.2
    useless = re.compile(r"^(re: |fw: |fwd: |aw: )*(help!?|question|problem|urgent|hello)$", re.I)
    assert sum(bool(useless.match(t.subject)) for t in tickets) / ROWS > 0.02


@pytest.mark.parametrize(
    ("word", "owner"),
    [("invoice", "Billing"), ("password", "Account Access"), ("GDPR", "Compliance")],
)
def test_a_queue_does_not_own_its_words(
    tickets: list[StarterTicket], word: str, owner: str
) -> None:
    holders = [t.true_queue for t in tickets if word in text_of(t)]
    strangers = sum(queue != owner for queue in holders)
    assert strangers / len(holders) > 0.15
    assert owner in holders


def test_the_data_can_be_learned_but_not_by_words_alone(tickets: list[StarterTicket]) -> None:
    scores = baseline(tickets[:6_000], tickets[6_000:8_000])
    assert 0.75 < scores["macro-F1, labels as given"] < 0.93
    assert scores["macro-F1, true queues"] > scores["macro-F1, labels as given"]


def test_near_duplicates_are_rare(tickets: list[StarterTicket]) -> None:
    assert len(near_duplicates([text_of(t) for t in tickets[:5_000]])) / 5_000 < 0.01


def test_near_duplicates_are_found_when_there_are_some(tickets: list[StarterTicket]) -> None:
    texts = [text_of(t) for t in tickets[:50]]
    planted = texts[7] + " one more word"
    assert near_duplicates([*texts, planted]) == {7, 50}
    assert shingles("a b c d") == shingles("A, b c. D")


@given(seed=st.integers(0, 2**32), short=st.integers(0, 12), more=st.integers(0, 8))
@settings(max_examples=25)
def test_the_first_tickets_do_not_depend_on_how_many_follow(
    seed: int, short: int, more: int
) -> None:
    assert list(islice(generate(short + more, seed), short)) == list(generate(short, seed))


def test_another_seed_gives_other_tickets() -> None:
    assert next(generate(1, seed=1)).body != next(generate(1, seed=2)).body


def test_no_hash_seed_changes_a_byte(tmp_path: Path) -> None:
    program = "import sys; from pathlib import Path; from train.starter import write"
    digests = set()
    for hash_seed in ("1", "2"):
        out = tmp_path / f"{hash_seed}.csv.gz"
        subprocess.run(
            [sys.executable, "-c", f"{program}; write(Path(sys.argv[1]), 300, 5)", str(out)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=Path(__file__).parents[2],
            check=True,
            capture_output=True,
        )
        digests.add(hashlib.sha256(out.read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize("name", ["tickets.csv", "tickets.csv.gz"])
@pytest.mark.parametrize("with_truth", [False, True])
def test_the_file_holds_the_tickets(tmp_path: Path, name: str, with_truth: bool) -> None:
    path = tmp_path / name
    write(path, 200, seed=4, with_truth=with_truth)
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
    rows = list(csv.DictReader(text.splitlines(keepends=True)))
    columns = [*COLUMNS, "true_queue"] if with_truth else list(COLUMNS)
    assert [list(row) for row in rows] == [columns] * 200
    assert rows == [{c: getattr(t, c) for c in columns} for t in generate(200, seed=4)]
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_crash_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tickets.csv"
    write(path, 5)
    before = path.read_bytes()
    monkeypatch.setattr("train.starter.tickets.StarterTicket", None)
    with pytest.raises(TypeError):
        write(path, 5, seed=1)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["tickets.csv"]


def test_the_verb_writes_the_file_and_its_help_has_an_example(tmp_path: Path) -> None:
    out = tmp_path / "few.csv"
    done = CliRunner().invoke(starter, [str(out), "--rows", "7", "--seed", "1", "--with-truth"])
    assert done.exit_code == 0, done.output
    with out.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 7
    assert "cascade starter tickets.csv.gz" in CliRunner().invoke(starter, ["--help"]).output


def test_the_verb_names_the_place_it_cannot_write_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "few.csv"
    done = CliRunner().invoke(starter, [str(place), "--rows", "1"])
    assert isinstance(done.exception, InputError)
    assert str(place) in str(done.exception)


@pytest.mark.parametrize("queue", QUEUES)
def test_each_queue_has_15_intents_with_several_ways_to_say_each(queue: str) -> None:
    intents = INTENTS[queue]
    assert len({intent.name for intent in intents}) == len(intents) >= 15
    for intent in intents:
        assert intent.near in QUEUES and intent.near != queue
        assert len(intent.openings) >= 3 and len(intent.details) >= 3 and len(intent.asks) >= 2


def test_every_phrase_can_be_said_and_leaves_no_markup() -> None:
    s = Speaker(Random(0), MAKERS, LASTING, {"year": "2024"})
    for intents in INTENTS.values():
        for intent in intents:
            for phrase in intent.subjects + intent.openings + intent.details + intent.asks:
                for _ in range(20):
                    said = s.say(phrase)
                    assert not re.search(r"[\[\]{}|]|  ", said), intent.name


def test_nobody_real_is_named(tickets: list[StarterTicket]) -> None:
    host = re.compile(r"(?:https://|@)([\w.-]*\w)")
    reserved = re.compile(r"(^|\.)(example\.(com|org|net)|test|invalid)$")
    phone = re.compile(r"\b\d{3}-555-(\d{4})\b")
    address = re.compile(r"\b(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}\b")
    for ticket in tickets[:3_000]:
        text = text_of(ticket).lower()
        assert all(reserved.search(name) for name in host.findall(text)), ticket.id
        assert all(number.startswith("01") for number in phone.findall(text)), ticket.id
        ranges = {"192.0.2", "198.51.100", "203.0.113"}
        assert set(address.findall(text)) <= ranges, ticket.id


def test_choices_nest_and_slots_stay_the_same_for_one_writer() -> None:
    s = Speaker(Random(1), {"who": lambda s: str(s.below(10**9))}, frozenset({"who"}))
    assert s.say(parse("{who} or {who}")).split(" or ")[0] == s.fill("who")
    phrase = parse("a[b[c|d]|e|]f")
    assert {s.say(phrase) for _ in range(200)} == {"Abcf", "Abdf", "Aef", "Af"}
    assert parse("x {who}") == ("x ", Slot("who"))


def test_a_phrase_may_go_on_in_the_next_line() -> None:
    assert bank("one\n  two\nthree\n") == (("one two",), ("three",))


@pytest.mark.parametrize("text", ["[a|b", "a]", "a|b"])
def test_a_phrase_with_a_stray_bracket_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="bracket"):
        parse(text)


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    write(tmp_path / "new" / "folder" / "starter.csv", 3)
    assert (tmp_path / "new" / "folder" / "starter.csv").read_text().count("T-0000003") == 1
