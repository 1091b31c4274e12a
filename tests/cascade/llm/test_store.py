"""A ticket's answer is the same next week, and the store is never in the way."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.errors import InputError
from cascade.llm.base import Answer, Example, NoAnswer, Question
from cascade.llm.store import AnswerStore, Stored, clear

TICKET = "zq-secret-of-the-ticket-zq"
QUESTION = Question(
    TICKET, ("Billing", "Fruit"), (Example(TICKET + " past", "Fruit"),), {"Fruit": TICKET + " kind"}
)
HALVES = Answer((0.5, 0.5))


class Fickle:
    """A backend that says something else each time."""

    name = "fickle"

    def __init__(self) -> None:
        self.asked = 0

    def ask(self, question: Question, deadline: float) -> Answer:
        self.asked += 1
        share = 1 / (2 + self.asked)
        return Answer((share, 1 - share), mass=0.9)


class Silent:
    """A backend that has no answer."""

    name = "fickle"

    def ask(self, question: Question, deadline: float) -> Answer:
        raise NoAnswer("late", "for a test")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "answers.sqlite"


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def fresh_and_stored(path: Path) -> tuple[Fickle, Stored]:
    backend = Fickle()
    return backend, Stored(backend, AnswerStore(path), "bundle-1")


probabilities = st.lists(st.floats(0, 1), min_size=2, max_size=20).map(tuple)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> AnswerStore:
    """A store for many examples, as opening one takes milliseconds."""
    return AnswerStore(tmp_path_factory.mktemp("law") / "answers.sqlite", max_rows=5)


@given(probabilities, st.floats(0, 1))
def test_an_answer_comes_back_to_the_last_bit(
    shared: AnswerStore, numbers: tuple[float, ...], mass: float
) -> None:
    shared.clear()
    answer = Answer(numbers, mass)
    assert shared.get(key(1)) is None
    assert shared.put(key(1), answer) == answer
    assert shared.get(key(1)) == answer


def test_the_first_answer_is_the_answer_next_week_and_for_all_processes(path: Path) -> None:
    backend, stored = fresh_and_stored(path)
    first = stored.ask(QUESTION, 0)
    assert [stored.ask(QUESTION, 0) for _ in range(3)] == [first] * 3
    assert backend.asked == 1
    _, next_week = fresh_and_stored(path)
    assert next_week.ask(QUESTION, 0) == first
    assert next_week.name == "fickle"


def test_who_comes_second_gets_the_first_ones_answer(path: Path) -> None:
    one, two = AnswerStore(path), AnswerStore(path)
    assert one.get(key(1)) is None
    assert two.get(key(1)) is None
    assert two.put(key(1), HALVES) == HALVES
    assert one.put(key(1), Answer((0.1, 0.9))) == HALVES


@pytest.mark.parametrize(
    "other",
    [
        Question(TICKET + ".", QUESTION.candidates, QUESTION.examples, QUESTION.descriptions),
        Question(TICKET, ("Fruit", "Billing"), QUESTION.examples, QUESTION.descriptions),
        Question(TICKET, QUESTION.candidates, (), QUESTION.descriptions),
        Question(TICKET, QUESTION.candidates, QUESTION.examples, {}),
    ],
)
def test_another_question_has_an_answer_of_its_own(path: Path, other: Question) -> None:
    _, stored = fresh_and_stored(path)
    assert stored.ask(QUESTION, 0) != stored.ask(other, 0)


def test_another_bundle_or_backend_has_answers_of_its_own(path: Path) -> None:
    backend, store = Fickle(), AnswerStore(path)
    first = Stored(backend, store, "bundle-1").ask(QUESTION, 0)
    assert Stored(backend, store, "bundle-2").ask(QUESTION, 0) != first
    backend.name = "other"
    assert Stored(backend, store, "bundle-1").ask(QUESTION, 0) != first
    assert len(store) == 3


def test_the_order_of_descriptions_is_no_other_question(path: Path) -> None:
    one, two = ({"a": "1", "b": "2"}, MappingProxyType({"b": "2", "a": "1"}))
    backend, stored = fresh_and_stored(path)
    for descriptions in (one, two):
        stored.ask(Question("t\ud800", ("a", "b"), (), descriptions), 0)
    assert backend.asked == 1


def test_no_answer_is_not_stored(path: Path) -> None:
    store = AnswerStore(path)
    with pytest.raises(NoAnswer):
        Stored(Silent(), store, "bundle-1").ask(QUESTION, 0)
    assert len(store) == 0
    assert Stored(Fickle(), store, "bundle-1").ask(QUESTION, 0)


def test_no_text_is_written_and_nobody_else_may_read(path: Path) -> None:
    _, stored = fresh_and_stored(path)
    stored.ask(QUESTION, 0)
    for file in path.parent.iterdir():
        data = file.read_bytes()
        for text in (TICKET, "Billing", "Fruit", "fickle", "bundle"):
            assert text.encode() not in data
        assert file.stat().st_mode & 0o077 == 0


def test_the_answer_used_longest_ago_goes_first(path: Path) -> None:
    store = AnswerStore(path, max_rows=3)
    for number in (1, 2, 3):
        store.put(key(number), HALVES)
    store.get(key(1))
    store.put(key(4), HALVES)
    store.put(key(5), HALVES)
    assert len(store) == 3
    assert [number for number in range(1, 6) if store.get(key(number))] == [1, 4, 5]


@given(st.lists(st.integers(0, 9), max_size=40))
def test_it_never_holds_more_than_it_may_nor_forgets_the_newest(
    shared: AnswerStore, numbers: list[int]
) -> None:
    shared.clear()
    recent: list[int] = []
    for number in numbers:
        known = shared.get(key(number))
        assert (known is not None) == (number in recent)
        if known is None:
            shared.put(key(number), HALVES)
        recent = [*(n for n in recent if n != number), number][-5:]
        assert len(shared) == len(recent)


def test_clear_says_how_many_there_were(path: Path) -> None:
    store = AnswerStore(path)
    for number in range(3):
        store.put(key(number), HALVES)
    assert store.clear() == 3
    assert len(store) == 0
    store.put(key(1), HALVES)
    assert clear(path) == (1, None)
    assert clear(path) == (0, None)
    assert store.get(key(1)) is None


def test_counters_say_what_happened(path: Path) -> None:
    store = AnswerStore(path)
    store.get(key(1))
    store.put(key(1), HALVES)
    store.get(key(1))
    assert store.counts == {"missed": 1, "stored": 1, "found": 1}


# In the way of nobody.


def lock(path: Path) -> sqlite3.Connection:
    """Another process that holds the file for itself."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    return other


def test_a_writer_that_does_not_end_holds_nobody(path: Path) -> None:
    store = AnswerStore(path)
    store.put(key(1), HALVES)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    assert store.get(key(1)) == HALVES, "reading goes on"
    assert store.put(key(2), HALVES) == HALVES
    assert time.monotonic() - started < 0.3
    assert store.counts["unavailable"] == 2  # the use of the first is not noted, either
    other.execute("ROLLBACK")
    store.put(key(2), HALVES)
    assert store.get(key(2)) == HALVES


def test_a_file_that_is_locked_from_the_start_is_used_once_it_is_free(path: Path) -> None:
    path.parent.mkdir()
    with lock(path) as other:
        started = time.monotonic()
        backend, stored = fresh_and_stored(path)
        answers = {stored.ask(QUESTION, 0) for _ in range(3)}
        assert time.monotonic() - started < 0.6
        assert len(answers) == backend.asked == 3
        other.execute("ROLLBACK")
    other.close()
    assert stored.ask(QUESTION, 0) == stored.ask(QUESTION, 0)


def test_a_full_disk_is_no_reason_for_no_answer(path: Path) -> None:
    store = AnswerStore(path)
    with store._open() as connection:
        connection.execute("PRAGMA max_page_count = 1")
    large = Answer(tuple(math.sqrt(n) / 7 for n in range(20)))
    assert [store.put(key(number), large) for number in range(50)] == [large] * 50
    assert store.counts["unavailable"] > 0


def test_where_nothing_can_be_written_answers_go_out_unstored() -> None:
    program = """if True:
        import os, sys
        from cascade.llm.base import Answer
        from cascade.llm.store import AnswerStore
        if os.getuid() == 0:
            os.setuid(65534)  # root may write everywhere
        store = AnswerStore(sys.argv[1])
        assert store.put(bytes(32), Answer((0.1, 0.9))) == Answer((0.1, 0.9))
        assert store.counts == {"unavailable": 2}, store.counts
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.sqlite"
        AnswerStore(path).put(key(1), HALVES)
        path.chmod(0o444)
        path.parent.chmod(0o555)
        for place in (path, path.parent / "new folder" / "answers.sqlite"):
            done = subprocess.run(
                [sys.executable, "-c", program, str(place)],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        path.parent.chmod(0o755)


def test_a_damaged_file_is_named_at_the_start_with_the_way_out(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"a,b\r\n1,2\r\n" * 1000)
    log = Path(f"{path}-wal")
    log.write_bytes(b"left over")
    with pytest.raises(InputError, match="cascade llm clear") as caught:
        AnswerStore(path)
    assert str(path) in str(caught.value)
    moved = path.with_name(path.name + ".damaged")
    assert clear(path) == (0, moved)
    assert not log.exists(), "it belongs to the damaged file"
    assert AnswerStore(path).put(key(1), HALVES) == HALVES
    assert moved.read_bytes().startswith(b"a,b"), "it was perhaps something else: not deleted"


def test_another_table_of_the_same_name_is_no_store(path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE answers (question TEXT)")
    other.commit()
    with pytest.raises(InputError, match="not a store"):
        AnswerStore(path)


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    for use in (AnswerStore, clear):
        with pytest.raises(InputError, match="a folder"):
            use(tmp_path)


def test_damage_while_it_runs_is_counted(path: Path) -> None:
    store = AnswerStore(path)
    for number in range(200):
        store.put(key(number), Answer(tuple(math.sqrt(n) / 7 for n in range(20))))
    store.close()
    data = path.read_bytes()
    path.write_bytes(data[:4096] + os.urandom(len(data) - 4096))
    for number in range(5):
        assert store.put(key(1000 + number), HALVES) == HALVES
        assert store.get(key(number)) is None
    assert store.counts["unavailable"] >= 5


@pytest.mark.parametrize("text", ["", "[", "7", '["a", "b"]', "[NaN, 1.0]", "null", "{}"])
def test_a_row_that_holds_no_probabilities_is_no_answer(path: Path, text: str) -> None:
    store = AnswerStore(path)
    store.put(key(1), HALVES)
    with store._open() as connection:
        connection.execute("UPDATE answers SET probabilities = ?", (text,))
    assert store.get(key(1)) is None
    assert store.put(key(1), Answer((0.1, 0.9))) == Answer((0.1, 0.9))
    assert store.counts["unavailable"] == 2


# Many at once.

RACE = """if True:
    import sys, json
    from cascade.llm import store
    from cascade.llm.base import Answer
    store.WAIT_SECONDS = 10
    answers = store.AnswerStore(sys.argv[1])
    mine = Answer((float(sys.argv[2]), 0.5))
    sys.stdin.readline()
    got = []
    for number in range(100):
        key = number.to_bytes(32, "big")
        answer = answers.get(key) or answers.put(key, mine)
        got.append(answer.probabilities[0])
    print(json.dumps(got))
"""


def test_processes_that_race_agree(path: Path) -> None:
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(path), f"0.{number + 1}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for run in runs:
        assert run.stdin is not None
        run.stdin.write("go\n")
        run.stdin.flush()
    results = [json.loads(run.communicate()[0]) for run in runs]
    assert len(results[0]) == len(AnswerStore(path)) == 100
    assert results[0] == results[1] == results[2]


def test_threads_that_race_agree(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cascade.llm.store.WAIT_SECONDS", 10)
    store = AnswerStore(path)
    start = threading.Barrier(4)
    results: list[list[Answer]] = []

    def work(name: int) -> None:
        start.wait()
        results.append(
            [
                store.get(key(number)) or store.put(key(number), Answer((name / 4, 0.5)))
                for number in range(50)
            ]
        )

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result == results[0] for result in results)
