"""Operational stability: the same tickets five times over, and whose answers change.

A team that asks why a ticket went where it went has to see the same answer again: tomorrow, in
another process, in a batch of another size. Each run is a process of its own, with another hash
seed, and asks each approach anew.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cascade.bundle import Bundle
from cascade.clean import clean
from cascade.llm.base import Answer, Backend, Question
from cascade.llm.settings import LLMSettings
from cascade.router import Cascade
from cascade.stages.base import QUEUE, Stage
from cascade.stages.llm import AT_ONCE, LLMStage
from cascade.stages.neighbours import NeighboursStage
from eval.approach import guesses
from eval.child import call
from train.measures import queue_numbers

TICKETS = 500
CASCADE, UNSTORED = "cascade", "cascade, nothing stored"
FEW_SHOT, ZERO_SHOT = "llm few-shot", "llm zero-shot"
REVERSED = "llm few-shot, examples reversed"


@dataclass(frozen=True, slots=True)
class Run:
    """How the tickets are asked for.

    Attributes:
        name: for people.
        batch: tickets of one call; 0 for all.
        threads: that a stage works on at a time.
        shuffled: the tickets come in another order.
        reversed: the examples of a prompt come in the opposite order.
    """

    name: str
    batch: int = 0
    threads: int = AT_ONCE
    shuffled: bool = False
    reversed: bool = False


RUNS = (
    Run("all at once"),
    Run("one by one", batch=1, threads=1),
    Run("batches of 7, another order", batch=7, shuffled=True),
    Run("batches of 64", batch=64),
    Run("all at once, restarted"),
)
"""The first one is what the others are compared with."""
OTHER_EXAMPLES = Run("examples reversed", reversed=True)


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What an approach says of ``n`` tickets.

    Attributes:
        queue: ``(n,)`` number of the best queue, -1 where there is no answer.
        routed: ``(n,)`` whether it is acted on; else a person looks first.
        confidence: ``(n,)`` of the best queue, in [0, 1].
    """

    queue: NDArray[np.int64]
    routed: NDArray[np.bool_]
    confidence: NDArray[np.float64]

    @classmethod
    def always(cls, probabilities: NDArray[np.float32]) -> Answers:
        """Of ``(n, k)`` probabilities that are acted on wherever there is an answer."""
        queue = guesses(probabilities)
        return cls(queue, queue >= 0, probabilities.max(axis=1).astype(np.float64))

    @classmethod
    def joined(cls, parts: Sequence[Answers]) -> Answers:
        """Those of several calls, one after the other."""
        whole = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(cls)
        }
        return cls(**whole)

    def take(self, rows: NDArray[np.int64]) -> Answers:
        """Those of some tickets, in that order."""
        return Answers(self.queue[rows], self.routed[rows], self.confidence[rows])

    def to_plain(self) -> dict[str, list[Any]]:
        """Of JSON types; exact."""
        return {field.name: getattr(self, field.name).tolist() for field in fields(self)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, list[Any]]) -> Answers:
        """The opposite of `to_plain`."""
        kinds = {"queue": np.int64, "routed": np.bool_, "confidence": np.float64}
        return cls(**{name: np.asarray(plain[name], dtype=kind) for name, kind in kinds.items()})


def changes(first: Answers, others: Mapping[str, Answers]) -> dict[str, Any]:
    """What changed against the first answers, in any of the others (at least one) and in each.

    Returns:
        ``queue_changed`` and ``action_changed``: shares of the tickets whose best queue, or whose
        action, was another one at least once; ``confidence_change``: the largest one of any
        ticket, to two significant digits, so that 0 means the same bits; ``runs``: the same three
        for each of the others.
    """
    queue = {name: its.queue != first.queue for name, its in others.items()}
    routed = {name: its.routed != first.routed for name, its in others.items()}
    moved = {name: np.abs(its.confidence - first.confidence) for name, its in others.items()}
    return {
        **_told(*(np.max(list(x.values()), axis=0) for x in (queue, routed, moved))),
        "runs": {name: _told(queue[name], routed[name], moved[name]) for name in others},
    }


def _told(
    queue: NDArray[np.bool_], routed: NDArray[np.bool_], moved: NDArray[np.float64]
) -> dict[str, float]:
    return {
        "queue_changed": round(float(queue.mean()), 4),
        "action_changed": round(float(routed.mean()), 4),
        "confidence_change": float(f"{moved.max():.2g}"),
    }


def stability(
    bundle: Path,
    texts: Sequence[str],
    *,
    tickets: int = TICKETS,
    llm: LLMSettings | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> dict[str, Any]:
    """Ask a bundle, and each of its stages alone, for the same tickets in each of `RUNS`.

    The cascade keeps the answers of a language-model server, as it does in use. The model alone is
    asked anew in every run, as is the cascade once more where there is a server. Its few-shot
    prompts are tried with their examples reversed as well, the most alike first: what depends on
    how a prompt is put together changes with the next version of it. There is no deadline, as
    that makes answers depend on time by design.

    Args:
        texts: raw.
        tickets: how many of them, drawn by seed.
        llm: who answers in the llm stage; the built-in reader if None. Its store is not touched.

    Returns:
        ``tickets``; ``runs``: names of `RUNS`; ``approaches``: what `changes` tells, and
        ``answered``, the share of tickets with an answer in the first run, for each stage but the
        llm, for `CASCADE`, and where the bundle has an llm stage for `FEW_SHOT`, `ZERO_SHOT`,
        `REVERSED` (against the first run of `FEW_SHOT`) and with a server `UNSTORED`.

    Raises:
        CascadeError: the bundle cannot be loaded, or the server cannot be asked.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(texts))[:tickets])
    chosen = [texts[row] for row in rows]
    stages = Bundle.open(bundle).manifest.stages
    kept, anew = [*(name for name in stages if name != LLMStage.name), CASCADE], list[str]()
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(llm or LLMSettings(), store=Path(folder, "kept"))
        if {LLMStage.name, NeighboursStage.name} <= set(stages):
            settings = settings.found()
            anew = [FEW_SHOT, ZERO_SHOT, *([UNSTORED] if settings.url else [])]
        # Only a server's answers are stored: without one, all are asked in the same process.
        groups = [kept, anew] if settings.url and anew else [kept + anew]
        jobs = [(run, names) for run in RUNS for names in groups]
        jobs += [(OTHER_EXAMPLES, [FEW_SHOT])] if anew else []
        answers: dict[str, dict[str, Answers]] = {name: {} for name in (*kept, *anew)}
        bar = tqdm(jobs, desc="the same again", unit="process", disable=quiet)
        for number, (run, names) in enumerate(bar):
            # What is not to be found again is stored in a file of its own.
            own = (
                settings if CASCADE in names else replace(settings, store=Path(folder, f"{number}"))
            )
            for name, its in _ask(bundle, chosen, names, run, own, number).items():
                answers[name][run.name] = its
    if anew:
        first, other = RUNS[0].name, OTHER_EXAMPLES.name
        few = answers[FEW_SHOT]
        answers[REVERSED] = {first: few[first], other: few.pop(other)}
    return {
        "tickets": len(chosen),
        "runs": [run.name for run in RUNS],
        "approaches": {name: _compared(its) for name, its in answers.items()},
    }


def _compared(runs: Mapping[str, Answers]) -> dict[str, Any]:
    first, *others = runs
    answered = round(float((runs[first].queue >= 0).mean()), 4)
    return {**changes(runs[first], {name: runs[name] for name in others}), "answered": answered}


def _ask(
    bundle: Path,
    texts: list[str],
    names: list[str],
    run: Run,
    settings: LLMSettings,
    number: int,
) -> dict[str, Answers]:
    """The answers of some approaches in a fresh process, in the order of the texts."""
    order = np.arange(len(texts))
    if run.shuffled:
        order = np.random.default_rng(number).permutation(len(texts))
    told = call(
        answer,
        hash_seed=number,
        bundle=str(bundle.resolve()),
        texts=[texts[row] for row in order],
        names=names,
        run=asdict(run),
        llm={**asdict(settings), "store": str(settings.store)},
    )
    back = np.argsort(order)
    return {name: Answers.from_plain(its).take(back) for name, its in told.items()}


def answer(
    bundle: str, texts: list[str], names: list[str], run: dict[str, Any], llm: dict[str, Any]
) -> dict[str, dict[str, list[Any]]]:
    """The answers of some approaches, each as `Answers.to_plain`; runs in a fresh process."""
    how, settings = Run(**run), LLMSettings(**{**llm, "store": Path(llm["store"])})

    def connect(bundle_id: str) -> Backend:
        backend = settings.connect(bundle_id)
        return Reversed(backend) if how.reversed else backend

    cascade = Cascade.load(bundle, threads=how.threads, llm=connect)
    batch = how.batch or len(texts)
    out = {}
    for name in names:
        ask = _approach(cascade, name)
        parts = [ask(texts[at : at + batch]) for at in range(0, len(texts), batch)]
        out[name] = Answers.joined(parts).to_plain()
    return out


class Reversed:
    """A backend that is shown the most alike example first, the farthest last."""

    def __init__(self, backend: Backend) -> None:
        self.name = backend.name
        self._backend = backend

    def ask(self, question: Question, deadline: float) -> Answer:
        """See `Backend.ask`."""
        return self._backend.ask(replace(question, examples=question.examples[::-1]), deadline)


def _approach(cascade: Cascade, name: str) -> Callable[[Sequence[str]], Answers]:
    """Raw texts to answers."""
    if name in (CASCADE, UNSTORED):
        return lambda texts: _routed(cascade, texts)
    stages: dict[str, Any] = {stage.name: stage for stage in cascade.stages}
    if name not in (FEW_SHOT, ZERO_SHOT):
        predict = stages[name].predict
        return lambda texts: Answers.always(predict([clean(text) for text in texts])[QUEUE])
    model, neighbours = stages[LLMStage.name], stages[NeighboursStage.name]
    asked = model if name == FEW_SHOT else model.with_shots(0)
    return lambda texts: _advised(asked, neighbours, [clean(text) for text in texts])


def _routed(cascade: Cascade, texts: Sequence[str]) -> Answers:
    decisions = cascade.route(texts)
    return Answers(
        queue_numbers(decisions, cascade.queues),
        np.asarray([its.action == "route" for its in decisions]),
        np.asarray([its.confidence for its in decisions]),
    )


def _advised(model: LLMStage, neighbours: Stage, cleaned: list[str]) -> Answers:
    """Of a language model alone; with more queues than it can be shown, neighbours choose them."""
    advice = model.advise(cleaned, neighbours.predict(cleaned)[QUEUE], None)
    answered = np.asarray([not reason for reason in advice.reasons])
    return Answers.always(advice.probabilities[QUEUE] * answered[:, None])
