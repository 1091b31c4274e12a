"""Typed decisions: the answers, the errors of that ecosystem, and its conformance suite."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jevcompat import checks, runner
from werkzeug.serving import make_server

from cascade.decision import Decision
from cascade.llm.base import Question
from cascade.llm.dialects import Decisions
from cascade.router import Cascade
from cascade.stages.base import Heads, Probabilities
from cascade.ticket import Ticket
from serve.app import OPERATIONS, create_app
from serve.service import Service
from serve.store import keys
from serve.systemone import answered
from serve.systemone_schemas import LATEST, MAX_QUESTIONS, QuestionIn, text_of

TEAM = {"type": "choice", "criteria": {"Billing": "invoices", "Network": None}}


def asking(questions: Any = None, state: Any = "The VPN drops.", **more: Any) -> dict[str, Any]:
    return {"model": LATEST, "state": state, "questions": questions or {"team": TEAM}, **more}


def choice(*options: str) -> dict[str, Any]:
    return {"type": "choice", "criteria": dict.fromkeys(options)}


# --- what is answered ---


def test_a_question_gets_a_probability_an_option(client: Any) -> None:
    reply = client.post("/v1/systemone", json=asking())
    assert reply.status_code == 200
    team = reply.json["answers"]["team"]
    assert (team["type"], team["choice"]) == ("choice", "Network")
    assert team["probabilities"] == {"Billing": pytest.approx(0.1), "Network": pytest.approx(0.9)}
    assert team["confidence"] == pytest.approx((0.9 - 0.5) / (1 - 0.5))
    assert team["x_mass"] == pytest.approx(1.0)
    assert reply.json["model"] == "fake-1"
    assert reply.json["usage"] == {"input_tokens": 3, "output_tokens": 0}
    told = {key: reply.json[key] for key in ("x_stage", "x_action", "x_late")}
    assert told == {"x_stage": "encoder", "x_action": "route", "x_late": False}


def test_a_question_is_recognised_by_its_options(client: Any) -> None:
    """Its id and its wording are the caller's."""
    asked = {
        "💡": {**TEAM, "instructions": ["Pick", {"exactly": "one"}]},
        "how bad": choice("none", "high"),
    }
    answers = client.post("/v1/systemone", json=asking(asked)).json["answers"]
    assert answers["💡"]["choice"] == "Network"
    assert answers["how bad"]["probabilities"] == {"none": 0.5, "high": 0.5}
    assert answers["how bad"]["confidence"] == 0.0
    assert answers["how bad"]["x_mass"] == pytest.approx(2 / 3)


def test_where_several_labels_have_the_options_its_id_says_which(client: Any) -> None:
    asked = {"urgency": choice("high", "low"), "impact": choice("low", "high")}
    answers = client.post("/v1/systemone", json=asking(asked)).json["answers"]
    assert answers["urgency"]["x_mass"] == pytest.approx(1.0)
    assert answers["impact"]["x_mass"] == pytest.approx(2 / 3)
    reply = client.post("/v1/systemone", json=asking({"other": choice("high", "low")}))
    assert reply.status_code == 422
    assert "urgency and impact have these options" in reply.json["detail"][0]["msg"]


def test_it_takes_its_turn_under_the_deadline_of_route(client: Any, cascade: Any) -> None:
    client.post("/v1/systemone", json=asking())
    client.post("/v1/systemone", json=asking(deadline_ms=40))
    assert cascade.deadlines == [150, 40]


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("  The VPN drops. ", "The VPN drops."),
        ({"subject": "VPN", "body": "It drops.", "plan": "pro"}, "VPN\n\nIt drops."),
        ({"body": "It drops.", "subject": "VPN"}, "VPN\n\nIt drops."),
        ({"text": "VPN", "body": None, "subject": 7}, "VPN"),
        (["VPN", 7, None, ["drops", {"when": "hourly"}]], "VPN\n\ndrops\n\nhourly"),
        ({"ticket": {"subject": "VPN", "body": "It drops."}}, "VPN\n\nIt drops."),
        ("cut \ud83d", "cut \ufffd"),
        ([[]], ""),
    ],
)
def test_the_text_of_a_state(state: Any, text: str) -> None:
    assert text_of(state) == text


def test_a_deeply_nested_state_is_read(client: Any) -> None:
    state = "[" * 300 + '"VPN"' + "]" * 300
    body = json.dumps(asking(state="?")).replace('"?"', state)
    reply = client.post("/v1/systemone", data=body, content_type="application/json")
    assert reply.status_code == 200


chances = st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3)


@given(chances, st.lists(st.sampled_from("abc"), min_size=2, unique=True))
def test_answers_are_distributions_over_the_options(its: list[float], asked: list[str]) -> None:
    """Whatever the classes' probabilities are; even where the options have none of them."""
    question = QuestionIn(**choice(*asked))
    told = answered(question, ("a", "b", "c"), np.asarray(its, dtype=np.float32))
    shares = told["probabilities"]
    assert list(shares) == asked
    assert sum(shares.values()) == pytest.approx(1)
    assert all(0 <= p <= 1 for p in shares.values())
    assert shares[told["choice"]] == max(shares.values())
    assert 0 <= told["confidence"] <= 1 and 0 <= told["x_mass"] <= 1


def test_a_real_bundle_answers_with_its_calibrated_probabilities(
    linear_bundle: Path, service_of: Callable[..., Service]
) -> None:
    cascade = Cascade.load(linear_bundle)
    service = service_of()
    service.engine.serve(cascade)
    client: Any = create_app(service).test_client()
    told = client.get("/v1/models").json["models"]
    assert [its["name"] for its in told] == [cascade.bundle_id, LATEST]
    questions = {name: choice(*classes) for name, classes in told[0]["x_questions"].items()}
    assert set(questions) == {"queue", "urgency", "sentiment"}
    text = "the export shows an error since the invoice was paid"
    asked = asking(questions, text, model=cascade.bundle_id, deadline_ms=20_000)
    reply = client.post("/v1/systemone", json=asked).json
    [decision], expected = cascade.weigh([text])
    assert (reply["x_stage"], reply["x_action"]) == (decision.stage, decision.action)
    assert reply["answers"]["queue"]["choice"] == decision.queue
    for name, answer in reply["answers"].items():
        found = [answer["probabilities"][option] for option in cascade.heads[name]]
        assert found == pytest.approx(expected[name][0].tolist(), abs=1e-5)


def test_a_cascade_can_be_the_language_model_of_another(client: Any) -> None:
    """Our own client of such models reads the answers."""
    dialect, question = Decisions(), Question("The VPN drops.", ("Billing", "Network"))
    path, payload = dialect.request(question, LATEST)
    reply = client.post(f"/v1/{path}", json=payload)
    assert dialect.read(question, reply.json).probabilities == pytest.approx((0.1, 0.9))


# --- what is refused, and how ---


def faults(reply: Any) -> list[tuple[list[Any], str]]:
    assert reply.status_code == 422
    assert reply.mimetype == "application/json"
    assert list(reply.json) == ["detail"]
    assert reply.headers["Cascade-Bundle"] == "fake-1"
    assert reply.headers["X-Request-Id"]
    for its in reply.json["detail"]:
        assert list(its) == ["loc", "msg", "type"] and its["loc"][0] == "body"
    return [(its["loc"][1:], its["type"]) for its in reply.json["detail"]]


@pytest.mark.parametrize(
    ("body", "place", "rule"),
    [
        ({"model": LATEST, "questions": {"team": TEAM}}, ["state"], "missing"),
        (asking(state=None), ["state"], "structured_type"),
        (asking(state={"n": 7}), ["state"], "blank"),
        (asking(model=7), ["model"], "string_type"),
        ({"model": LATEST, "state": "a", "questions": {}}, ["questions"], "too_short"),
        (asking({"q": {"type": "noul"}}), ["questions", "q", "type"], "literal_error"),
        (asking({"q": {"criteria": TEAM["criteria"]}}), ["questions", "q", "type"], "missing"),
        (asking({"q": choice("Billing")}), ["questions", "q", "criteria"], "too_short"),
        (asking({"q": choice("a", "b")}), ["questions", "q", "criteria"], "unknown_options"),
        (asking({"q": choice("Billing", "high")}), ["questions", "q", "criteria"],
         "unknown_options"),
        (asking({"q": {**TEAM, "instructions": 7}}), ["questions", "q", "instructions"],
         "structured_type"),
        (asking({f"q{i}": TEAM for i in range(MAX_QUESTIONS + 1)}), ["questions"], "too_long"),
        (asking(deadline_ms=-1), ["deadline_ms"], "greater_than"),
        ([], [], "model_type"),
    ],
)  # fmt: skip
def test_a_field_at_fault_is_named(client: Any, body: Any, place: list[Any], rule: str) -> None:
    found = faults(client.post("/v1/systemone", json=body))
    assert (place, rule) in found
    assert len(found) == 1 or rule == "literal_error"


def test_a_body_that_is_no_json_is_a_field_at_fault(client: Any) -> None:
    for body in (b"{", b"", b'{"model": NaN}'):
        reply = client.post("/v1/systemone", data=body, content_type="application/json")
        assert faults(reply) == [([], "json_invalid")]


def trouble(reply: Any, status: int) -> str:
    assert (reply.status_code, reply.mimetype) == (status, "application/json")
    assert list(reply.json) == ["detail"]
    assert list(reply.json["detail"]) == ["error_type", "message"]
    return str(reply.json["detail"]["error_type"])


def test_other_errors_have_a_type(
    client: Any, cold_client: Any, service_of: Callable[..., Service], secret: str
) -> None:
    path = "/v1/systemone"
    assert trouble(client.post(path, json=asking(model="gpt")), 404) == "not_found"
    large = asking(state="a" * 10_000)
    assert trouble(client.post(path, json=large), 413) == "request_too_large"
    assert trouble(client.post(path, data="a"), 415) == "api_usage_error"
    assert trouble(client.post(path, json=asking(state=f"explode {secret}")), 500) == (
        "internal_error"
    )
    cold = cold_client.post(path, json=asking())
    assert trouble(cold, 503) == "overloaded_error"
    assert cold.headers["Retry-After"] == "1"
    locked: Any = create_app(service_of(auth="keys")).test_client()
    assert trouble(locked.post(path, json=asking()), 401) == "authentication_error"
    assert trouble(locked.get("/v1/models"), 401) == "authentication_error"


def test_no_other_address_tells_errors_so(client: Any) -> None:
    """And both of these say in the document that they do."""
    shapes = {its.path: its.shape.model.__name__ for its in OPERATIONS}
    assert {path for path, shape in shapes.items() if shape != "ProblemOut"} == {
        "/v1/systemone",
        "/v1/models",
    }
    refusals = client.get("/openapi.json").json["paths"]["/v1/systemone"]["post"]["responses"]
    assert "400" not in refusals, "a body that is no JSON is a 422 here"
    for status in ("401", "404", "413", "415", "422", "429", "500", "503"):
        [(media_type, content)] = refusals[status]["content"].items()
        assert (media_type, content["schema"]) == (
            "application/json",
            {"$ref": "#/components/schemas/RefusedOut"},
        )


def test_no_text_is_given_back(client: Any, secret: str) -> None:
    for body in (
        asking(state=[secret], model=secret),
        asking({"q": {**TEAM, "type": secret}}, secret),
        asking({"q": {"type": "choice", "criteria": [secret]}}, secret),
        asking({"q": {**TEAM, "instructions": 7}}, secret, deadline_ms=secret),
    ):
        reply = client.post("/v1/systemone", json=body)
        assert reply.status_code in (404, 422)
        assert secret not in reply.text


# --- the conformance suite of that ecosystem ---

TRUE_OR_FALSE = choice("Billing", "Technical")
ANGER = choice("Calm", "Frustrated", "Very angry")
HEADS: Heads = {
    "queue": ("Billing", "Technical", "Sales", *(f"Queue {i:03d}" for i in range(1, 256))),
    "kind": tuple(checks.UNICODE_OPTIONS),
    "anger": tuple(ANGER["criteria"]),
    "language": ("English", "Other"),
}
NOT_FOR_US = {
    "noul.criteria": "no bundle is trained for yes/no questions in words",
    "noul.no-instructions": "the same",
    "score.levels": "no bundle is trained for ordered levels",
}
"""Requirements that are not met, on purpose: these questions get a 422."""
NOT_ASKED = {
    "noul.answer", "score.answer", "score.legend", "score.probability-keys",
    "score.distribution", "score.expectation", "dropin.sdk-python",
}  # fmt: skip
"""Requirements that hang on answers to such questions."""


class Known:
    """A cascade for the options that the suite asks about; its answers hang on the text alone."""

    def __init__(self, fake: Any) -> None:
        self._fake = fake
        self.heads = HEADS

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fake, name)

    def weigh(
        self, tickets: Sequence[Ticket], *, deadline_ms: float | None = None
    ) -> tuple[list[Decision], Probabilities]:
        probabilities = {
            name: np.stack([self._chances(ticket.text, len(its)) for ticket in tickets])
            for name, its in HEADS.items()
        }
        return self._fake.route(tickets, deadline_ms=deadline_ms), probabilities

    @staticmethod
    def _chances(text: str, k: int) -> Any:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])
        return np.random.default_rng(seed).dirichlet(np.ones(k)).astype(np.float32)


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite with questions that a bundle can be trained for in place of the others."""
    monkeypatch.setattr(checks, "NOUL", TRUE_OR_FALSE)  # also the first question of all
    monkeypatch.setattr(checks, "SCORE", ANGER)
    alike = {"refund": TRUE_OR_FALSE, "team": checks.CHOICE, "anger": ANGER}
    monkeypatch.setattr(checks, "SEM_QUESTIONS", alike)
    more = {"lang": choice("English", "Other"), "again": choice("Sales", "Queue 001")}
    monkeypatch.setattr(checks, "EXTRA_QUESTIONS", more)
    supports = checks.Ctx.supports

    def replaced(self: checks.Ctx, case: str, types: tuple[str, ...], *reqs: str) -> bool:
        if case.startswith("semantics") or case == "multi-question":
            types = ("choice",)
        elif types == ("noul",):  # the suite takes for granted that these are answered
            types = ("score",)
        return supports(self, case, types, *reqs)

    monkeypatch.setattr(checks.Ctx, "supports", replaced)


@contextmanager
def listening(service: Service) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, create_app(service), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("auth", ["none", "keys"])
def test_jevcompat_finds_nothing_but_what_is_not_for_us(
    service_of: Callable[..., Service], cascade: Any, suite: None, auth: str
) -> None:
    service = service_of(auth=auth, max_body=100_000)
    service.engine.serve(Known(cascade))  # type: ignore[arg-type]
    key = None
    if auth == "keys":
        with service.store.write() as connection:
            _, key = keys.add(connection, "suite", ("route",))
    with listening(service) as url:
        report = runner.run(url, key=key, sdk=False)
    assert (report.aborted, report.case_errors, report.inconclusive) == (None, [], [])
    by_status: dict[str, set[str]] = {"pass": set(), "fail": set(), "skip": set()}
    for its in report.results:
        by_status[its.status].add(its.id)
    why = [
        (f.req, f.message) for r in report.results for f in r.findings if f.req not in NOT_FOR_US
    ]
    assert by_status["fail"] == NOT_FOR_US.keys(), why
    off = {"auth.bearer", "auth.missing", "auth.invalid"}
    assert by_status["skip"] - NOT_ASKED == (off if auth == "none" else {"auth.ignored-when-off"})
    assert len(by_status["pass"]) == len(report.results) - 3 - len(by_status["skip"])
