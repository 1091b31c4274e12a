"""The page to try a ticket on: small, offline, and usable without a mouse or eyes."""

from __future__ import annotations

import re
from typing import Any


def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing_inline(client: Any) -> None:
    reply = client.get("/")
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    html = reply.text
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert re.findall(r"<style|\bstyle=|\son\w+=", html) == []
    loaded = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert all(link.startswith("/") or link == "data:," for link in loaded)
    for link in loaded:
        if link.startswith("/"):
            found = client.get(link)
            assert found.status_code == 200
            assert "http" not in found.text or link == "/openapi.json"


def test_each_field_of_the_form_has_a_label(client: Any) -> None:
    html = client.get("/").text
    named = set(re.findall(r'<label for="([^"]+)"', html))
    assert named == set(re.findall(r'<(?:input|textarea) id="([^"]+)"', html))
    assert '<html lang="en">' in html
    assert 'aria-live="polite"' in html


def test_the_page_shows_the_bundle_and_the_line_to_copy(client: Any) -> None:
    html = client.get("/", headers={"Host": "localhost:9000"}).text
    assert "fake-1" in html
    assert "curl -s http://localhost:9000/v1/route" in html


def test_a_hostile_host_header_is_not_markup(client: Any) -> None:
    for host in ('"><script>alert(1)</script>', "a b", "'"):
        reply = client.get("/", headers={"Host": host})
        assert reply.status_code < 500
        assert "<script>alert" not in reply.text


def test_the_page_asks_for_an_explanation_unless_told_not_to(client: Any) -> None:
    assert re.search(r'<input id="explain" type="checkbox" checked>', client.get("/").text)
    script = client.get("/static/try.js").text
    assert 'if (at("explain").checked) ticket.explain = true' in script


def test_the_page_asks_every_stage_unless_told_not_to(client: Any) -> None:
    assert re.search(r'<input id="every" type="checkbox" checked>', client.get("/").text)
    script = client.get("/static/try.js").text
    assert 'if (at("every").checked) ticket.every_stage = true' in script


def test_the_script_makes_no_markup_from_text(client: Any) -> None:
    script = client.get("/static/try.js").text
    assert "textContent" in script
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(", script)
