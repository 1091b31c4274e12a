"""Why a decision is as it is: the words, the past tickets, the gates."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from cascade.decision import Choice, Decision, StageTrace
from cascade.errors import InputError
from cascade.examples import Pool
from cascade.explain import EXCERPT, LONGEST_WORD, NEIGHBOURS, WORDS, Explanation, explain
from cascade.gate import NEVER, Gate, Gates
from cascade.stages.base import QUEUE, Advice, Heads, Probabilities
from cascade.stages.linear import LinearStage, NGrams, Vectorizer
from cascade.stages.neighbours import NeighboursStage, Vote
from cascade.ticket import Ticket

QUEUES = ("Billing", "Hardware", "Network")
HEADS: Heads = {QUEUE: QUEUES}
TERMS = {  # coefficients of Billing, Hardware, Network
    "vpn": (0.0, 0.0, 3.0),
    "laptop": (0.0, 2.0, 0.0),
    "invoice": (4.0, 0.0, 0.0),
    "tunnel": (0.0, 0.0, 0.01),
}
EXAMPLES = [
    ("The vpn drops\nevery hour, says <name>", "Network"),
    ("A laptop without a fan", "Hardware"),
    ("vpn and laptop are slow", "Hardware"),
    ("word " * 100, "Billing"),
]


class Llm:
    """An adviser; it is never asked here."""

    name = "llm"
    fitted = True
    state: dict[str, Any] = {}  # noqa: RUF012

    def warm_up(self) -> None: ...

    def advise(self, texts: object, joined: object, until: object) -> Advice:
        raise NotImplementedError


class Encoder:
    """A stage that explains nothing; it is never asked here."""

    name = "encoder"

    def predict(self, texts: object) -> Probabilities:
        raise NotImplementedError


def linear(terms: dict[str, tuple[float, ...]] = TERMS) -> LinearStage:
    words = Vectorizer(NGrams("word", 1, 2), tuple(terms), np.ones(len(terms), dtype=np.float32))
    coefficients = np.asarray(list(terms.values()), dtype=np.float32)
    return LinearStage(HEADS, [words], {QUEUE: coefficients}, {QUEUE: np.zeros(3, np.float32)})


def neighbours() -> NeighboursStage:
    numbers = np.asarray([QUEUES.index(queue) for _, queue in EXAMPLES], dtype=np.int64)
    pool = Pool(HEADS, [text for text, _ in EXAMPLES], {QUEUE: numbers})
    return NeighboursStage(pool, Vote(3, 1.0, 1.0, 1.0))


def gate(stage: str, stop: float, settle: float, give_up: float = 0.0) -> Gate:
    """One whose thresholds hold for Network; Hardware is never settled, and never stops."""
    return Gate(stage, {}, (0.0, NEVER, stop), (0.0, NEVER, settle), give_up)


@dataclass(frozen=True)
class Made:
    """A cascade made by hand: four stages, whose gates stop at 95 %."""

    stages: tuple[Any, ...] = ()
    gates: Gates = Gates(  # noqa: RUF009
        (
            gate("linear", 0.95, 0.95, 0.2),
            gate("encoder", 0.9, 0.95),
            gate("neighbours", 0.95, 0.9),
            gate("llm", 0.95, 0.95),
        )
    )
    queues: tuple[str, ...] = QUEUES
    bundle_id: str = "made-1"


@pytest.fixture(scope="module")
def cascade() -> Made:
    return Made((linear(), Encoder(), neighbours(), Llm()))


def decided(*stages: tuple[str, str, float], reason: str = "") -> Decision:
    """A decision after stages of that name, queue and confidence; for review if with a reason."""
    name, queue, confidence = stages[-1]
    others = tuple(Choice(other, 0.1) for other in QUEUES[::-1] if other != queue)
    return Decision(
        id=None,
        queue=queue,
        confidence=confidence,
        stage="human" if reason else name,
        action="review" if reason else "route",
        alternatives=others,
        stages=tuple(StageTrace(*its, ms=1.0) for its in stages),
        bundle="made-1",
        reason=reason,
    )


NETWORK = decided(("linear", "Network", 0.97))


def why(cascade: Made, text: str, decision: Decision = NETWORK) -> Explanation:
    return explain(cascade, Ticket(text), decision)


# --- words ---


def test_words_speak_for_the_queue_or_for_the_runner_up(cascade: Made) -> None:
    told = why(cascade, "My laptop has no VPN, and the invoice is wrong")
    assert (told.queue, told.against) == ("Network", "Hardware")
    assert [word.text for word in told.words] == ["VPN", "laptop"], "an invoice is for neither"
    share = 1 / np.sqrt(3)  # of each of the three known words in the TF-IDF vector
    assert [word.weight for word in told.words] == pytest.approx([3 * share, -2 * share], abs=1e-4)


def test_a_word_is_named_once_as_it_first_stands_in_the_cleaned_text(cascade: Made) -> None:
    told = why(cascade, "<p>(VPN)</p> vpn, vpn! Vpn")
    (word,) = told.words
    assert word.text == "VPN"
    assert word.weight == pytest.approx(3.0)


def test_words_that_hardly_count_are_left_out(cascade: Made) -> None:
    assert [word.text for word in why(cascade, "vpn tunnel").words] == ["vpn"]
    assert [word.text for word in why(cascade, "a tunnel").words] == ["tunnel"]


def test_only_the_heaviest_words_are_named_either_way() -> None:
    names = [chr(97 + at) * 3 for at in range(26)]
    terms = {
        name: (0.0, 0.0, 1.0 + at) if at % 2 else (0.0, 1.0 + at, 0.0)
        for at, name in enumerate(names)
    }
    told = why(Made((linear(terms),)), " ".join(names))
    assert len(told.words) == 2 * WORDS
    weights = [abs(word.weight) for word in told.words]
    assert weights == sorted(weights, reverse=True)
    assert {word.text for word in told.words} == set(names[-2 * WORDS :])


def test_a_word_without_end_is_cut(cascade: Made) -> None:
    terms = {"x" * 300: (0.0, 0.0, 1.0)}
    (word,) = why(Made((linear(terms),)), "x" * 300).words
    assert len(word.text) == LONGEST_WORD


# --- past tickets ---


def test_the_nearest_examples_are_named_with_their_queue(cascade: Made) -> None:
    first, second = why(cascade, "the vpn drops, drops").neighbours
    assert (first.row, first.queue) == (0, "Network")
    assert (second.row, second.queue) == (2, "Hardware")
    assert first.excerpt == "The vpn drops every hour, says <name>", "on one line, masked"
    assert first.similarity == pytest.approx(3 / 7, abs=1e-4), "the, vpn, drops of seven words"


def test_an_equal_ticket_has_similarity_one_and_names_are_not_compared(cascade: Made) -> None:
    told = why(cascade, "Dear Jane,\nA laptop without a fan").neighbours[0]
    assert told.row == 1
    assert told.similarity < 1
    assert why(cascade, "A LAPTOP without a fan!").neighbours[0].similarity == 1


def test_long_examples_are_cut_between_words(cascade: Made) -> None:
    (told,) = why(cascade, "word").neighbours
    assert told.excerpt.endswith("word…")
    assert EXCERPT - 5 <= len(told.excerpt) <= EXCERPT


def test_a_cut_after_a_full_stop_leaves_three_dots_and_not_four(cascade: Made) -> None:
    text = "vpn. " * 40
    pool = Pool(HEADS, [text], {QUEUE: np.zeros(1, dtype=np.int64)})
    (told,) = why(Made((NeighboursStage(pool, neighbours().vote),)), "vpn").neighbours
    assert told.excerpt.endswith(" vpn…")


def test_there_are_never_more_than_a_few(cascade: Made) -> None:
    stage = neighbours()
    many = Pool(HEADS, ["vpn"] * 40, {QUEUE: np.zeros(40, dtype=np.int64)})
    told = why(Made((NeighboursStage(many, stage.vote),)), "vpn")
    assert [neighbour.row for neighbour in told.neighbours] == list(range(NEIGHBOURS))


# --- gates ---


def sentences(cascade: Made, decision: Decision) -> list[str]:
    return [passage.text for passage in why(cascade, "vpn", decision).gates]


def test_each_gate_says_by_how_much_it_was_missed_or_met(cascade: Made) -> None:
    decision = decided(
        ("linear", "Network", 0.931), ("encoder", "Network", 0.85), ("neighbours", "Network", 0.962)
    )
    assert sentences(cascade, decision) == [
        "linear: 93.1 % for Network, 1.9 points under the 95.0 % at which it settles",
        "encoder: 85.0 % for Network, 5.0 points under the 90.0 % from which on no further stage "
        "is asked",
        "neighbours: 96.2 % for Network, 1.2 points over the 95.0 % at which it settles",
    ]
    first, _, last = why(cascade, "vpn", decision).gates
    assert (first.stage, first.queue, first.confidence) == ("linear", "Network", 0.931)
    assert (first.threshold, first.margin) == (0.95, pytest.approx(-0.019))
    assert (last.threshold, last.margin) == (0.95, pytest.approx(0.012))


def test_the_last_stage_stops_all_so_that_only_settling_counts(cascade: Made) -> None:
    decision = decided(("neighbours", "Network", 0.92))
    (told,) = why(cascade, "vpn", decision).gates
    assert told.threshold == 0.9


def test_a_ticket_that_stopped_short_of_settling_is_for_review(cascade: Made) -> None:
    (told,) = sentences(cascade, decided(("encoder", "Network", 0.93), reason="unsure"))
    assert told == "encoder: 93.0 % for Network, 2.0 points under the 95.0 % at which it settles"


def test_a_ticket_that_was_given_up_says_so(cascade: Made) -> None:
    (told,) = sentences(cascade, decided(("linear", "Network", 0.15), reason="unsure"))
    assert told.endswith(
        "80.0 points under the 95.0 % at which it settles, and under the 20.0 % from which on it "
        "asks further"
    )


def test_a_queue_that_is_never_settled_has_no_threshold(cascade: Made) -> None:
    decision = decided(("linear", "Hardware", 0.99), ("llm", "Hardware", 0.99), reason="unsure")
    assert sentences(cascade, decision) == [
        "linear: 99.0 % for Hardware, which is always left to the next stage",
        "llm: 99.0 % for Hardware, a queue that it settles nothing in",
    ]
    assert all(told.threshold is told.margin is None for told in why(cascade, "", decision).gates)


def test_a_gate_that_was_met_in_vain_says_why(cascade: Made) -> None:
    late = decided(("linear", "Network", 0.97), reason="it belongs nowhere")
    on = decided(("linear", "Network", 0.97), ("encoder", "Network", 0.99))
    assert sentences(cascade, late)[0].endswith("settles, and yet for review: it belongs nowhere")
    assert sentences(cascade, on)[0].endswith("settles, and yet the next stage was asked")


def test_a_model_that_the_gates_do_not_know_settles_nothing(cascade: Made) -> None:
    stranger = Llm()
    stranger.fitted = False
    changed = replace(cascade, stages=(*cascade.stages[:-1], stranger))
    (told,) = sentences(changed, decided(("llm", "Network", 0.99), reason="unsure"))
    assert told == (
        "llm: 99.0 % for Network, and it settles nothing, as the gates do not know its model"
    )


@pytest.mark.parametrize(
    ("confidence", "said"),
    [(0.95, "just over"), (0.94996, "just under"), (0.94949, "0.1 points under")],
)
def test_a_narrow_margin_is_told_by_its_side(cascade: Made, confidence: float, said: str) -> None:
    reason = "" if "over" in said else "unsure"
    (told,) = sentences(cascade, decided(("linear", "Network", confidence), reason=reason))
    assert f" {said} the 95.0 % at which it settles" in told


def test_a_threshold_is_met_as_the_gate_has_it_in_float32(cascade: Made) -> None:
    (told,) = sentences(cascade, decided(("linear", "Network", float(np.float32(0.95)))))
    assert "over" in told


# --- as a whole ---


def test_an_explanation_is_plain_json(cascade: Made) -> None:
    told = why(cascade, "the vpn on my laptop")
    plain = told.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert list(plain) == ["queue", "against", "words", "neighbours", "gates"]
    assert plain["words"][0] == {"text": "vpn", "weight": told.words[0].weight}


@pytest.mark.parametrize("text", ["", " \n", "<br>", "...", "发票 🙂", "\0"])
def test_a_text_of_nothing_known_has_no_words_and_no_neighbours(cascade: Made, text: str) -> None:
    told = why(cascade, text)
    assert (told.words, told.neighbours) == ((), ())
    assert len(told.gates) == 1


def test_a_cascade_of_other_stages_still_tells_of_its_gates() -> None:
    told = why(Made((Encoder(),)), "vpn")
    assert (told.words, told.neighbours) == ((), ())
    assert told.gates


def test_a_decision_of_another_bundle_is_not_explained(cascade: Made) -> None:
    with pytest.raises(InputError, match="of the bundle 'old-1', this is 'made-1'"):
        why(cascade, "hunter2", replace(NETWORK, bundle="old-1"))
