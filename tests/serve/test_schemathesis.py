"""The live service keeps to its document, whatever the document allows to be sent.

schemathesis makes requests from the OpenAPI document: its examples, the edges of every field, and
random ones, right and wrong. What comes back has to be what the document says.
"""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig

from serve.app import OPERATIONS
from serve.openapi import document
from serve.store import Store, keys

running = runpy.run_path(str(Path(__file__).parent / "running.py"))["running"]

REFUSED_ALL_THE_SAME = {
    "/v1/route": "a ticket that is blank",
    "/v1/route/batch": "a ticket that is blank",
    "/v1/systemone": "options that the bundle does not know, a state without text",
    "/v1/feedback": "a decision and a ticket, or neither",
    "/v1/admin/bundle": "a folder that is no bundle",
}
"""What a schema cannot say. Everywhere else what fits the schema is accepted."""
ACCEPTED = ["2xx", "401", "403", "404", "409", "429"]
REJECTED = ["400", "401", "403", "404", "405", "409", "413", "415", "422"]
SETTINGS = {
    "generation": {"max-examples": 8, "deterministic": True},
    "checks": {
        "positive_data_acceptance": {"expected-statuses": ACCEPTED},
        "negative_data_rejection": {"expected-statuses": REJECTED},
    },
    "operations": [
        {
            "include-path": path,
            "checks": {"positive_data_acceptance": {"expected-statuses": [*ACCEPTED, "422"]}},
        }
        for path in REFUSED_ALL_THE_SAME
    ],
}
api = schemathesis.openapi.from_dict(
    document(OPERATIONS), config=SchemathesisConfig.from_dict(SETTINGS)
)


@dataclass
class Live:
    """A service that asks for keys, and one of its keys."""

    url: str
    authorization: dict[str, str]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("schemathesis")
    store = Store(f"sqlite:///{folder / 'service.sqlite'}")
    store.migrate()
    with store.write() as connection:
        _, token = keys.add(connection, "schemathesis", ("admin",))
    store.close()
    with running("", folder / "log", CASCADE_AUTH="keys") as server:
        server.until_ready()
        yield Live(f"http://{server.address}", {"Authorization": f"Bearer {token}"})
        assert "unforeseen" not in server.log


@api.parametrize()
def test_every_reply_is_as_documented(case: schemathesis.Case, live: Live) -> None:
    case.call_and_validate(base_url=live.url, headers=live.authorization)


def test_what_a_schema_cannot_say_is_about_addresses_that_there_are() -> None:
    assert REFUSED_ALL_THE_SAME.keys() <= {operation.path for operation in OPERATIONS}
