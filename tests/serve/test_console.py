"""The console in a real browser, against a real server."""

from __future__ import annotations

import json
import re
import runpy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
HELP = runpy.run_path(str(Path(__file__).parent / "running.py"))
running = HELP["running"]
REFUSED = re.compile("status of (409|422)")
SECOND = 1000
SCREEN = {"width": 1200, "height": 800}

Page = Any
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    log = tmp_path_factory.mktemp("console") / "log"
    with running("", log, CASCADE_KEEP_TEXT_DAYS="1") as started:
        started.until_ready()
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        # Root, as in a container of CI, has no sandbox of its own.
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def open_page(server: Any, browser: Any) -> Iterator[Open]:
    """Opens a view as somebody; all of it stays with the server and nothing goes wrong unseen."""
    contexts, strangers, errors = [], [], []

    def opened(view: str, reviewer: str = "") -> Page:
        context = browser.new_context(viewport=SCREEN, reduced_motion="reduce")
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10 * SECOND)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        page.on(
            "request",
            lambda asked: (
                None
                if urlsplit(asked.url).netloc == server.address or asked.url == "data:,"
                else strangers.append(asked.url)
            ),
        )
        if reviewer:
            page.add_init_script(
                f"localStorage.setItem('cascade-reviewer', {json.dumps(reviewer)})"
            )
        page.goto(f"http://{server.address}{view}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert strangers == []
    # A refusal is an answer that the page shows; the browser calls it an error all the same.
    assert [line for line in errors if not REFUSED.search(line)] == []


@pytest.fixture
def wait_in_line(server: Any) -> Iterator[Callable[..., list[str]]]:
    """Leaves tickets to people, by their own ids; what is left of them at the end is cleared."""

    def route(*ids: str) -> list[str]:
        tickets = [{"id": its, "text": f"unsure of {its}, says anna@example.org"} for its in ids]
        said = ask(server, "POST", "/v1/route/batch", {"tickets": tickets})
        return [its["decision_id"] for its in said["decisions"]]

    yield route
    for item in ask(server, "GET", "/v1/review?limit=200")["items"]:
        told = {"decision_id": item["decision"]["decision_id"], "queue": "x", "by": "tidy"}
        ask(server, "POST", "/v1/feedback", told)


def ask(server: Any, method: str, path: str, body: Any = None) -> Any:
    sent = None if body is None else json.dumps(body).encode()
    status, _, answer = server.ask(method, path, sent)
    assert status == 200
    return json.loads(answer)


def waiting(server: Any) -> int:
    return int(ask(server, "GET", "/v1/review")["waiting"])


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def see(page: Page, selector: str, text: str) -> None:
    sync_api.expect(page.locator(selector)).to_contain_text(text, timeout=10 * SECOND)


def focused(page: Page, selector: str) -> None:
    sync_api.expect(page.locator(selector)).to_be_focused(timeout=10 * SECOND)


def decide(page: Page, *keys: str) -> None:
    """Claim what is selected, and choose."""
    press(page, "Enter")
    focused(page, "#find")
    press(page, *keys)
    see(page, "#told", "goes to")


def test_a_ticket_is_tried_and_the_cascade_thinks(open_page: Open) -> None:
    page = open_page("/")
    see(page, "#answer", "See the cascade think")
    page.get_by_label("Subject").fill("VPN invoice")
    press(page, "Enter")
    see(page, ".verdict", "Network")
    see(page, ".verdict", "90.0 % sure")
    see(page, ".verdict", "Routed by the encoder stage")
    stages = page.locator(".stages > li").all_inner_texts()
    assert [text.split()[0] for text in stages] == ["linear", "encoder"]
    see(page, ".stages", "60.0 % for Billing, 20.0 points under the 80.0 % at which it settles")
    see(page, ".stages", "9.50 ms")
    assert page.locator(".stages .settled").count() == 1
    see(page, "#answer", "Words that moved the linear stage")
    see(page, ".near", "My vpn drops every hour")
    see(page, "#answer", "Each stage alone")
    page.get_by_text("The same from a shell").click()
    see(page, "#curl", '"subject":"VPN invoice"')


def test_what_is_wrong_with_a_ticket_is_said(open_page: Open) -> None:
    page = open_page("/")
    page.get_by_role("button", name="Route").click()
    see(page, "#answer", "one of subject, body and text must not be blank")


def test_three_tickets_are_reviewed_by_keyboard_alone(
    open_page: Open, wait_in_line: Callable[..., list[str]], server: Any
) -> None:
    wait_in_line("T-1", "T-2", "T-3")
    page = open_page("/review")
    focused(page, "#by")
    page.keyboard.type("anna")
    press(page, "Enter")
    focused(page, "#list")
    see(page, "#detail", "Ticket T-1")
    see(page, ".text", "unsure of T-1, says <email>")
    decide(page, "2")  # by its number
    see(page, "#told", "T-1 goes to Billing.")
    focused(page, "#list")
    decide(page, *"netw", "Enter")  # by its name
    see(page, "#told", "T-2 goes to Network.")
    focused(page, "#list")
    decide(page, *"Tomorrow", "ArrowDown", "Enter")  # one that the bundle does not have
    see(page, "#told", "T-3 goes to Tomorrow.")
    see(page, "#nothing", "Nothing waits")
    assert waiting(server) == 0


def test_a_slip_can_be_taken_back_and_a_ticket_given_back(
    open_page: Open, wait_in_line: Callable[..., list[str]], server: Any
) -> None:
    wait_in_line("T-1", "T-2")
    page = open_page("/review", "anna")
    focused(page, "#list")
    decide(page, "1")
    focused(page, "#list")
    press(page, "u")
    see(page, "#told", "T-1 is yours again.")
    focused(page, "#find")
    assert waiting(server) == 2
    press(page, "Escape")
    see(page, "#told", "T-1 is given back.")
    see(page, "#detail", "Ticket T-2")
    press(page, "k")
    see(page, "#detail", "Ticket T-1")
    press(page, "ArrowDown", "c")
    focused(page, "#find")
    see(page, "[aria-selected=true] .pills", "yours")
    press(page, *"zzz", "Enter")  # a slip of the pen founds no queue
    assert waiting(server) == 2


def test_two_people_never_get_the_same_ticket(
    open_page: Open, wait_in_line: Callable[..., list[str]], server: Any
) -> None:
    ids = wait_in_line("T-1", "T-2")
    anna, bert = (open_page("/review", name) for name in ("anna", "bert"))
    for page in (anna, bert):
        see(page, "#detail", "Ticket T-1")
        focused(page, "#list")
    press(anna, "Enter")
    focused(anna, "#find")
    press(bert, "Enter")
    see(bert, "#told", "Somebody else has it")
    see(bert, "#list", "anna has it")
    see(bert, "#detail", "anna has claimed it and decides.")
    press(bert, "j", "Enter")
    focused(bert, "#find")
    holders = {
        item["decision"]["decision_id"]: item["claimed_by"]
        for item in ask(server, "GET", "/v1/review")["items"]
    }
    assert holders == {ids[0]: "anna", ids[1]: "bert"}
    anna.get_by_role("link", name="Live").click()  # who leaves holds nothing back
    HELP["wait_for"](lambda: ask(server, "GET", "/v1/review")["items"][0]["claimed_by"] is None)


def test_the_keys_are_told(open_page: Open) -> None:
    page = open_page("/review", "anna")
    see(page, "#nothing", "Nothing waits")
    press(page, "?")
    see(page, "dialog[open]", "take back your last decision")
    press(page, "Escape")
    sync_api.expect(page.locator("dialog[open]")).to_have_count(0)


def test_live_figures_move_by_themselves(
    open_page: Open, wait_in_line: Callable[..., list[str]], server: Any
) -> None:
    page = open_page("/live")
    see(page, "#review-more", "the queue is empty")
    see(page, "#llm", "qwen3:4b (logprobs)")
    see(page, "#workers", "fake-1")
    before = int(page.locator("#tickets").inner_text())
    wait_in_line("T-1")
    see(page, "#review", "1")
    see(page, "#tickets", str(before + 1))
    see(page, "#stages", "a person looks")
    see(page, "#p95", "9.8 ms")


def test_a_service_that_is_away_is_said_and_comes_back(open_page: Open) -> None:
    page = open_page("/live")
    see(page, "#fresh", "as of")
    page.route("**/v1/**", lambda route: route.fulfill(status=409, body="{}"))
    see(page, "#trouble", "What stands below is old")
    page.unroute("**/v1/**")
    sync_api.expect(page.locator("#trouble")).to_be_hidden(timeout=10 * SECOND)
