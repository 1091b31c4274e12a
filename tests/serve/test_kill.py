"""The service is killed at random moments, and nothing is lost or done twice.

A hundred kills are ``python -m eval.service.kill``; here it is a few.
"""

from __future__ import annotations

import runpy
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from eval.service import kill
from eval.service.kill_check import Seen, check

new_database = runpy.run_path(str(Path(__file__).parent / "postgres.py"))["new_database"]
PAUSES = (2.0, 0.2)
"""Lease and first pause, in seconds: the usual ones would take too long."""


@dataclass
class Survived:
    """A database after several kills, what was seen from outside, and what was found."""

    file: Path
    seen: Seen
    found: dict[str, Any]

    def check(self, seen: Seen) -> list[str]:
        """What would be found if that had been seen."""
        violations: list[str] = check(f"sqlite:///{self.file}", seen, 0.0)["violations"]
        return violations


@pytest.fixture(scope="module")
def survived(tmp_path_factory: pytest.TempPathFactory) -> Survived:
    """Five kills on SQLite."""
    file = tmp_path_factory.mktemp("survived") / "service.sqlite"
    kept = []

    def keep(database: str, seen: Seen, patience: float) -> dict[str, Any]:
        kept.append(seen)
        return check(database, seen, patience)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kill, "check", keep)
        found = kill.run(5, f"sqlite:///{file}", pauses=PAUSES)
    return Survived(file, kept[0], found)


def is_sound(found: dict[str, Any]) -> None:
    assert found["violations"] == []
    assert found["tickets"] > 20
    assert 0 < found["pending"] == found["callbacks"] < found["tickets"]


def test_five_kills_lose_nothing_and_repeat_nothing(survived: Survived) -> None:
    is_sound(survived.found)


def test_nor_do_they_with_postgresql(postgres: str, worker_id: str) -> None:
    url = new_database(postgres, f"kill_{worker_id}")
    is_sound(kill.run(2, url, pauses=PAUSES))


# --- that the check finds what is wrong ---


A = "(SELECT id FROM decisions WHERE finished IS NOT NULL LIMIT 1)"
OPEN = "(SELECT decision FROM reviews LIMIT 1)"


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (f"DELETE FROM decisions WHERE id = {A}", "has 0 decisions"),
        ("UPDATE decisions SET ticket = '0-1'", "has 0 decisions"),
        (f"UPDATE decisions SET id = 'other' WHERE id = {A}", "or another one"),
        ("DELETE FROM replies", "no reply under its key"),
        (f"UPDATE replies SET answer = replace(answer, {A}, 'other')", "under its key, or another"),
        (f"UPDATE decisions SET finished = NULL WHERE id = {A}", "finished: None"),
        ("UPDATE decisions SET answer = replace(answer, '\"human\"', '\"linear\"')", "ended as"),
        (f"DELETE FROM reviews WHERE decision = {OPEN}", "waits for review 0 times"),
        ("UPDATE decisions SET action = 'route'", "waits for review 1 times"),
    ],
)
def test_what_is_not_as_it_should_be_is_found(
    survived: Survived, tmp_path: Path, harm: str, said: str
) -> None:
    copy = tmp_path / "harmed.sqlite"
    copy.write_bytes(survived.file.read_bytes())
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute(harm)
    violations = Survived(copy, survived.seen, {}).check(survived.seen)
    assert any(said in violation for violation in violations), violations


def test_callbacks_that_are_not_as_they_should_be_are_found(survived: Survived) -> None:
    answers, deliveries = survived.seen.answers, survived.seen.deliveries
    message, data, _ = deliveries[0]
    for delivery in (
        ("another id", data, True),
        (message, data, False),
        (message, data | {"queue": "Other"}, True),
        (message, data | {"decision_id": "of nobody"}, True),
    ):
        assert survived.check(Seen(answers, [*deliveries, delivery]))
    others = [delivery for delivery in deliveries if delivery[0] != message]
    assert any("was told under 0 ids" in its for its in survived.check(Seen(answers, others)))
    assert survived.check(Seen(answers, deliveries * 2)) == []  # no sender can rule that out
