"""The cascade: the order of the stages, what settles a ticket, and that nothing else matters."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade.bundle import Bundle
from cascade.decision import Decision
from cascade.errors import BundleError
from cascade.gate import Gate, Gates, Join
from cascade.pace import PATIENCE, RECENT
from cascade.router import NO_TEXT, TOO_LATE, Cascade
from cascade.saving import write
from cascade.stages.base import Advice
from cascade.ticket import Ticket
from train.starter import generate

NEVER = 1.01

Build = Callable[..., Cascade]


@pytest.fixture(scope="module")
def tickets() -> list[Ticket]:
    """500 tickets that the bundle has not seen, a few odd ones among them."""
    made = [Ticket.of([t.subject, t.body], t.id) for t in generate(494, seed=99)]
    odd = ["", "?", "help", "a " * 30_000, "\ud800 <br>", "发票 ist falsch 🙂"]
    return made + [Ticket(text, f"odd-{at}") for at, text in enumerate(odd)]


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with gates of our own, so that the encoder is asked often and has a say,
    however far its few seconds of training took it."""
    tiny = Bundle.open(tiny_bundle)
    heads = tiny.manifest.heads
    k = len(heads["queue"])
    gates = Gates(
        (
            Gate.even("linear", dict.fromkeys(heads, Join((1.0,))), 0.7, k),
            Gate.even("encoder", dict.fromkeys(heads, Join((0.5, 1.0))), 0.3, k),
        )
    )
    files = {name: tiny.read(name) for name in tiny.files}
    files["gates.json"] = json.dumps(gates.to_dict()).encode()
    return write(tmp_path_factory.mktemp("bundles") / "both", tiny.manifest, files).path


@pytest.fixture(scope="module")
def cascade(bundle: Path) -> Cascade:
    return Cascade.load(bundle, threads=1)


@pytest.fixture(scope="module")
def expected(cascade: Cascade, tickets: list[Ticket]) -> list[Decision]:
    """The decisions on all tickets in one batch: what all other ways must give."""
    return cascade.route(tickets)


def without_times(decision: Decision | dict[str, Any]) -> dict[str, Any]:
    plain = decision.to_dict() if isinstance(decision, Decision) else decision
    stages = [{**trace, "ms": 0.0} for trace in plain["stages"]]
    return {**plain, "stages": stages}


def assert_same(found: Sequence[Decision | dict[str, Any]], expected: Sequence[Decision]) -> None:
    """The same in every field but times; probabilities to 1e-6."""
    assert len(found) == len(expected)

    def compare(a: Any, b: Any) -> None:
        if isinstance(b, float):
            assert a == pytest.approx(b, abs=1e-6)
        elif isinstance(b, dict):
            assert a.keys() == b.keys()
            for key in b:
                compare(a[key], b[key])
        elif isinstance(b, (list, tuple)):
            assert len(a) == len(b)
            for one, other in zip(a, b, strict=True):
                compare(one, other)
        else:
            assert a == b

    for one, other in zip(found, expected, strict=True):
        compare(without_times(one), without_times(other))


# --- a ticket's decision depends on the ticket and the bundle alone ---


def test_the_bundle_puts_the_laws_to_the_test(
    bundle: Path, tickets: list[Ticket], expected: list[Decision]
) -> None:
    """The encoder is int8, many tickets reach it, and each stage settles some."""
    assert json.loads(Bundle.open(bundle).read("encoder/config.json"))["precision"] == "int8"
    assert len(tickets) == 500
    reached = [d for d in expected if any(trace.name == "encoder" for trace in d.stages)]
    assert len(reached) >= 100
    assert len({d.queue for d in expected}) >= 4
    assert {d.stage for d in expected} == {"linear", "encoder", "human"}


def test_a_ticket_alone(cascade: Cascade, tickets: list[Ticket], expected: list[Decision]) -> None:
    assert_same([cascade.route([ticket])[0] for ticket in tickets], expected)


@pytest.mark.parametrize("size", [2, 8, 77])
def test_a_ticket_in_any_batch_in_any_order(
    cascade: Cascade, tickets: list[Ticket], expected: list[Decision], size: int
) -> None:
    order = list(range(len(tickets)))
    random.Random(size).shuffle(order)
    found: dict[int, Decision] = {}
    for start in range(0, len(order), size):
        part = order[start : start + size]
        found |= zip(part, cascade.route([tickets[i] for i in part]), strict=True)
    assert_same([found[i] for i in range(len(tickets))], expected)


def test_a_ticket_in_another_process(
    bundle: Path, tickets: list[Ticket], expected: list[Decision]
) -> None:
    code = (
        "import json, sys\n"
        "from cascade import Cascade, Ticket\n"
        "tickets = [Ticket(**plain) for plain in json.load(sys.stdin)]\n"
        "decisions = Cascade.load(sys.argv[1]).route(tickets[::-1])\n"
        "json.dump([d.to_dict() for d in decisions], sys.stdout)\n"
    )
    plain = json.dumps([{"text": t.text, "id": t.id} for t in tickets])
    done = subprocess.run(
        [sys.executable, "-c", code, str(bundle)],
        input=plain,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert_same(json.loads(done.stdout)[::-1], expected)


def test_any_number_of_threads(
    bundle: Path, tickets: list[Ticket], expected: list[Decision]
) -> None:
    assert_same(Cascade.load(bundle, threads=3).route(tickets), expected)


def test_calls_from_several_threads_at_once(
    cascade: Cascade, tickets: list[Ticket], expected: list[Decision]
) -> None:
    parts = [tickets[start : start + 25] for start in range(0, 200, 25)]
    with ThreadPoolExecutor(4) as pool:
        found = [decision for part in pool.map(cascade.route, parts) for decision in part]
    assert_same(found, expected[:200])


def test_the_same_ticket_twice_in_a_batch(cascade: Cascade, tickets: list[Ticket]) -> None:
    one, other = cascade.route([tickets[7], tickets[7]])
    assert without_times(one) == without_times(other)


# --- what a decision says ---


def test_decisions_come_in_order_with_their_ids(
    tickets: list[Ticket], expected: list[Decision], bundle: Path
) -> None:
    assert [d.id for d in expected] == [t.id for t in tickets]
    assert {d.bundle for d in expected} == {Bundle.open(bundle).id}


def test_every_decision_is_consistent(cascade: Cascade, expected: list[Decision]) -> None:
    for decision in expected:
        confidences = [decision.confidence, *(c.confidence for c in decision.alternatives)]
        assert confidences == sorted(confidences, reverse=True)
        assert min(confidences) >= 0
        assert sum(confidences) <= 1 + 1e-5
        queues = [decision.queue, *(c.queue for c in decision.alternatives)]
        assert len(set(queues)) == len(queues) == 4
        assert set(queues) <= set(cascade.queues)
        assert decision.labels.keys() == {"urgency", "sentiment"}
        for name, label in decision.labels.items():
            assert label.value in cascade.heads[name]
            assert 0 <= label.confidence <= 1
        last = decision.stages[-1]
        assert last.confidence == pytest.approx(decision.confidence)
        assert all(trace.ms >= 0 for trace in decision.stages)
        assert (decision.action == "route") == (decision.stage == last.name)
        assert (decision.action == "review") == (decision.stage == "human") == bool(decision.reason)


def test_a_stage_is_passed_only_by_who_is_below_its_stop(
    cascade: Cascade, tickets: list[Ticket]
) -> None:
    """Or by who seems to belong nowhere, so this one has no scope."""
    gates = {gate.stage: gate for gate in cascade.gates.gates}
    number = {queue: at for at, queue in enumerate(cascade.queues)}
    for decision in Cascade(cascade.stages, cascade.gates, cascade.heads).route(tickets):
        for trace in decision.stages[:-1]:
            assert trace.confidence < gates[trace.name].stop[number[trace.queue]]


def test_a_text_may_stand_for_a_ticket(cascade: Cascade) -> None:
    text = "cannot log into the vpn since this morning"
    (by_text,), (by_ticket,) = cascade.route([text]), cascade.route([Ticket(text)])
    assert without_times(by_text) == without_times(by_ticket)
    assert by_text.id is None


def test_no_tickets_give_no_decisions(cascade: Cascade) -> None:
    assert cascade.route([]) == []


def test_a_ticket_is_cleaned_first(cascade: Cascade) -> None:
    plain, html = cascade.route(
        ["cannot log into the vpn", "<p>cannot log into&nbsp;<b>the vpn</b></p>"]
    )
    assert without_times(plain) == without_times(html)


@pytest.mark.parametrize("text", ["", " \n\t", "<br>", "\u200b"])
def test_a_ticket_without_text_goes_to_a_person_and_asks_the_first_stage_only(
    cascade: Cascade, text: str
) -> None:
    (decision,) = cascade.route([text])
    assert (decision.action, decision.stage, decision.reason) == ("review", "human", NO_TEXT)
    assert [trace.name for trace in decision.stages] == ["linear"]
    assert decision.queue in cascade.queues


def test_a_ticket_without_text_is_not_settled_however_sure_a_stage_is(fake_cascade: Build) -> None:
    (decision,) = fake_cascade(("linear", 0.99, 0.1), ("encoder", 0.99, 0.1)).route([""])
    assert (decision.action, decision.reason) == ("review", NO_TEXT)


def test_a_review_says_that_there_is_no_llm_stage(fake_cascade: Build) -> None:
    (decision,) = fake_cascade(("linear", 0.5, 0.9)).route(["bug"])
    assert decision.reason == "no stage is sure enough; the bundle has no llm stage"
    (decision,) = fake_cascade(("linear", 0.5, 0.9), ("llm", 0.5, 0.9)).route(["bug"])
    assert decision.reason == "no stage is sure enough"


# --- stages and gates ---


def test_the_first_stage_that_is_sure_settles(fake_cascade: Build) -> None:
    cascade = fake_cascade(("a", 0.5, 0.9), ("b", 0.95, 0.9), ("c", 0.99, 0.9))
    (decision,) = cascade.route(["a bug"])
    assert (decision.queue, decision.stage, decision.action) == ("bug", "b", "route")
    assert decision.confidence == pytest.approx(0.95)
    assert [trace.name for trace in decision.stages] == ["a", "b"]
    assert decision.reason == ""
    assert cascade.stages[2].asked == []  # type: ignore[attr-defined]


def test_four_stages_of_which_none_is_sure(fake_cascade: Build) -> None:
    cascade = fake_cascade(*((name, 0.5 + 0.1 * at, NEVER) for at, name in enumerate("abcd")))
    (decision,) = cascade.route(["billing"])
    assert (decision.stage, decision.action, decision.queue) == ("human", "review", "billing")
    assert [round(trace.confidence, 3) for trace in decision.stages] == [0.5, 0.6, 0.7, 0.8]


def test_later_stages_are_asked_only_about_open_tickets() -> None:
    class Sure:
        """Sure of short texts only."""

        def __init__(self, name: str, words: int) -> None:
            self.name, self.words = name, words
            self.asked: list[str] = []

        def predict(self, texts: Sequence[str]) -> Any:
            self.asked += texts
            sure = [0.9 if len(text.split()) <= self.words else 0.6 for text in texts]
            return {"queue": np.asarray([[s, 1 - s] for s in sure], dtype=np.float32)}

    stages = [Sure("a", 1), Sure("b", 2), Sure("c", 3)]
    gates = [
        Gate.even(s.name, {"queue": Join((0.0,) * at + (1.0,))}, 0.8, 2)
        for at, s in enumerate(stages)
    ]
    cascade = Cascade(stages, Gates(tuple(gates)), {"queue": ("x", "y")})
    texts = ["w w w w", "w", "w w", "w w w", "w"]
    decisions = cascade.route(texts)
    assert stages[0].asked == texts
    assert stages[1].asked == ["w w w w", "w w", "w w w"]
    assert stages[2].asked == ["w w w w", "w w w"]
    assert [d.stage for d in decisions] == ["human", "a", "b", "c", "a"]


def test_what_an_earlier_stage_knew_is_not_thrown_away(fake_cascade: Build) -> None:
    """With weight on both, the second stage's confidence rises above its own."""
    cascade = fake_cascade(("a", 0.6, NEVER), ("b", 0.7, NEVER))
    both = tuple(
        Gate.even(gate.stage, dict.fromkeys(cascade.heads, Join((1.0,) * (at + 1))), NEVER, 3)
        for at, gate in enumerate(cascade.gates.gates)
    )
    joined = Cascade(cascade.stages, Gates(both), cascade.heads)
    assert joined.route(["bug"])[0].confidence > 0.8 > cascade.route(["bug"])[0].confidence


def test_labels_come_with_the_decision(fake_cascade: Build) -> None:
    (decision,) = fake_cascade(("linear", 0.9, 0.5)).route(["a bug of high urgency"])
    assert decision.labels["urgency"].value == "high"
    assert decision.labels["urgency"].confidence == pytest.approx(0.9)


def test_probabilities_are_those_that_the_decisions_were_made_of(
    cascade: Cascade, tickets: list[Ticket], expected: list[Decision]
) -> None:
    some = [*tickets[:40], *tickets[-6:]]
    decisions, probabilities = cascade.weigh(some)
    assert_same(decisions, [*expected[:40], *expected[-6:]])
    assert {head: its.shape for head, its in probabilities.items()} == {
        head: (46, len(classes)) for head, classes in cascade.heads.items()
    }
    for row, decision in enumerate(decisions):
        for head, classes in cascade.heads.items():
            its = probabilities[head][row]
            assert its.sum() == pytest.approx(1, abs=1e-5)
            best = (classes[its.argmax()], pytest.approx(its.max(), abs=1e-6))
            said = decision.labels[head] if head != "queue" else None
            told = (said.value, said.confidence) if said else (decision.queue, decision.confidence)
            assert told == best


def test_gates_of_other_stages_are_refused(fake_cascade: Build) -> None:
    cascade = fake_cascade(("a", 0.5, 0.9), ("b", 0.5, 0.9))
    with pytest.raises(BundleError, match="not those of the bundle's stages"):
        Cascade(cascade.stages[::-1], cascade.gates, cascade.heads)
    with pytest.raises(BundleError, match="does not weigh each head"):
        Cascade(cascade.stages, cascade.gates, {**cascade.heads, "mood": ("x", "y")})


# --- deadlines ---


def test_no_stage_but_the_first_starts_after_the_deadline(fake_cascade: Build) -> None:
    cascade = fake_cascade(("a", 0.5, 0.9), ("b", 0.95, 0.9))
    open_, empty = cascade.route(["bug", ""], deadline_ms=0)
    assert (open_.action, open_.reason, open_.queue) == ("review", TOO_LATE, "bug")
    assert [trace.name for trace in open_.stages] == ["a"]
    assert empty.reason == NO_TEXT
    assert (open_.late, empty.late) == (True, False)


def test_a_ticket_that_was_settled_in_time_is_not_late(fake_cascade: Build) -> None:
    (decision,) = fake_cascade(("a", 0.95, 0.9), ("b", 0.95, 0.9)).route(["bug"], deadline_ms=0)
    assert (decision.action, decision.stage, decision.late) == ("route", "a", False)


class Clock:
    """A clock that stands still but for stages that work."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Worker:
    """A stage of fixed speed: at least so sure of everything, in so many ms a character."""

    def __init__(self, name: str, sure: float, ms: float, clock: Clock) -> None:
        self.name, self.sure, self.ms, self.clock = name, sure, ms, clock
        self.asked: list[str] = []

    def predict(self, texts: Sequence[str]) -> Any:
        self.asked += texts
        self.clock.now += sum(map(len, texts)) * self.ms / 1000
        return {"queue": np.tile(np.float32([self.sure, 1 - self.sure]), (len(texts), 1))}


class Oracle(Worker):
    """An adviser that is broken off at the deadline, or has no answer because it is down."""

    fitted = True
    down = False
    state: ClassVar[dict[str, Any]] = {}

    def warm_up(self) -> None:
        self.clock.now += 10.0

    def advise(self, texts: Sequence[str], joined: Any, until: float | None) -> Advice:
        if self.down:
            return Advice({"queue": joined}, ("down",) * len(texts))
        seen = self.predict(texts)
        if until is None or self.clock.now <= until:
            return Advice(seen, ("",) * len(texts))
        self.clock.now = until
        return Advice({"queue": joined}, ("not in time",) * len(texts))


class Timed:
    """Stages that take 0, 1 and 10 ms a character, of which only the last is sure."""

    def __init__(self, last: type[Worker] = Worker, threads: int = 1) -> None:
        self.clock = Clock()
        self.a, self.b = Worker("a", 0.6, 0, self.clock), Worker("b", 0.7, 1, self.clock)
        self.c = last("c", 0.9, 10, self.clock)
        gates = [
            Gate.even(name, {"queue": Join((0.0,) * at + (1.0,))}, 0.8, 2)
            for at, name in enumerate("abc")
        ]
        self.cascade = Cascade(
            (self.a, self.b, self.c),  # type: ignore[arg-type]
            Gates(tuple(gates)),
            {"queue": ("x", "y")},
            threads=threads,
            clock=self.clock,
        )

    def route(self, texts: Sequence[str], deadline_ms: float | None = None) -> tuple[str, float]:
        """The last stage of each ticket, and the milliseconds that the call took."""
        began = self.clock.now
        decisions = self.cascade.route(texts, deadline_ms=deadline_ms)
        for decision in decisions:
            settled = decision.stages[-1].name == "c" and not decision.reason
            assert (decision.action == "route") == settled
        reached = "".join(decision.stages[-1].name for decision in decisions)
        return reached, round((self.clock.now - began) * 1000, 6)


def test_what_cannot_be_in_time_is_not_started() -> None:
    timed = Timed()
    assert timed.route(["t" * 10]) == ("c", 110)
    assert timed.route(["t" * 10], deadline_ms=100) == ("b", 10)
    assert timed.route(["t" * 10], deadline_ms=9) == ("a", 0)
    assert timed.route(["t" * 10], deadline_ms=120) == ("c", 110)
    assert timed.cascade.route(["t" * 10], deadline_ms=100)[0].reason == TOO_LATE


def test_what_is_not_known_yet_is_tried_and_costs_the_next_one_its_turn() -> None:
    timed = Timed()
    assert timed.route(["t" * 10], deadline_ms=8) == ("b", 10)
    assert timed.route(["t" * 10], deadline_ms=8) == ("a", 0)


def test_after_warming_up_even_the_first_ticket_is_in_time() -> None:
    timed = Timed()
    timed.cascade.warm_up()
    assert timed.route(["t" * 63], deadline_ms=400) == ("b", 63)
    assert timed.route(["t" * 63], deadline_ms=50) == ("a", 0)
    assert timed.route(["t" * 63], deadline_ms=800) == ("c", 693)


def test_the_tickets_before_count_and_the_rest_goes_on() -> None:
    timed = Timed()
    timed.cascade.warm_up()
    texts = ["t" * 60, "t" * 2000, "t" * 60, "t" * 60, "t" * 60]
    assert timed.route(texts, deadline_ms=1700) == ("cacbb", 1440)
    assert timed.b.asked[-4:] == texts[:1] + texts[2:]


def test_tickets_that_run_side_by_side_are_judged_together() -> None:
    timed = Timed(threads=2)
    timed.cascade.warm_up()
    assert timed.route(["t" * 60] * 5, deadline_ms=250) == ("bbbba", 240)


def test_with_time_enough_a_deadline_changes_nothing() -> None:
    texts = ["t" * n for n in (10, 500, 3, 2000, 40)]
    without, with_ = Timed(), Timed()
    plain = without.cascade.route(texts)
    timely = with_.cascade.route(texts, deadline_ms=1e9)
    assert [without_times(d) for d in timely] == [without_times(d) for d in plain]


def test_without_a_deadline_nobody_is_turned_away_however_slow() -> None:
    timed = Timed()
    timed.route(["t" * 10], deadline_ms=1)
    timed.b.ms = 1e6
    assert timed.route(["t" * 10] * 3)[0] == "ccc"


def test_a_stage_that_was_slow_for_a_while_is_asked_again() -> None:
    timed = Timed()
    timed.b.ms = 100
    assert [timed.route(["t" * 10], deadline_ms=200)[0] for _ in range(3)] == ["b", "a", "a"]
    timed.b.ms = 1
    reached = [timed.route(["t" * 10], deadline_ms=200)[0] for _ in range(20)]
    assert reached[-1] == "c"
    assert reached.count("a") <= PATIENCE


def test_an_adviser_that_was_broken_off_is_not_asked_again_with_as_little_time() -> None:
    timed = Timed(Oracle)
    assert timed.route(["t" * 10], deadline_ms=100) == ("c", 95)
    assert timed.route(["t" * 10], deadline_ms=100) == ("b", 10)
    assert timed.route(["t" * 10], deadline_ms=200) == ("c", 110)


def test_an_adviser_that_is_down_has_not_shown_what_it_takes() -> None:
    timed = Timed(Oracle)
    timed.c.down = True  # type: ignore[attr-defined]
    timed.route(["t" * 10], deadline_ms=100)
    assert timed.cascade.pace.expect("c", 10) == 0


@settings(max_examples=50)
@given(
    st.lists(st.integers(1, 3000), min_size=1, max_size=RECENT // 2),
    st.floats(1, 20_000),
    st.integers(1, 4),
)
def test_where_all_is_known_no_answer_is_late(
    lengths: list[int], deadline: float, threads: int
) -> None:
    """Fixed speeds, and lengths that were seen: nothing then takes longer than is expected."""
    timed = Timed(threads=threads)
    for length in lengths:
        timed.route(["t" * length] * threads)
        timed.route(["t" * length] * threads)
    assert timed.route(["t" * length for length in lengths], deadline)[1] <= deadline


def test_the_time_of_a_batch_is_shared_by_its_tickets(
    fake_cascade: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    cascade = fake_cascade(("a", 0.5, 0.9))
    answer = cascade.stages[0].predict
    monkeypatch.setattr(
        cascade.stages[0], "predict", lambda texts: time.sleep(0.05) or answer(texts)
    )
    times = [decision.stages[0].ms for decision in cascade.route(["bug"] * 5)]
    assert 50 <= sum(times) < 5_000
    assert len(set(times)) == 1


# --- loading ---


def test_names_and_queues(cascade: Cascade, bundle: Path) -> None:
    assert cascade.stage_names == ("linear", "encoder")
    assert cascade.queues == Bundle.open(bundle).manifest.heads["queue"]


def test_a_bundle_without_an_encoder_needs_no_onnx_runtime(linear_bundle: Path) -> None:
    code = (
        "import sys\nfrom cascade import Cascade\n"
        "cascade = Cascade.load(sys.argv[1])\ncascade.warm_up()\ncascade.route(['a bug'])\n"
        "print({'onnxruntime', 'tokenizers', 'torch', 'sklearn', 'bm25s'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(linear_bundle)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "set()\n"


def test_serving_with_an_encoder_needs_no_training_library(tiny_bundle: Path) -> None:
    code = (
        "import sys\nfrom cascade import Cascade\n"
        "cascade = Cascade.load(sys.argv[1])\ncascade.warm_up()\ncascade.route(['a bug'])\n"
        "print({'torch', 'transformers', 'sklearn', 'bm25s', 'onnx'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny_bundle)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "set()\n"
