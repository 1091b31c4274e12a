"""The few-shot LLM stage: a shortlist, examples from the pool, and whoever answers.

It stands outside of what the bundle can promise (a server may be slow, down or wrong), so it is
an adviser: where it has no answer, it says why, and the ticket keeps what the earlier stages said.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.errors import BundleError
from cascade.examples import Pool
from cascade.llm.base import MAX_CANDIDATES, Answer, Backend, NoAnswer, Question
from cascade.stages.base import QUEUE, Advice, Probabilities

FILE = "config.json"
SHOTS = 8
PATIENCE = 60.0
"""Seconds that one answer may take where no deadline says otherwise: scoring, training. The rest of
a call in which one took longer is not asked about, so a call that falls upon a silent server ends
after so many seconds, too."""
SILENT = "the LLM server let another ticket of this call wait in vain"
SUM_SLACK = 1e-3
WARM_UP = 10.0
"""Seconds that a cascade waits for the first answer before it routes without one."""
AT_ONCE = 4
"""Most tickets of one call that are asked about at a time: what a server takes
(`cascade.llm.client.Limits`). Of more, some would be turned away."""
NEIGHBOURS = 5
"""Candidates that the nearest examples may name, beside the likeliest ones."""


class LLMStage:
    """Asks a backend about tickets that the earlier stages left open.

    Args:
        backend: who is asked.
        pool: examples to show.
        descriptions: what belongs into a queue, for those where that is known.
        fitted_for: name of the backend that the gate was fitted with.
        threads: tickets of one call that are asked about at a time, at most `AT_ONCE`.
        shots: examples to show.
    """

    name = "llm"

    def __init__(
        self,
        backend: Backend,
        pool: Pool,
        descriptions: Mapping[str, str],
        *,
        fitted_for: str | None = None,
        threads: int = 1,
        shots: int = SHOTS,
    ) -> None:
        self.backend = backend
        self.fitted_for = backend.name if fitted_for is None else fitted_for
        self.pool, self._descriptions, self._shots = pool, dict(descriptions), shots
        self._queues = pool.heads[QUEUE]
        threads = min(threads, AT_ONCE)
        self._threads = ThreadPoolExecutor(threads) if threads > 1 else None
        self._counts: Counter[str] = Counter()
        self._counting = threading.Lock()

    @property
    def fitted(self) -> bool:
        """See `Adviser.fitted`. A server may turn out to be another one when it answers."""
        return self.backend.name == self.fitted_for

    @property
    def state(self) -> dict[str, Any]:
        """See `Adviser.state`: tickets that were ``answered``, others by `NoAnswer.kind`."""
        with self._counting:
            counts = dict(self._counts)
        return {"backend": self.backend.name, "fitted": self.fitted, "counts": counts}

    def warm_up(self) -> None:
        """See `Adviser.warm_up`. Somebody who does not answer holds nobody up."""
        even = np.full(len(self._queues), 1 / len(self._queues), dtype=np.float32)
        with suppress(NoAnswer):
            self.backend.ask(self.question("warm up " * 40, even), time.monotonic() + WARM_UP)

    def advise(
        self, texts: Sequence[str], joined: NDArray[np.float32], until: float | None
    ) -> Advice:
        """See `Adviser.advise`. Heads but the queue's are even: nothing is said of them."""
        out: Probabilities = {
            name: np.full((len(texts), len(classes)), 1 / len(classes), dtype=np.float32)
            for name, classes in self.pool.heads.items()
        }
        run = self._threads.map if self._threads and len(texts) > 1 else map
        silent = threading.Event()
        answers = run(
            lambda row: self._advise(texts[row], joined[row], until, silent), range(len(texts))
        )
        reasons = [""] * len(texts)
        for row, answer in enumerate(answers):
            if isinstance(answer, NoAnswer):
                reasons[row] = answer.reason
            else:
                out[QUEUE][row] = answer
        return Advice(out, tuple(reasons))

    def with_shots(self, shots: int) -> LLMStage:
        """The same stage, one ticket at a time, with another number of examples."""
        return LLMStage(self.backend, self.pool, self._descriptions, shots=shots)

    def question(self, text: str, joined: NDArray[np.float32]) -> Question:
        """What is asked about a ticket: a cleaned text, and ``(k,)`` joined probabilities."""
        masked = self.pool.masked(text)
        candidates = self._shortlist(masked, joined)
        described = {q: self._descriptions[q] for q in candidates if q in self._descriptions}
        examples = self.pool.few_shot(masked, candidates, self._shots)
        return Question(masked, candidates, examples, described)

    def _shortlist(self, masked: str, joined: NDArray[np.float32]) -> tuple[str, ...]:
        """The likeliest queues and those of the nearest examples, in the bundle's order."""
        if len(self._queues) <= MAX_CANDIDATES:
            return self._queues  # all of them: the head of the prompt is then always the same
        nearest, _ = self.pool.nearest(masked, self._shots)
        near = dict.fromkeys(self.pool.labels[QUEUE][nearest].tolist())
        likely = np.argsort(-joined, kind="stable").tolist()
        wanted = dict.fromkeys([*list(near)[:NEIGHBOURS], *likely])
        return tuple(self._queues[k] for k in sorted(list(wanted)[:MAX_CANDIDATES]))

    def _advise(
        self, text: str, joined: NDArray[np.float32], until: float | None, silent: threading.Event
    ) -> NDArray[np.float32] | NoAnswer:
        """``(k,)`` probabilities of the queues, or why there are none; either is counted."""
        try:
            spread = self._ask(text, joined, until, silent)
        except NoAnswer as no:
            self._count(no.kind)
            return no
        self._count("answered")
        return spread

    def _ask(
        self, text: str, joined: NDArray[np.float32], until: float | None, silent: threading.Event
    ) -> NDArray[np.float32]:
        now = time.monotonic()
        if until is not None and now >= until:  # of a batch, perhaps: a question takes a while
            raise NoAnswer("late", "the deadline was over before it was the ticket's turn")
        question = self.question(text, joined)
        given_up = silent.is_set()
        latest = now if given_up else now + PATIENCE  # a stored answer needs no patience
        try:
            answer = self.backend.ask(question, latest if until is None else min(until, latest))
        except NoAnswer as no:
            if no.kind == "late" and given_up:
                raise NoAnswer("late", SILENT) from None
            if no.kind == "late" and time.monotonic() - now > PATIENCE / 2:
                silent.set()
            raise
        return self._spread(question, answer, joined)

    def _spread(
        self, question: Question, answer: Answer, joined: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """``(k,)`` from the shortlist's: of the other queues it repeats what was believed.

        Raises:
            NoAnswer: these are no probabilities of the shortlist, as from a file that was changed.
        """
        given = np.asarray(answer.probabilities, dtype=np.float32)
        if given.shape != (len(question.candidates),) or not (
            (given >= 0).all() and abs(float(given.sum()) - 1) < SUM_SLACK
        ):
            raise NoAnswer("nonsense", "the answer is no distribution over the shortlist")
        rows = [self._queues.index(queue) for queue in question.candidates]
        out = joined.astype(np.float32)
        inside = float(out[rows].sum())
        out[rows] = inside * given
        return np.asarray(out / out.sum(), dtype=np.float32)

    def _count(self, what: str) -> None:
        with self._counting:
            self._counts[what] += 1

    def to_files(self) -> dict[str, bytes]:
        """The files of the bundle's folder ``llm/``; the pool has its own."""
        plain = {
            "backend": self.backend.name,
            "shots": self._shots,
            "descriptions": self._descriptions,
        }
        return {FILE: json.dumps(plain, ensure_ascii=False, indent=2).encode()}

    @classmethod
    def from_files(
        cls, read: Callable[[str], bytes], pool: Pool, backend: Backend, threads: int = 1
    ) -> LLMStage:
        """Load from a bundle; ``read`` gives a file's checked bytes.

        Raises:
            BundleError: the file does not hold what it should.
        """
        try:
            plain = json.loads(read(FILE))
            shots, descriptions = int(plain["shots"]), dict(plain["descriptions"])
            fitted_for = str(plain["backend"])
            if not 0 <= shots <= 100 or not all(isinstance(d, str) for d in descriptions.values()):
                raise ValueError("out of range")
        except (LookupError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise BundleError(f"llm: damaged ({type(error).__name__})") from None
        return cls(backend, pool, descriptions, fitted_for=fitted_for, threads=threads, shots=shots)
