"""What the service remembers, in SQLite or PostgreSQL.

One `Store` a process, made after the fork. The queries stand beside this file, by what they are
about; each takes a connection, so that what belongs together is one transaction.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets as randomness
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    SQLAlchemyError,
    TimeoutError,
)

from cascade.errors import InputError, UnavailableError
from serve.store.tables import secrets

BUSY_SECONDS = 5.0
"""How long a writer of SQLite waits for another process that writes."""
TURN_SECONDS = 5.0
"""How long it waits for its turn among those of its own process."""
SILENT_SECONDS = 5
"""How long a server of PostgreSQL may say nothing, unless its URL says otherwise."""
DOWN = (OperationalError, InternalError, InterfaceError, TimeoutError)
"""What a database raises that is full, read-only, locked for too long, or away."""
MIGRATIONS = Path(__file__).parent / "migrations"
UNCHECKED = "unchecked"
FINGERPRINT = "fingerprint"


class Store:
    """A database.

    SQLite's log is synced to the disk at once only where a promise to somebody is written (a
    review, a later answer). The record of a ticket that is settled is written without waiting for
    the disk: a killed process loses nothing, a power cut the records of the last moments, whose
    answers are with the help desk. PostgreSQL syncs as its administrator says.

    Args:
        url: of the database, as SQLAlchemy writes it.

    Raises:
        InputError: there is no such database.
    """

    def __init__(self, url: str) -> None:
        self.url = _parsed(url)
        self._engine = _engine(self.url)
        # SQLite has one writer at a time, and lets those who wait sleep longer and longer.
        self._turn = RLock() if self.sqlite else None
        self._secrets: dict[str, bytes] = {}
        self._log_is_named = False  # on the disk, in its folder

    @property
    def sqlite(self) -> bool:
        """Whether it is SQLite."""
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection to read on."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, durable: bool = False, **options: bool) -> Iterator[Connection]:
        """One transaction, committed at the end and rolled back at an error.

        Args:
            durable: it is on the disk when this returns.
            options: further ones, for `_begin`.
        """
        options["write"] = True
        with (
            self._alone(),
            self._engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield connection
        if durable and self.sqlite:
            self._sync()

    def _sync(self) -> None:
        """Bring SQLite's log to the disk.

        SQLite would do so within the commit, while all other writers wait: under load one and a
        half times to twice as many tickets are answered so. What is no longer in the log has been
        synced into the database itself.
        """
        log = Path(f"{self.url.database}-wal")
        try:
            for path in (log,) if self._log_is_named else (log, log.parent):
                _sync(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise OperationalError("fsync", None, error) from error
        self._log_is_named = True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._turn and not self._turn.acquire(timeout=TURN_SECONDS):
            raise TimeoutError("others of this process have been writing all the time")
        try:
            yield
        finally:
            if self._turn:
                self._turn.release()

    def ping(self) -> None:
        """Ask for nothing.

        Raises:
            SQLAlchemyError: one of `DOWN`, if it is.
        """
        with self.read() as connection:
            connection.execute(select(1))

    def fingerprint(self, data: bytes) -> str:
        """A keyed hash: the same for the same bytes in this database, no help to guess them by."""
        return hmac.new(self.secret(FINGERPRINT), data, hashlib.sha256).hexdigest()

    def secret(self, name: str) -> bytes:
        """32 random bytes that all processes share, made when they are first asked for."""
        if name not in self._secrets:
            with self.read() as connection:
                found = connection.scalar(select(secrets.c.value).where(secrets.c.name == name))
            self._secrets[name] = bytes.fromhex(found) if found else self._made(name)
        return self._secrets[name]

    def _made(self, name: str) -> bytes:
        made = randomness.token_hex(32)
        try:
            with self.write(durable=True) as connection:
                connection.execute(insert(secrets).values(name=name, value=made))
        except IntegrityError:  # another process was first
            with self.read() as connection:
                query = select(secrets.c.value).where(secrets.c.name == name)
                made = str(connection.scalar(query))
        return bytes.fromhex(made)

    def migrate(self) -> None:
        """Bring the tables up to date.

        SQLite does not look after foreign keys meanwhile: Alembic changes a table by copying it and
        dropping the old one, and that would delete the rows that refer to it.

        Raises:
            UnavailableError: the database is away.
            InputError: it cannot be used, or a newer version of this made it.
        """
        from alembic import command
        from alembic.config import Config
        from alembic.script.revision import ResolutionError
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        try:
            with self.write(durable=True, **{UNCHECKED: True}) as connection:
                if not self.sqlite:  # several masters may start at once
                    connection.execute(text("SELECT pg_advisory_xact_lock(722)"))
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except DOWN as error:
            raise UnavailableError(f"{self}: is not available ({_why(error)})") from None
        except (SQLAlchemyError, CommandError) as error:
            unknown = isinstance(error.__cause__, ResolutionError)  # of the tables' revision
            why = "a newer version of ticket-cascade made it" if unknown else _why(error)
            raise InputError(f"{self}: cannot be used ({why})") from None
        self.close()  # a connection of SQLite that checks nothing

    def close(self) -> None:
        """Give its connections back; before a fork, as they do not survive one."""
        self._engine.dispose()

    def __str__(self) -> str:
        return self.url.render_as_string(hide_password=True)


def code_of(error: Exception) -> str | None:
    """What the database calls an error: ``SQLITE_FULL``, or the five characters of an SQLSTATE."""
    told = getattr(error, "orig", None)
    return getattr(told, "sqlite_errorname", None) or getattr(told, "sqlstate", None)


def new_id() -> str:
    """32 hexadecimal digits that nobody can guess and that rise with time (as UUIDs, version 7)."""
    return f"{time.time_ns() // 1_000_000:012x}{randomness.token_hex(10)}"


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InputError("database: not a URL such as sqlite:///bundles/cascade.sqlite") from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise InputError(f"database: {parsed.drivername} is neither sqlite nor postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite" and not parsed.database:
        raise InputError("database: name a file, all processes share it: sqlite:///FILE")
    return parsed


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        # A connection that the server closed meanwhile is noticed before it is used; a server that
        # says nothing at all costs a request some seconds, and not the minutes that TCP would wait.
        limits = {"connect_timeout": SILENT_SECONDS, "tcp_user_timeout": 1000 * SILENT_SECONDS}
        named = {name: limit for name, limit in limits.items() if name not in url.query}
        return create_engine(url, pool_pre_ping=True, pool_timeout=BUSY_SECONDS, connect_args=named)
    file = Path(str(url.database))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():  # for its owner alone: who reads the sessions' secret can sign in
            file.touch(mode=0o600)
    except OSError as error:
        raise InputError(f"{file}: cannot be made ({error.strerror})") from None
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begin` says
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON"):
        _run(connection, f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    # Through the driver: a pragma inside a transaction changes nothing.
    driver: Any = connection.connection.driver_connection
    if options.get(UNCHECKED):
        _run(driver, "PRAGMA foreign_keys=OFF")
    # At once for writing: two transactions that both read first could never both go on.
    _run(driver, "BEGIN IMMEDIATE" if options.get("write") else "BEGIN")


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _run(connection: sqlite3.Connection, statement: str) -> None:
    """Run it beneath SQLAlchemy, with SQLAlchemy's error: a file may be locked, or not writable."""
    try:
        connection.execute(statement)
    except sqlite3.OperationalError as error:
        raise OperationalError(statement, None, error) from error


def _why(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
