"""The console's pages: small, offline, and usable without a mouse or eyes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from serve.app import create_app
from serve.store import keys

PAGES = ("/", "/review", "/live")
STATIC = re.compile(r'(?:src|href)="(/static/[^"]+)"')
IMPORTED = re.compile(r'from "\./([^"]+)"')


def scripts(client: Any, page: str) -> dict[str, str]:
    """The scripts of a page and what they import, by address."""
    found: dict[str, str] = {}
    left = [link for link in STATIC.findall(client.get(page).text) if link.endswith(".js")]
    while left:
        link = left.pop()
        found[link] = client.get(link).text
        left += [f"/static/{name}" for name in IMPORTED.findall(found[link])]
    return found


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_nothing_from_elsewhere_and_runs_nothing_inline(
    client: Any, page: str
) -> None:
    reply = client.get(page)
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    html = reply.text
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert re.findall(r"<style|\bstyle=|\son\w+=", html) == []
    links = re.findall(r'(?:src|href|action)="([^"]+)"', html)
    assert all(link.startswith(("/", "#")) or link == "data:," for link in links)
    for link in {link for link in links if link.startswith("/")}:
        assert client.get(link).status_code == 200
    for link in STATIC.findall(html):
        assert "http" not in client.get(link).text
    assert all("http" not in script for script in scripts(client, page).values())


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_a_script_that_makes_no_markup_from_text(client: Any, page: str) -> None:
    found = scripts(client, page)
    assert len(found) >= 2
    for script in found.values():
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(", script)


@pytest.mark.parametrize("page", PAGES)
def test_the_views_are_links_and_the_one_shown_says_so(client: Any, page: str) -> None:
    html = client.get(page).text
    links = dict(re.findall(r'<a href="(/\w*)"( aria-current="page")?>', html))
    assert list(links) == list(PAGES)
    assert [link for link, current in links.items() if current] == [page]
    assert '<html lang="en">' in html
    assert html.count("<h1") == 1
    assert re.search(r'aria-live="polite"|role="alert"', html)
    assert "fake-1" in html


@pytest.mark.parametrize("page", PAGES)
def test_each_field_has_a_label(client: Any, page: str) -> None:
    html = client.get(page).text
    named = set(re.findall(r'<label for="([^"]+)"', html))
    assert named == set(re.findall(r'<(?:input|textarea) id="([^"]+)"', html))


def test_the_pages_are_there_before_a_bundle_is(cold_client: Any) -> None:
    for page in PAGES:
        assert "none" in cold_client.get(page).text


def test_the_page_shows_the_line_to_copy(client: Any) -> None:
    html = client.get("/", headers={"Host": "localhost:8080"}).text
    assert "curl -s http://localhost:8080/v1/route" in html


def test_a_hostile_host_header_is_not_markup(client: Any) -> None:
    for host in ('"><script>alert(1)</script>', "a b", "'"):
        reply = client.get("/", headers={"Host": host})
        assert reply.status_code < 500
        assert "<script>alert" not in reply.text


def test_a_queue_with_a_hostile_name_is_not_markup(
    client: Any, cascade: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cascade, "queues", ("<img src=x onerror=alert(1)>", "Network"))
    html = client.get("/review").text
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;</li><li>Network" in html


@pytest.mark.parametrize(("days", "told"), [(0, "CASCADE_KEEP_TEXT_DAYS=30"), (7, "not kept any")])
def test_where_no_text_is_kept_the_page_says_how_it_is(
    service_of: Any, days: int, told: str
) -> None:
    html = create_app(service_of(keep_text_days=days)).test_client().get("/review").text
    assert told in html


def test_an_explanation_and_every_stage_are_asked_unless_told_not_to(client: Any) -> None:
    html = client.get("/").text
    for name in ("explain", "every"):
        assert re.search(rf'<input id="{name}" type="checkbox" checked>', html)


def test_who_is_signed_in_reviews_under_the_keys_name_and_with_the_sessions_token(
    service_of: Any,
) -> None:
    service = service_of(auth="keys")
    with service.store.write() as connection:
        _, key = keys.add(connection, "anna", ("review",), None)
    browser = create_app(service).test_client()
    assert browser.get("/review").headers["Location"] == "/login"
    browser.post("/login", data={"key": key})
    html = browser.get("/review").text
    assert 'data-key="anna"' in html
    assert 'id="rename"' not in html
    assert '<form class="out" method="post" action="/logout">' in html
    (token,) = set(re.findall(r'name="csrf[-_]token" (?:content|value)="([^"]+)"', html))
    asked = {"path": "/v1/review/claim", "json": {"by": "anna"}}
    assert browser.post(**asked).status_code == 403
    assert browser.post(**asked, headers={"X-CSRF-Token": token}).status_code == 200
