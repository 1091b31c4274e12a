"""The llm stage: what is asked, and that an answer depends on the ticket and the bundle alone."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cascade.bundle import Bundle
from cascade.clean import clean
from cascade.errors import BundleError
from cascade.examples import BM25, Pool
from cascade.gate import NEVER, Gate, Gates, Join
from cascade.llm.base import MAX_CANDIDATES, Answer, NoAnswer, Question
from cascade.llm.mask import mask
from cascade.router import TOO_LATE, Cascade
from cascade.stages.base import Adviser
from cascade.stages.llm import AT_ONCE, NEIGHBOURS, SILENT, LLMStage
from cascade.stages.neighbours import NeighboursStage, Vote
from train.starter import generate

# --- the same ticket, the same decision: the package's reader in a real bundle ---


@pytest.fixture(scope="module")
def texts() -> list[str]:
    made = [f"{t.subject}\n\n{t.body}" for t in generate(38, seed=77)]
    return [*made, "a " * 30_000, "发票 ist falsch 🙂"]


@pytest.fixture(scope="module")
def cascade(open_bundle: Path) -> Cascade:
    return Cascade.load(open_bundle, threads=1)


@pytest.fixture(scope="module")
def expected(cascade: Cascade, texts: list[str]) -> list[dict[str, Any]]:
    return [timeless(decision.to_dict()) for decision in cascade.route(texts)]


def timeless(decision: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(decision))
    for trace in plain["stages"]:
        del trace["ms"]
    return plain


def test_the_reader_answers_and_settles(expected: list[dict[str, Any]]) -> None:
    """Else the laws below would say little."""
    assert all([t["name"] for t in d["stages"]][-1] == "llm" for d in expected)
    settled = [d for d in expected if d["stage"] == "llm"]
    assert len(settled) > len(expected) / 2
    assert len({d["queue"] for d in settled}) > 2


def test_a_ticket_alone(cascade: Cascade, texts: list[str], expected: list[dict[str, Any]]) -> None:
    assert [timeless(cascade.route([text])[0].to_dict()) for text in texts] == expected


def test_a_ticket_in_any_order_and_from_several_threads(
    open_bundle: Path, texts: list[str], expected: list[dict[str, Any]]
) -> None:
    order = list(range(len(texts)))
    random.Random(5).shuffle(order)
    parts = [order[start : start + 7] for start in range(0, len(order), 7)]
    threaded = Cascade.load(open_bundle, threads=3)
    with ThreadPoolExecutor(3) as pool:
        decided = pool.map(lambda part: threaded.route([texts[i] for i in part]), parts)
        found = dict(zip(order, (d for part in decided for d in part), strict=True))
    assert [timeless(found[i].to_dict()) for i in range(len(texts))] == expected


def test_a_ticket_in_another_process(
    open_bundle: Path, texts: list[str], expected: list[dict[str, Any]]
) -> None:
    code = (
        "import json, sys\n"
        "from cascade import Cascade\n"
        "decisions = Cascade.load(sys.argv[1]).route(json.load(sys.stdin)[::-1])\n"
        "json.dump([d.to_dict() for d in decisions], sys.stdout)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(open_bundle)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert [timeless(plain) for plain in json.loads(done.stdout)][::-1] == expected


def test_the_deadline_holds_for_the_reader_too(cascade: Cascade, texts: list[str]) -> None:
    before = dict(cascade.advisers["llm"]["counts"])
    began = time.monotonic()
    decisions = cascade.route(texts, deadline_ms=700)
    assert (time.monotonic() - began) * 1000 < 1_200
    after = cascade.advisers["llm"]["counts"]
    late = after.get("late", 0) - before.get("late", 0)
    assert late + sum(d.reason == TOO_LATE for d in decisions) > 0
    assert all(d.action == "review" for d in decisions if d.stage != "llm")


# --- what is asked ---


class Memory:
    """A backend that remembers what it was asked, and answers evenly or as it is told."""

    name = "memory"

    def __init__(self, answer: Callable[[Question], Answer] | None = None) -> None:
        self.asked: list[Question] = []
        self.deadlines: list[float] = []
        self._answer = answer or even

    def ask(self, question: Question, deadline: float) -> Answer:
        self.asked.append(question)
        self.deadlines.append(deadline)
        return self._answer(question)


def even(question: Question) -> Answer:
    return Answer((1 / len(question.candidates),) * len(question.candidates))


def pool_of(queues: int, each: int = 2) -> Pool:
    """Each queue has tickets about a thing of its own."""
    names = tuple(f"queue {n:02}" for n in range(queues))
    texts = [
        f"the {thing(n)} is broken {'abcdefgh'[e] * 4}" for n in range(queues) for e in range(each)
    ]
    numbers = np.repeat(np.arange(queues), each)
    return Pool({"queue": names, "mood": ("bad", "good")}, texts, {"queue": numbers})


def thing(number: int) -> str:
    return "".join("bcdfghjklm"[int(digit)] + "a" for digit in f"{number:03}")


def joined_of(queues: int, seed: int) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).dirichlet(np.ones(queues))
    return drawn.astype(np.float32)


@pytest.mark.parametrize("queues", [2, 3, MAX_CANDIDATES])
def test_with_few_queues_all_are_candidates(queues: int) -> None:
    pool = pool_of(queues)
    stage = LLMStage(Memory(), pool, {})
    question = stage.question("the printer is broken", joined_of(queues, 0))
    assert question.candidates == pool.heads["queue"]


@settings(max_examples=60)
@given(st.integers(MAX_CANDIDATES + 1, 80), st.integers(0, 2**32 - 1), st.data())
def test_the_shortlist_of_many_queues(queues: int, seed: int, data: Any) -> None:
    """At most 20, in the bundle's order: the neighbours' queues, then the likeliest."""
    pool = pool_of(queues)
    joined = joined_of(queues, seed)
    near = data.draw(st.lists(st.integers(0, queues - 1), min_size=1, max_size=4, unique=True))
    text = " ".join(thing(n) for n in near)
    stage = LLMStage(Memory(), pool, {f"queue {n:02}": f"about {n}" for n in range(queues)})
    question = stage.question(text, joined)
    names = pool.heads["queue"]
    numbers = [names.index(queue) for queue in question.candidates]
    assert len(numbers) == MAX_CANDIDATES
    assert numbers == sorted(set(numbers))
    assert set(near) <= set(numbers)
    likeliest = np.argsort(-joined, kind="stable")[: MAX_CANDIDATES - NEIGHBOURS].tolist()
    assert set(likeliest) <= set(numbers)
    assert {example.queue for example in question.examples} <= set(question.candidates)
    assert set(question.descriptions) <= set(question.candidates)


def test_a_ticket_is_masked_and_searched_once_for_both_stages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    masked: list[str] = []

    def counting_mask(text: str) -> str:
        masked.append(text)
        return mask(text)

    monkeypatch.setattr("cascade.examples.mask", counting_mask)
    search = CountingSearch()
    pool = pool_of(30)
    pool = Pool(pool.heads, pool.texts, pool.labels, search)
    texts = ["the printer is broken", "no mail since monday", "the printer is broken"]
    NeighboursStage(pool, Vote(k=8, power=2.0, smoothing=1.0, sharpness=1.0)).predict(texts)
    stage = LLMStage(Memory(), pool, {}, threads=2)
    stage.advise(texts, np.full((3, 30), 1 / 30, np.float32), None)
    assert masked == search.searched == texts[:2]


class CountingSearch(BM25):
    """Remembers what was searched."""

    def __init__(self) -> None:
        super().__init__()
        self.searched: list[str] = []

    def search(self, text: str, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        self.searched.append(text)
        return super().search(text, k)


def test_the_prompts_ticket_is_masked() -> None:
    stage = LLMStage(Memory(), pool_of(3), {})
    text = clean("Hello, my name is Jane Roe, call me at +49 170 1234567, jane.roe@example.com")
    question = stage.question(text, joined_of(3, 0))
    assert question.ticket == mask(text)
    for secret in ("1234567", "roe", "Roe"):
        assert secret not in question.ticket


@settings(max_examples=50)
@given(st.integers(2, 60), st.integers(0, 2**32 - 1))
def test_what_is_spread_is_a_distribution(queues: int, seed: int) -> None:
    """Of queues outside the shortlist it repeats what was believed."""
    given_ = np.random.default_rng(seed + 1)

    def answer(question: Question) -> Answer:
        return Answer(tuple(given_.dirichlet(np.ones(len(question.candidates))).tolist()))

    memory = Memory(answer)
    stage = LLMStage(memory, pool_of(queues), {})
    joined = joined_of(queues, seed)
    advice = stage.advise([thing(1)], joined[None], None)
    told = advice.probabilities["queue"][0]
    assert told.sum() == pytest.approx(1, abs=1e-5)
    assert (told >= 0).all()
    names = [f"queue {n:02}" for n in range(queues)]
    outside = [n for n in range(queues) if names[n] not in memory.asked[0].candidates]
    assert told[outside] == pytest.approx(joined[outside], abs=1e-5)
    assert (advice.probabilities["mood"] == 0.5).all()
    assert advice.reasons == ("",)


@pytest.mark.parametrize(
    "numbers",
    [(0.5, 0.5), (), (0.5, 0.5, 0.5), (2.0, -1.0, 0.0), (float("nan"), 0.5, 0.5), (0.0, 0.0, 0.0)],
)
def test_what_is_no_distribution_is_no_answer(numbers: tuple[float, ...]) -> None:
    stage = LLMStage(Memory(lambda question: Answer(numbers)), pool_of(3), {})
    advice = stage.advise(["the printer"], joined_of(3, 0)[None], None)
    assert advice.reasons == ("the answer is no distribution over the shortlist",)
    assert stage.state["counts"] == {"nonsense": 1}


def test_after_the_deadline_nobody_is_asked() -> None:
    memory = Memory()
    stage = LLMStage(memory, pool_of(3), {})
    advice = stage.advise(["a", "b"], np.full((2, 3), 1 / 3, np.float32), time.monotonic())
    assert memory.asked == []
    assert set(advice.reasons) == {"the deadline was over before it was the ticket's turn"}
    assert stage.state["counts"] == {"late": 2}


def test_the_deadline_is_handed_on_but_no_answer_takes_for_ever() -> None:
    memory = Memory()
    stage = LLMStage(memory, pool_of(3), {})
    joined = np.full((1, 3), 1 / 3, np.float32)
    now = time.monotonic()
    for until in (now + 5, now + 1e6, None):
        stage.advise(["a"], joined, until)
    assert memory.deadlines[0] == now + 5
    assert all(now < deadline < now + 100 for deadline in memory.deadlines[1:])


def test_a_server_that_falls_silent_holds_a_call_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cascade.stages.llm.PATIENCE", 0.3)

    def answer(question: Question) -> Answer:
        if question.ticket == "stored":
            return even(question)
        time.sleep(max(0.0, memory.deadlines[-1] - time.monotonic()))
        raise NoAnswer("late", "did not answer in time")

    memory = Memory(answer)
    stage = LLMStage(memory, pool_of(3), {})
    joined = np.full((31, 3), 1 / 3, np.float32)
    began = time.monotonic()
    advice = stage.advise([*"abc" * 10, "stored"], joined, None)
    assert 0.3 <= time.monotonic() - began < 0.6
    assert advice.reasons == ("did not answer in time", *[SILENT] * 29, "")
    assert stage.state["counts"] == {"late": 30, "answered": 1}
    stage.advise(["a"], joined[:1], None)
    assert memory.deadlines[-1] > time.monotonic() - 0.1, "the next call is patient again"


def test_a_deadline_that_is_missed_says_nothing_of_the_next_ticket() -> None:
    def answer(question: Question) -> Answer:
        if question.ticket == "hard":
            raise NoAnswer("late", "did not answer in time")
        return even(question)

    stage = LLMStage(Memory(answer), pool_of(3), {})
    texts = ["hard", "easy", "easy"]
    advice = stage.advise(texts, np.full((3, 3), 1 / 3, np.float32), time.monotonic() + 5)
    assert advice.reasons == ("did not answer in time", "", "")


def test_no_more_tickets_are_asked_about_at_once_than_a_server_takes() -> None:
    from threading import Lock

    lock, running, most = Lock(), [0], [0]

    def slow(question: Question) -> Answer:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.02)
        with lock:
            running[0] -= 1
        return even(question)

    stage = LLMStage(Memory(slow), pool_of(3), {}, threads=32)
    stage.advise(["a"] * 40, np.full((40, 3), 1 / 3, np.float32), None)
    assert 1 < most[0] <= AT_ONCE
    assert stage.state["counts"] == {"answered": 40}


def test_each_kind_of_silence_is_counted() -> None:
    def answer(question: Question) -> Answer:
        if "even" in question.ticket:
            return even(question)
        raise NoAnswer(question.ticket, "a reason")

    stage = LLMStage(Memory(answer), pool_of(3), {})
    texts = ["late", "even", "late", "unsure"]
    advice = stage.advise(texts, np.full((4, 3), 1 / 3, np.float32), None)
    assert advice.reasons == ("a reason", "", "a reason", "a reason")
    assert stage.state == {
        "backend": "memory",
        "fitted": True,
        "counts": {"late": 2, "answered": 1, "unsure": 1},
    }


# --- in the cascade ---


def test_an_adviser_cannot_be_the_first_stage() -> None:
    pool = pool_of(3)
    stage = LLMStage(Memory(), pool, {})
    assert isinstance(stage, Adviser)
    gates = Gates(
        (
            Gate.even(
                "llm", dict.fromkeys(pool.heads, Join((1.0,))), NEVER, len(pool.heads["queue"])
            ),
        )
    )
    with pytest.raises(BundleError, match="llm cannot be the first stage"):
        Cascade([stage], gates, pool.heads)


def test_no_stage_before_the_llm_is_asked_twice_or_left_out(cascade: Cascade) -> None:
    assert cascade.stage_names == ("linear", "encoder", "neighbours", "llm")
    state = cascade.advisers["llm"]
    assert state["backend"].startswith("reader ")
    assert state["fitted"] is True


# --- saved and loaded ---


def test_what_is_saved_is_what_is_loaded() -> None:
    pool = pool_of(3)
    stage = LLMStage(Memory(), pool, {"queue 00": "büro"}, shots=5)
    files = stage.to_files()
    loaded = LLMStage.from_files(files.__getitem__, pool, Memory())
    assert loaded.to_files() == files
    assert loaded.fitted
    stranger = Memory()
    stranger.name = "stranger"
    assert not LLMStage.from_files(files.__getitem__, pool, stranger).fitted


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b"{}",
        b'{"shots": 8, "backend": "m"}',
        b'{"shots": -1, "backend": "m", "descriptions": {}}',
        b'{"shots": 1e999, "backend": "m", "descriptions": {}}',
        b'{"shots": 8, "backend": "m", "descriptions": 7}',
        b'{"shots": 8, "backend": "m", "descriptions": {"a": 7}}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_a_bundle_error(content: bytes) -> None:
    with pytest.raises(BundleError, match=r"^llm: damaged \(\w+\)$"):
        LLMStage.from_files({"config.json": content}.__getitem__, pool_of(3), Memory())


def test_a_bundle_with_an_llm_stage_but_no_examples_is_damaged(
    open_bundle: Path, tmp_path: Path
) -> None:
    from cascade.saving import write

    made = Bundle.open(open_bundle)
    files = {name: made.read(name) for name in made.files if name != "examples/pool.json"}
    bundle = write(tmp_path / "it", made.manifest, files)
    with pytest.raises(BundleError, match=r"does not list examples/pool\.json"):
        Cascade.load(bundle.path)
