"""The real service is started with a database of its own, and always stopped."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest

from cascade.errors import CascadeError
from eval.service.running import service


def test_a_service_that_cannot_start_says_why(tmp_path: Path) -> None:
    why = r"the service did not start: cascade: .*not a bundle"
    with pytest.raises(CascadeError, match=why), service(tmp_path):
        pass


def test_it_is_stopped_even_after_an_error(linear_bundle: Path) -> None:
    with pytest.raises(ZeroDivisionError), service(linear_bundle, workers=1) as its:
        asked = http.client.HTTPConnection(its.address)
        asked.request("GET", "/readyz")
        assert asked.getresponse().status == 200
        assert its.database.is_file() and Path(f"/proc/{its.pid}").exists()
        raise ZeroDivisionError
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(its.address).request("GET", "/readyz")
    assert not its.database.exists()
