"""An app around a fake cascade."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from serve.app import create_app
from serve.engine import Engine
from serve.settings import Settings

FAKE = runpy.run_path(str(Path(__file__).parent / "fake_server.py"))


@pytest.fixture
def cascade() -> Any:
    """The fake that the app asks."""
    return FAKE["FakeCascade"]()


@pytest.fixture
def secret() -> str:
    """Ticket text that must not turn up where it does not belong."""
    return str(FAKE["SECRET"])


@pytest.fixture
def client(cascade: Any) -> FlaskClient:
    """A client of an app that is ready, with small limits."""
    settings = Settings(workers=1, max_body=10_000, max_batch_body=100_000)
    engine = Engine(lambda: cascade, settings.threads, settings.waiting)
    engine.load()
    return create_app(settings, engine).test_client()


@pytest.fixture
def cold_client(cascade: Any) -> FlaskClient:
    """A client of an app whose bundle is not loaded yet."""
    return create_app(Settings(), Engine(lambda: cascade, 4, 32)).test_client()
