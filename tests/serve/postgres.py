"""A PostgreSQL of the tests' own: without one, tests of it skip with a reason."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import create_engine, make_url, text

SERVER = "CASCADE_TEST_POSTGRES"
"""URL of a server where databases may be made."""
QUICK = "-c fsync=off -c full_page_writes=off -c shared_buffers=32MB -c listen_addresses=''"


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server: the one that is named, or one that is started here."""
    named = os.environ.get(SERVER)
    if named:
        yield named
        return
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    folder = found[-1] if found else Path(shutil.which("initdb") or "").parent
    if not (folder / "initdb").is_file():
        pytest.skip(f"PostgreSQL is not installed, and {SERVER} names no server")
    with TemporaryDirectory(prefix="pg") as home:
        user = _user(Path(home))

        def run(tool: str, *arguments: str) -> None:
            subprocess.run(
                [folder / tool, "-D", f"{home}/data", *arguments],
                user=user,
                cwd=home,
                check=True,
                stdout=subprocess.DEVNULL,
            )

        run("initdb", "-U", "cascade", "-A", "trust", "--no-sync", "-E", "UTF8")
        run("pg_ctl", "-w", "-l", f"{home}/log", "-o", f"{QUICK} -k {home}", "start")
        try:
            yield f"postgresql+psycopg://cascade@/postgres?host={home}"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")


def _user(home: Path) -> str | None:
    """PostgreSQL does not run as root: then as ``postgres``, to whom the folder is given."""
    if os.getuid():
        return None
    shutil.chown(home, "postgres", "postgres")
    return pwd.getpwnam("postgres").pw_name


def new_database(url: str, name: str) -> str:
    """The URL of an empty database of that name."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    made = make_url(url).set(database=name)
    return made.render_as_string(hide_password=False)
