"""The verb ``cascade purge``."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from serve.purge_cli import purge
from serve.store import Store, decisions, new_id
from serve.store.tables import texts


def test_it_tells_what_would_go_then_what_is_gone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASCADE_DATABASE", store.url.render_as_string())
    its = {"id": None, "queue": "Billing", "confidence": 0.5, "stage": "linear", "labels": {}}
    its |= {"decision_id": new_id(), "bundle": "b", "action": "route", "pending": False}
    with store.write() as connection:
        decisions.add(connection, its, "f")
        decisions.add_text(connection, str(its["decision_id"]), "my vpn")

    def run(*flags: str) -> list[str]:
        told = CliRunner().invoke(purge, flags, catch_exceptions=False)
        with store.read() as connection:
            left = len(connection.execute(select(texts)).all())
        return [str(left), *(line.strip() for line in told.stdout.splitlines())]

    gone = ["1 texts", "0 replies", "0 feedback", "0 decisions"]
    assert run("--dry-run") == ["1", *(f"{its} would go" for its in gone)]
    assert run() == ["0", *(f"{its} are gone" for its in gone)]
    assert run("--dry-run")[1] == "0 texts would go"
