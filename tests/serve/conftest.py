"""An app around a fake cascade."""

from __future__ import annotations

import runpy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from serve.app import create_app
from serve.engine import Engine
from serve.intake import Intake
from serve.service import Service
from serve.settings import Settings
from serve.store import Store
from serve.watcher import Load, Watcher

FAKE = runpy.run_path(str(Path(__file__).parent / "fake_server.py"))
POSTGRES = runpy.run_path(str(Path(__file__).parent / "postgres.py"))
server, new_database = POSTGRES["server"], POSTGRES["new_database"]


@pytest.fixture
def cascade() -> Any:
    """The fake that the app asks."""
    return FAKE["FakeCascade"]()


@pytest.fixture
def secret() -> str:
    """Ticket text that must not turn up where it does not belong."""
    return str(FAKE["SECRET"])


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server where databases may be made."""
    with server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path, worker_id: str) -> str:
    """The URL of an empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'service.sqlite'}"
    return new_database(request.getfixturevalue("postgres"), f"test_{worker_id}")


@pytest.fixture
def any_store(database: str) -> Iterator[Store]:
    """An empty store, once in each kind of database."""
    store = Store(database)
    store.migrate()
    yield store
    store.close()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty store; a copy is there at once."""
    file = tmp_path_factory.mktemp("store") / "service.sqlite"
    store = Store(f"sqlite:///{file}")
    store.migrate()
    store.close()
    return file


@pytest.fixture
def store(tmp_path: Path, migrated: Path) -> Iterator[Store]:
    """An empty store in SQLite, for what does not depend on the database."""
    store = Store(f"sqlite:///{shutil.copy(migrated, tmp_path)}")
    yield store
    store.close()


@pytest.fixture
def service_of(cascade: Any, store: Store) -> Callable[..., Service]:
    """Makes the parts of a service around the fake, with settings of its own."""

    def make(*, load: bool = True, **settings: Any) -> Service:
        chosen = Settings(workers=1, **settings)
        engine = Engine(chosen.threads, chosen.waiting, chosen.shallow_from)
        if load:
            engine.serve(cascade)
        return Service(chosen, engine, store, Intake(chosen, engine, store))

    return make


@pytest.fixture
def service(service_of: Callable[..., Service]) -> Service:
    """A service that is ready, with small limits."""
    return service_of(max_body=10_000, max_batch_body=100_000)


@pytest.fixture
def watched(service: Service, cascade: Any) -> Iterator[None]:
    """The service looks for changes of its bundle, as each worker does."""
    load: Load = lambda path: cascade  # noqa: E731
    watcher = Watcher(service.store, service.engine, load, service.settings.bundle)
    watcher.begin()
    yield
    watcher.end()


@pytest.fixture
def client(service: Service) -> FlaskClient:
    """A client of an app that is ready."""
    return create_app(service).test_client()


@pytest.fixture
def cold_client(service_of: Callable[..., Service]) -> FlaskClient:
    """A client of an app whose bundle is not loaded yet."""
    return create_app(service_of(load=False)).test_client()
