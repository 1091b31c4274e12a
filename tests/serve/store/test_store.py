"""The store keeps what it is given, in every kind of database."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from cascade.errors import InputError, UnavailableError
from serve.store import DOWN, MIGRATIONS, Store, new_id
from serve.store.tables import decisions, keys, metadata, texts


def a_key(number: int) -> dict[str, object]:
    return {"id": f"{number}", "name": "k", "hash": "", "scopes": "route", "created": 0.0}


def test_the_migrations_make_the_tables(any_store: Store) -> None:
    with any_store.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing(any_store: Store) -> None:
    with any_store.write() as connection:
        connection.execute(insert(keys), a_key(1))
    any_store.migrate()
    with any_store.read() as connection:
        assert connection.scalar(select(keys.c.id)) == "1"


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.store.SILENT_SECONDS", 2)  # libpq takes no less
    with socket.create_server(("127.0.0.1", 0)) as mute:
        store = Store(f"postgresql+psycopg://127.0.0.1:{mute.getsockname()[1]}/cascade")
        began = time.monotonic()
        with pytest.raises(OperationalError):
            store.ping()
    assert time.monotonic() - began < 10


def test_a_transaction_is_all_or_nothing(any_store: Store) -> None:
    with pytest.raises(IntegrityError), any_store.write(durable=True) as connection:
        connection.execute(insert(keys), a_key(1))
        connection.execute(insert(keys), a_key(1))
    with any_store.read() as connection:
        assert connection.scalar(select(keys.c.id)) is None


def test_several_may_write_at_once(any_store: Store) -> None:
    def add(number: int) -> None:
        with any_store.write(durable=number % 2 == 0) as connection:
            connection.execute(select(keys.c.id)).all()
            connection.execute(insert(keys), a_key(number))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(40)))
    with any_store.read() as connection:
        assert len(connection.execute(select(keys.c.id)).all()) == 40


def test_threads_queue_up_to_write_and_do_not_try_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has those who find it locked sleep; here none ever finds it so."""
    monkeypatch.setattr("serve.store.BUSY_SECONDS", 0.0)
    store = Store(f"sqlite:///{tmp_path / 'service.sqlite'}")
    store.migrate()
    test_several_may_write_at_once(store)
    store.close()


def test_all_processes_share_a_secret(any_store: Store, database: str) -> None:
    others = [Store(database) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        made = set(threads.map(lambda store: store.secret("session"), others))
    assert made == {any_store.secret("session")}
    assert len(made.pop()) == 32
    assert any_store.secret("another") != any_store.secret("session")
    for store in others:
        store.close()


def test_a_fingerprint_is_of_the_bytes_and_of_the_store(store: Store, tmp_path: Path) -> None:
    assert store.fingerprint(b"a") == store.fingerprint(b"a") != store.fingerprint(b"b")
    other = Store(f"sqlite:///{tmp_path / 'other.sqlite'}")
    other.migrate()
    assert other.fingerprint(b"a") != store.fingerprint(b"a")
    other.close()


def test_what_is_promised_is_synced_and_what_is_not_is_not(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = os.fsync

    def watched(number: int) -> None:
        synced.append(Path(f"/proc/self/fd/{number}").readlink().name)
        sync(number)

    monkeypatch.setattr("os.fsync", watched)
    log = Path(str(store.url.database)).name + "-wal"
    for durable, expected in ((True, [log]), (False, []), (True, [log])):
        with store.write(durable=durable) as connection:
            connection.execute(text("DELETE FROM secrets"))
            assert not synced, "not while others wait to write"
        assert [name for name in synced if name == log] == expected
        synced.clear()


def test_a_new_log_is_synced_with_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("serve.store._sync", synced.append)
    made = Store(f"sqlite:///{tmp_path / 'new.sqlite'}")
    made.migrate()
    assert synced == [tmp_path / "new.sqlite-wal", tmp_path]
    made.close()


def test_a_disk_that_fails_is_a_store_that_is_down(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(number: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(DOWN), store.write(durable=True) as connection:
        connection.execute(text("DELETE FROM secrets"))


def test_a_killed_process_loses_nothing_that_it_committed(store: Store) -> None:
    code = (
        "import os, sys; from serve.store import Store; from sqlalchemy import text\n"
        "with Store(sys.argv[1]).write() as connection:\n"
        "    connection.execute(text(\"INSERT INTO secrets VALUES ('kept', '00')\"))\n"
        "os.kill(os.getpid(), 9)"
    )
    url = store.url.render_as_string()
    assert subprocess.run([sys.executable, "-c", code, url]).returncode == -9
    assert store.secret("kept") == b"\0"


def test_ids_rise_with_time_and_are_no_ones_guess() -> None:
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert [its[:12] for its in ids] == sorted(its[:12] for its in ids)
    assert all(len(its) == 32 for its in ids)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("cascade.sqlite", "not a URL"),
        ("sqlite://", "name a file"),
        ("mysql://host/db", "neither sqlite nor postgresql"),
    ],
)
def test_a_url_that_is_none_is_named(url: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        Store(url)


def test_a_database_that_cannot_be_used_is_named_without_its_password(tmp_path: Path) -> None:
    file = tmp_path / "text.sqlite"
    file.write_text("this is no database, however long it may be" * 20)
    with pytest.raises(InputError, match=r"text\.sqlite: cannot be used \(file is not a database"):
        Store(f"sqlite:///{file}").migrate()
    with pytest.raises(InputError, match=r"x\.sqlite: cannot be made \(File exists\)"):
        Store(f"sqlite:///{file}/x.sqlite")
    url = "postgresql+psycopg://cascade:hunter2@127.0.0.1:1/x"
    with pytest.raises(UnavailableError, match="is not available") as caught:
        Store(url).migrate()
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_database_of_a_newer_version_is_refused(store: Store) -> None:
    with store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InputError, match=r"cannot be used \(a newer version"):
        store.migrate()


NEXT = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0002", "{head}"
def upgrade():
    with op.batch_alter_table("decisions") as batch:
        batch.alter_column("stage", type_=sa.Text())
    {more}
"""


def next_version(store: Store, folder: Path, more: str = "") -> Path:
    """Migrations with one more, for which SQLite remakes a table that others refer to."""
    with store.read() as connection:
        head = connection.scalar(text("SELECT version_num FROM alembic_version"))
    shutil.copytree(MIGRATIONS, folder)
    (folder / "versions" / "0002_next.py").write_text(NEXT.format(head=head, more=more))
    return folder


def counts(store: Store) -> list[int | None]:
    with store.read() as connection:
        return [connection.scalar(select(func.count()).select_from(t)) for t in (decisions, texts)]


def test_a_migration_that_remakes_a_table_loses_no_row_that_refers_to_it(
    any_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    its = {"id": "4", "fingerprint": "", "bundle": "b", "queue": "q", "confidence": 1, "stage": "s"}
    its |= {"created": 0, "action": "route", "pending": False, "answer": "{}"}
    with any_store.write() as connection:
        connection.execute(insert(decisions), its)
        connection.execute(insert(texts), {"decision": "4", "text": "vpn", "created": 0})
    folder = next_version(any_store, tmp_path / "next")
    monkeypatch.setattr("serve.store.MIGRATIONS", folder)
    any_store.migrate()
    assert counts(any_store) == [1, 1]
    with pytest.raises(IntegrityError), any_store.write() as connection:  # looked after again
        connection.execute(insert(texts), {"decision": "5", "text": "vpn", "created": 0})


def test_a_migration_that_leaves_rows_without_what_they_refer_to_changes_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = """op.execute("INSERT INTO texts VALUES ('gone', 'vpn', 0)")"""
    monkeypatch.setattr("serve.store.MIGRATIONS", next_version(store, tmp_path / "next", lost))
    with pytest.raises(InputError, match="rows would refer to others that are not there"):
        store.migrate()
    assert counts(store) == [0, 0]


def test_who_waits_too_long_for_its_turn_to_write_is_told_that_the_store_is_down(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.store.TURN_SECONDS", 0.01)

    def write() -> None:
        with store.write():
            pass

    with ThreadPoolExecutor(1) as another, store.write(), pytest.raises(DOWN):
        another.submit(write).result()
    write()


def test_what_is_deleted_is_gone_from_the_file(store: Store) -> None:
    with store.write() as connection:
        connection.execute(text("INSERT INTO secrets VALUES ('hunter2', '00')"))
    with store.write() as connection:
        connection.execute(text("DELETE FROM secrets"))
    store.close()
    with sqlite3.connect(str(store.url.database)) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"hunter2" not in Path(str(store.url.database)).read_bytes()


def test_the_files_of_a_new_database_are_for_their_owner_alone(store: Store) -> None:
    folder = Path(str(store.url.database)).parent
    with store.write() as connection:
        connection.execute(text("DELETE FROM secrets"))
        files = list(folder.glob("service.sqlite*"))
        assert {file.name.removeprefix("service.sqlite") for file in files} >= {"", "-wal"}
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
