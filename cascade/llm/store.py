"""Answers are kept, so that a ticket's answer is the same next week.

No server promises the same bits under load. So the first answer to a question is stored, under a
hash of the question, and it is the answer from then on, for every process that shares the file.
Nothing but hashes and probabilities is written: no text, and no reasons why there is no answer.

The store is never in the way: where its file is locked, read-only, full or damaged, answers go out
unstored, and a counter says so.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cascade.errors import InputError
from cascade.llm.base import Answer, Backend, Question
from cascade.llm.prompt import VERSION

MAX_ROWS = 100_000
"""About 60 MB with 20 candidates each."""

WAIT_SECONDS = 0.02
"""How long another thread's or process's write is waited for. A write takes well under 1 ms."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key BLOB PRIMARY KEY, probabilities TEXT NOT NULL, mass REAL NOT NULL, used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_used ON answers (used);
"""
# The order of use is a count, as the clocks of several processes need not agree.
_INSERT = """
INSERT OR IGNORE INTO answers
VALUES (?, ?, ?, (SELECT coalesce(max(used), 0) + 1 FROM answers))
"""
_TOUCH = """
UPDATE answers SET used = (SELECT max(used) + 1 FROM answers)
WHERE key = ? AND used < (SELECT max(used) FROM answers)
"""
_TRIM = """
DELETE FROM answers WHERE key IN (
    SELECT key FROM answers ORDER BY used LIMIT max(0, (SELECT count(*) FROM answers) - ?)
)
"""


class AnswerStore:
    """Answers in a SQLite file, bounded: the one whose last use is longest ago goes first.

    Safe to use from several threads and processes. To be made after a fork, not before.

    Args:
        path: the file; it and its folder are made where they are missing.
        max_rows: how many answers are kept.

    Raises:
        InputError: the file is damaged, or something else than a store.
    """

    def __init__(self, path: str | os.PathLike[str], max_rows: int = MAX_ROWS) -> None:
        self.path = Path(path)
        self._max_rows = max_rows
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._counts: Counter[str] = Counter()
        self._counting = threading.Lock()
        if self.path.is_dir():
            raise InputError(f"{self.path}: a folder, not a store of answers")
        try:
            with self._open() as connection:
                connection.execute("SELECT key, probabilities, mass, used FROM answers LIMIT 1")
        except sqlite3.Error as error:
            if _is_damage(error):
                raise InputError(
                    f"{self.path}: damaged, or not a store of answers; "
                    "`cascade llm clear` moves it away"
                ) from None
            self._count("unavailable")

    def get(self, key: bytes) -> Answer | None:
        """The stored answer, if there is one and it can be read."""
        answer = None
        try:
            with self._open() as connection:
                answer = _read(connection, key)
                if answer is not None:
                    connection.execute(_TOUCH, (key,))
        except (sqlite3.Error, ValueError):
            self._count("unavailable")
        self._count("missed" if answer is None else "found")
        return answer

    def put(self, key: bytes, answer: Answer) -> Answer:
        """Store an answer, unless one is there.

        Returns:
            What is stored now: the answer of whoever came first; ``answer`` itself where nothing
            can be stored.
        """
        try:
            probabilities = json.dumps([float(p) for p in answer.probabilities], allow_nan=False)
            with self._open() as connection, connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(_INSERT, (key, probabilities, float(answer.mass)))
                connection.execute(_TRIM, (self._max_rows,))
                first = _read(connection, key)
        except (sqlite3.Error, ValueError):
            self._count("unavailable")
            return answer
        self._count("stored")
        return first or answer

    def clear(self) -> int:
        """Drop all answers.

        Returns:
            How many there were.

        Raises:
            InputError: the file is locked, read-only or damaged.
        """
        try:
            with self._open() as connection:
                return connection.execute("DELETE FROM answers").rowcount
        except sqlite3.Error as error:
            raise InputError(f"{self.path}: cannot be cleared: {error}") from None

    def __len__(self) -> int:
        """How many answers there are; 0 where the file cannot be read."""
        with suppress(sqlite3.Error), self._open() as connection:
            return int(connection.execute("SELECT count(*) FROM answers").fetchone()[0])
        return 0

    @property
    def counts(self) -> dict[str, int]:
        """How often an answer was ``found``, ``missed`` or ``stored``, the file ``unavailable``."""
        with self._counting:
            return dict(self._counts)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _count(self, what: str) -> None:
        with self._counting:
            self._counts[what] += 1

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time; opened where that did not work before."""
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            raise sqlite3.OperationalError("database is locked")
        try:
            if self._connection is None:
                self._connection = _connect(self.path)
            yield self._connection
        finally:
            self._lock.release()


def clear(path: str | os.PathLike[str]) -> tuple[int, Path | None]:
    """Drop all answers. A damaged file is set aside, never deleted: it might be something else.

    Returns:
        How many answers there were, and where a damaged file is now; None for a sound one.

    Raises:
        InputError: the file is locked or read-only.
    """
    try:
        store = AnswerStore(path)
    except InputError:
        if not Path(path).is_file():
            raise
        for end in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{path}{end}").replace(f"{path}.damaged{end}")
        return 0, Path(f"{path}.damaged")
    try:
        return store.clear(), None
    finally:
        store.close()


class Stored:
    """A backend whose answers are stored.

    Args:
        backend: who is asked where no answer is stored.
        store: where.
        bundle: id of the bundle; another bundle's answers are not this one's.
    """

    def __init__(self, backend: Backend, store: AnswerStore, bundle: str) -> None:
        self.name = backend.name
        self._backend = backend
        self._store = store
        self._bundle = bundle

    def ask(self, question: Question, deadline: float) -> Answer:
        """The stored answer, else the backend's.

        Raises:
            NoAnswer: the backend has none; that is not stored.
        """
        key = self._key(question)
        known = self._store.get(key)
        if known is not None:
            return known
        return self._store.put(key, self._backend.ask(question, deadline))

    def _key(self, question: Question) -> bytes:
        """SHA-256 of all that the answer depends on, as canonical JSON."""
        plain = {
            "backend": self.name,
            "prompt": VERSION,
            "bundle": self._bundle,
            "ticket": question.ticket,
            "candidates": question.candidates,
            "examples": [(example.text, example.queue) for example in question.examples],
            "descriptions": dict(question.descriptions),
        }
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).digest()


def _connect(path: Path) -> sqlite3.Connection:
    with suppress(OSError):  # SQLite says next what cannot be done, and that is counted
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT, 0o600))  # answers are nobody else's business
    connection = sqlite3.connect(
        path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        # Readers and a writer do not wait for each other; a crash loses the last answers at most.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _read(connection: sqlite3.Connection, key: bytes) -> Answer | None:
    """Read a row. Raises ValueError where it holds something else than probabilities."""
    row = connection.execute(
        "SELECT probabilities, mass FROM answers WHERE key = ?", (key,)
    ).fetchone()
    if row is None:
        return None
    numbers, mass = json.loads(row[0]), row[1]
    if not (isinstance(numbers, list) and numbers and all(map(_is_number, (*numbers, mass)))):
        raise ValueError("not probabilities")
    return Answer(tuple(numbers), mass)


def _is_number(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is wrong, not the moment (locked, read-only, disk full)."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_BUSY) & 0xFF
    return code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)
